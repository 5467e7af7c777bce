"""Each driver on its own thread: a failure is told, tried again, and stays its own affair."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from edge.events import Answer, EdgeSeen, Event, Failed, Paged, Sampled, Works
from edge.ports import Edge, Measurement, Page, Recorded, SensorError
from edge.units import Unit

PATIENCE_S = 10
EDGE = Edge(5, closed=True)


class Scripted:
    """A Sensor that plays what it is told: values, or an error to raise; it stays at the last."""

    def __init__(self, *script: Any) -> None:
        self._script, self._at = script, 0
        self.closed = 0

    def read(self) -> Sequence[Measurement]:
        step = self._script[min(self._at, len(self._script) - 1)]
        self._at += 1
        if isinstance(step, Exception):
            raise step
        return [Measurement("temperature", step)]

    def close(self) -> None:
        self.closed += 1


class Log:
    """A Recorder over numbered values, one a page."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def since(self, position: str | None, now_ms: int) -> Page:
        self.asked.append(position)
        at = int(position or 0) + 1
        return Page([Recorded("noise", 60.0, now_ms + at, 1)], str(at), 0)

    def close(self) -> None:
        pass


class Panel:
    """Buttons whose one contact closes as soon as somebody listens."""

    def __init__(self) -> None:
        self.closed = 0

    def start(self, on_edge: Callable[[str, Edge], None]) -> None:
        on_edge("red", EDGE)

    def close(self) -> None:
        self.closed += 1


class Bench:
    """Runs units and hears what they tell."""

    def __init__(self) -> None:
        self.heard: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.may_ask = threading.Event()
        self.may_ask.set()
        self.now_ns = 1
        self.units: list[Unit] = []

    def run(self, open_driver: Callable[[], Any], position: str | None = None) -> Unit:
        unit = Unit(
            "air",
            open_driver,
            interval_s=0.001,
            emit=self.heard.put,
            monotonic_ns=lambda: self.now_ns,
            now_ms=lambda: 1000,
            may_ask=self.may_ask,
            position=position,
            retry_s=(0.001, 0.002),
        )
        self.units.append(unit)
        unit.start()
        return unit

    def next(self) -> Event:
        return self.heard.get(timeout=PATIENCE_S)

    def some(self, number: int) -> list[Event]:
        return [self.next() for _ in range(number)]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    for unit in made.units:
        unit.stop()
    for unit in made.units:
        unit.join(PATIENCE_S)


def test_a_sensor_is_read_again_and_again_and_said_to_work_once(bench: Bench) -> None:
    bench.run(lambda: Scripted(20.0))
    assert bench.some(3) == [Works("air"), *[Sampled("air", 1, [Measurement("temperature", 20.0)])] * 2]


def test_a_sensor_that_fails_is_closed_opened_again_and_read_on(bench: Bench) -> None:
    opened: list[Scripted] = []

    def open_driver() -> Scripted:
        opened.append(Scripted(20.0, SensorError("no answer")) if not opened else Scripted(21.0))
        return opened[-1]

    bench.run(open_driver)
    kinds = [type(event) for event in bench.some(5)]
    assert kinds == [Works, Sampled, Failed, Works, Sampled]
    assert opened[0].closed == 1


def test_a_driver_that_cannot_be_opened_is_tried_until_it_can(bench: Bench) -> None:
    attempts = iter(range(100))

    def open_driver() -> Scripted:
        if next(attempts) < 3:
            raise SensorError("no bus 1: enable I2C")
        return Scripted(20.0)

    bench.run(open_driver)
    assert bench.some(4) == [*[Failed("air", "no bus 1: enable I2C")] * 3, Works("air")]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
        (math.nan, "temperature is not a number"),
    ],
)
def test_a_drivers_mistake_is_told_like_any_failure(bench: Bench, script: Any, says: str) -> None:
    bench.run(lambda: Scripted(script))
    assert bench.next() == Failed("air", says)
    assert bench.next() == Failed("air", says)


def test_a_failing_sensor_does_not_stop_another(bench: Bench) -> None:
    bench.run(lambda: Scripted(SensorError("gone")))
    bench.run(lambda: Scripted(20.0))
    while not isinstance(bench.next(), Sampled):
        pass


def test_p1_a_recorder_is_asked_on_only_when_its_page_is_stored(bench: Bench) -> None:
    log = Log()
    bench.run(lambda: log, position="7")
    assert bench.next() == Works("air")
    for stored, position in ((False, "7"), (True, "7"), (True, "8")):
        event = bench.next()
        assert isinstance(event, Paged)
        assert log.asked[-1] == position
        event.answer(Answer(stored, 0))
    assert isinstance(bench.next(), Paged)
    assert log.asked == ["7", "7", "8", "9"]


def test_a_recorder_waits_until_the_time_is_known(bench: Bench) -> None:
    bench.may_ask.clear()
    log = Log()
    unit = bench.run(lambda: log)
    unit.join(0.05)
    assert log.asked == []
    bench.may_ask.set()
    assert bench.next() == Works("air")


def test_buttons_report_their_edges_and_are_closed_at_the_end(bench: Bench) -> None:
    panel = Panel()
    unit = bench.run(lambda: panel)
    assert sorted(bench.some(2), key=str) == [EdgeSeen("air", "red", EDGE), Works("air")]
    unit.stop()
    unit.join(PATIENCE_S)
    assert panel.closed == 1


def test_a_driver_that_does_not_come_back_is_seen_from_outside(bench: Bench) -> None:
    release = threading.Event()

    class Stuck(Scripted):
        def read(self) -> Sequence[Measurement]:
            release.wait(PATIENCE_S)
            return super().read()

    unit = bench.run(lambda: Stuck(20.0))
    while unit.silent_s(1 + 61_000_000_000) == 0:
        pass
    assert unit.silent_s(1 + 61_000_000_000) == 61
    release.set()
    bench.some(2)
