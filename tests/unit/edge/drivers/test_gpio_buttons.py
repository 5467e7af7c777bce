"""Buttons: pins -> edges, and the twin whose simulated pins are pressed from outside."""

from __future__ import annotations

import random
import socket
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gpiozero.pins.mock import MockFactory

from edge.core.presses import LOCKOUT_MS, MIN_OPEN_MS, Debouncer, Edge
from edge.drivers._finger import contact, send
from edge.drivers.gpio_buttons import DRIVER, Config, GpioButtons, SimulatedButtons, decode
from edge.ports import SensorError

S = 1_000_000_000
BOOT, MONOTONIC, REAL = 5000 * S, 4000 * S, 1_800_000_000 * S
CLOCKS = (BOOT, MONOTONIC, REAL)


class Counter:
    """Debounced presses of each button, and every edge."""

    def __init__(self) -> None:
        self.edges: list[tuple[str, Edge]] = []
        self.presses: dict[str, int] = {}
        self._debouncers: dict[str, Debouncer] = {}

    def __call__(self, name: str, edge: Edge) -> None:
        self.edges.append((name, edge))
        if self._debouncers.setdefault(name, Debouncer()).edge(edge) is not None:
            self.presses[name] = self.presses.get(name, 0) + 1


@pytest.mark.parametrize(
    ("ticks_s", "at_ns"),
    [
        (3999.5, BOOT - S // 2),
        (1_799_999_999.5, BOOT - S // 2),
        (None, BOOT),
        (4000.5, BOOT),
        (3000.0, BOOT),
        (12.0, BOOT),
    ],
    ids=["monotonic", "since 1970", "none", "from the future", "stale", "another clock"],
)
def test_the_kernels_timestamp_is_taken_on_whichever_clock_it_is_and_else_the_present(
    ticks_s: float | None, at_ns: int
) -> None:
    assert decode(ticks_s, 0, pull_up=True, clocks_ns=CLOCKS) == Edge(at_ns, closed=True)


@pytest.mark.parametrize(
    ("pull_up", "level", "closed"), [(True, 0, True), (True, 1, False), (False, 1, True), (False, 0, False)]
)
def test_a_closed_contact_pulls_against_the_resistor(pull_up: bool, level: int, closed: bool) -> None:
    assert decode(None, level, pull_up=pull_up, clocks_ns=CLOCKS).closed is closed


@pytest.mark.parametrize("pull_up", [True, False])
def test_every_edge_of_a_pin_is_reported_under_its_buttons_name_undebounced(pull_up: bool) -> None:
    factory, seen = MockFactory(), Counter()
    buttons = GpioButtons(Config(buttons={"pharmacy": 17, "cashier": 27}, pull_up=pull_up), factory)
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    buttons.start(seen)
    for _ in range(50):
        for number in (17, 27):
            pin = factory.pin(number)
            (pin.drive_low if pull_up else pin.drive_high)()
            (pin.drive_high if pull_up else pin.drive_low)()

    assert [(name, edge.closed) for name, edge in seen.edges] == [
        ("pharmacy", True),
        ("pharmacy", False),
        ("cashier", True),
        ("cashier", False),
    ] * 50
    times = [edge.at_ns for _, edge in seen.edges]
    assert before_ns - 10_000_000 < min(times)
    assert max(times) <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_closed_buttons_report_nothing_and_can_be_started_again() -> None:
    factory, seen = MockFactory(), Counter()
    config = Config(buttons={"pharmacy": 17})
    buttons = GpioButtons(config, factory)
    buttons.start(seen)
    buttons.close()
    factory.pin(17).drive_low()
    assert seen.edges == []

    again = GpioButtons(config, factory)
    again.start(seen)
    factory.pin(17).drive_low()
    factory.pin(17).drive_high()
    assert [edge.closed for _, edge in seen.edges][-2:] == [True, False]


def test_a_pin_that_cannot_be_used_is_named_and_the_others_are_released() -> None:
    factory = MockFactory()
    buttons = GpioButtons(Config(buttons={"pharmacy": 17, "cashier": 2}, pull_up=False), factory)

    with pytest.raises(SensorError, match=r"button cashier, GPIO 2: .*pull"):
        buttons.start(Counter())
    assert factory.pin(17).when_changed is None


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({}, "missing required field `buttons`"),
        ({"buttons": {}}, "length >= 1"),
        ({"buttons": {"a": 28}}, "<= 27"),
        ({"buttons": {"A button": 3}}, "matching regex"),
        ({"buttons": {"a": 3, "b": 3}}, "two buttons share one pin"),
        ({"buttons": {"a": 3}, "bounce": 1}, "unknown field `bounce`"),
    ],
)
def test_a_configuration_that_cannot_be_right_is_refused(config: object, complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(config, Config)


@pytest.mark.parametrize("held_ms", [None, 0.0])
@pytest.mark.parametrize("seed", range(20))
def test_p3_a_simulated_contact_bounces_and_is_one_press(seed: int, held_ms: float | None) -> None:
    at_s, edges = 0.0, []
    for change in contact(random.Random(seed), held_ms):
        at_s += change.wait_s
        edges.append(Edge(round(at_s * S), change.closed))
    debouncer = Debouncer()

    assert sum(debouncer.edge(edge) is not None for edge in edges) == 1
    assert (edges[0].closed, edges[-1].closed) == (True, False)
    assert [edge.closed for edge in edges] == [True, False] * (len(edges) // 2)


def test_simulated_contacts_do_bounce() -> None:
    assert max(len(list(contact(random.Random(seed)))) for seed in range(20)) > 6


def twin(seen: Counter, **config: Any) -> SimulatedButtons:
    buttons = SimulatedButtons(Config(buttons={"pharmacy": 17, "cashier": 27}, **config), 1)
    buttons.start(seen)
    return buttons


def test_p3_each_line_at_the_control_socket_is_one_press_of_the_simulated_pin(tmp_path: Path) -> None:
    seen, control = Counter(), str(tmp_path / "c")
    buttons = twin(seen, control=control)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(control)
        connection.sendall(
            b"press pharmacy 1\npress cashier 1\npress pharmacy 1\nhold it\npress kitchen\npress cashier x\n"
        )
        stream = connection.makefile()
        answers = [stream.readline() for _ in range(6)]
        stream.close()
    again = send(control, "cashier")
    buttons.close()

    assert answers[:3] == ["ok\n"] * 3
    assert answers[3].startswith("error: say `press <button>")
    assert answers[4] == "error: no button 'kitchen'; there are: pharmacy, cashier\n"
    assert answers[5].startswith("error: could not convert")
    assert again == "ok"
    assert seen.presses == {"pharmacy": 2, "cashier": 2}
    assert not Path(control).exists()


def test_a_socket_left_by_a_killed_agent_is_taken_over(tmp_path: Path) -> None:
    control = str(tmp_path / "c")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(control)
    seen = Counter()
    buttons = twin(seen, control=control)

    assert send(control, "pharmacy") == "ok"
    buttons.close()


def test_a_control_path_that_cannot_be_listened_on_is_named(tmp_path: Path) -> None:
    with pytest.raises(SensorError, match=r"control = .*at most 107 bytes in a folder that exists"):
        twin(Counter(), control=str(tmp_path / "missing" / "c"))


def test_presses_from_many_sides_at_once_stay_as_far_apart_as_a_finger_needs() -> None:
    seen = Counter()
    buttons = twin(seen)
    people = [threading.Thread(target=buttons.press, args=("pharmacy", 1)) for _ in range(5)]
    for person in people:
        person.start()
    for person in people:
        person.join(10)
    buttons.close()

    assert seen.presses == {"pharmacy": 5}


def test_people_press_by_themselves_when_a_schedule_is_asked_for() -> None:
    pressed = threading.Event()
    buttons = SimulatedButtons(Config(buttons={"pharmacy": 17}, press_every_s=0.02), 1)
    buttons.start(lambda _name, _edge: pressed.set())

    assert pressed.wait(10)
    buttons.close()


def test_this_machine_without_gpio_is_told_so() -> None:
    if list(Path("/dev").glob("gpiochip*")):
        pytest.skip("this machine has GPIO")

    with pytest.raises(SensorError, match=r"no GPIO: /dev/gpiochip.* is missing, so this is no Raspberry Pi"):
        DRIVER.open(Config(buttons={"pharmacy": 17}))


def test_the_defaults_are_those_of_the_core() -> None:
    config = Config(buttons={"pharmacy": 17})

    assert (config.lockout_ms, config.min_open_ms) == (LOCKOUT_MS, MIN_OPEN_MS)
