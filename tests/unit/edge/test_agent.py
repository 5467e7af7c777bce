"""The agent between its ports: what comes in is committed, sent, sent again, held back, put right and reported."""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.contract.messages import Clock, Sensor
from broker.contract.senml import Reading, resolve
from edge.agent import Agent, Ending, Settings
from edge.core.delivery import Pace
from edge.events import (
    Answer,
    Connected,
    Disconnected,
    EdgeSeen,
    Event,
    Failed,
    Paged,
    Received,
    Reload,
    Sampled,
    Stop,
    Works,
)
from edge.intake import HELD_PRESSES, Wiring
from edge.outbox import SqliteOutbox
from edge.ports import Edge, Entry, Measurement, OutboxFull, Page, Recorded, Row
from edge.report import Identity
from tests.unit.edge.fakes import BOOT, JUNE_2024_MS, FakeClock, S, Wire

DRIVERS = (Sensor(name="air", driver="bme280"), Sensor(name="panel", driver="gpio_buttons"))


class Disk(SqliteOutbox):
    """An outbox in memory whose disk can be full."""

    def __init__(self, max_bytes: int = 10**9) -> None:
        super().__init__(Path(":memory:"), max_bytes=max_bytes, reserve_bytes=0)
        self.full = False
        self.commits = 0

    def append(self, entries: Any, **more: Any) -> list[Row]:
        if self.full:
            raise OutboxFull("no space left")
        self.commits += 1
        return super().append(entries, **more)

    def forget(self, ranges: Any) -> int:
        if self.full:
            raise OutboxFull("no space left")
        return super().forget(ranges)


class Rig:
    """An agent with a fake clock and wire, and what the world does to it."""

    def __init__(
        self,
        outbox: Disk,
        *,
        clock: FakeClock | None = None,
        commit_s: float = 1.0,
        pace: Pace | None = None,
        patience_s: float = 300,
        max_age_days: float = 90,
    ) -> None:
        self.outbox, self.clock, self.wire = outbox, clock or FakeClock(), Wire()
        self.notices: list[str] = []
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        wiring = Wiring(commit_s, {"air": 500, "log": 0}, {"panel": (80, 20)})
        settings = Settings(
            heartbeat_s=30,
            patience_s=patience_s,
            max_age_ms=round(max_age_days * 86_400_000),
            not_before_ms=0,
            wiring=wiring,
            pace=pace or Pace(),
        )
        self.agent = Agent(
            settings,
            Identity(BOOT, "1.2.3", "cafe"),
            DRIVERS,
            events=self.events,
            outbox=outbox,
            publisher=self.wire,
            clock=self.clock,
            jitter=lambda: 0.5,
            notify=self.notices.append,
        )

    def connect(self, number: int = 1) -> Rig:
        self.wire.connection = number
        self.agent.turn(Connected(number))
        return self

    def press(self, button: str = "red") -> None:
        self.clock.advance(1)
        self.agent.turn(EdgeSeen("panel", button, Edge(self.clock.now_ns, closed=True)))
        self.agent.turn(EdgeSeen("panel", button, Edge(self.clock.now_ns + 50_000_000, closed=False)))

    def sample(self, *values: float) -> None:
        self.agent.turn(Sampled("air", self.clock.now_ns, [Measurement("temperature", value) for value in values]))

    def pass_time(self, seconds: float, step_s: float = 1.0) -> None:
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)
            self.agent.turn(None)

    def confirm(self, *seqs: int) -> None:
        self.agent.turn(Received(self.outbox.epoch, tuple((seq, seq) for seq in seqs)))

    def page(self, *times_ms: int, position: str = "1") -> Answer:
        answers: list[Answer] = []
        values = [Recorded("noise", 60.0, at_ms, 1000) for at_ms in times_ms]
        self.agent.turn(Paged("log", Page(values, position, 0), answers.append))
        return answers[0]


@pytest.fixture
def outbox() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.close()


def times(rig: Rig) -> list[int]:
    return [r.at_ms for message in rig.wire.readings() for r in resolve(message.e, 0) if isinstance(r, Reading)]


def test_p1_a_press_is_on_disk_before_it_is_sent_and_is_sent_in_the_same_turn(outbox: Disk) -> None:
    rig = Rig(outbox).connect()
    rig.press()
    (press,) = rig.wire.presses()
    assert (press.button, press.count, press.seq, press.clock) == ("red", 1, 1, Clock.SYNCED)
    assert press.at == (JUNE_2024_MS + 1000) / 1000
    assert len(outbox.rows([1])) == 1


def test_a_bouncing_press_is_one(outbox: Disk) -> None:
    rig = Rig(outbox).connect()
    for at_ms, closed in ((0, True), (2, False), (3, True), (5, False), (6, True), (70, False)):
        rig.agent.turn(EdgeSeen("panel", "red", Edge(rig.clock.now_ns + at_ms * 1_000_000, closed)))
    assert len(rig.wire.presses()) == 1


def test_a_press_is_a_commit_of_its_own_and_readings_share_one(outbox: Disk) -> None:
    rig = Rig(outbox)
    rig.press()
    assert outbox.commits == 1
    for _ in range(9):
        rig.sample(20.0)
        rig.clock.advance(0.1)
    assert outbox.commits == 1
    rig.pass_time(1)
    assert outbox.commits == 2
    assert outbox.last_seq == 2


def test_p1_without_a_connection_everything_waits_and_goes_when_there_is_one_presses_first(outbox: Disk) -> None:
    rig = Rig(outbox)
    rig.sample(20.0)
    rig.pass_time(2)
    rig.press()
    assert rig.wire.sent == []
    rig.connect()
    assert [kind for kind, _ in rig.wire.sent if kind != "heartbeat"] == ["press", "readings"]


def test_p1_what_has_no_receipt_is_sent_again_after_a_while_and_on_a_new_connection(outbox: Disk) -> None:
    rig = Rig(outbox).connect()
    rig.press()
    rig.pass_time(6)
    assert [press.seq for press in rig.wire.presses()] == [1, 1]
    rig.agent.turn(Disconnected(1))
    rig.pass_time(1)
    assert len(rig.wire.presses()) == 2
    rig.connect(2)
    assert [press.seq for press in rig.wire.presses()] == [1, 1, 1]


def test_a_receipt_ends_it_and_its_row_goes_with_the_next_commit_or_by_itself(outbox: Disk) -> None:
    rig = Rig(outbox).connect()
    rig.press()
    rig.confirm(1)
    assert outbox.depth == 1, "no commit for a receipt alone"
    rig.press()
    assert outbox.depth == 2, "a press is not slowed down by deleting"
    rig.sample(20.0)
    rig.confirm(2)
    rig.pass_time(1)
    assert outbox.depth == 1, "the readings alone"
    rig.confirm(3)
    rig.pass_time(4)
    assert outbox.depth == 0
    rig.pass_time(600)
    assert len(rig.wire.presses()) == 2


def test_a_receipt_of_another_outbox_file_is_none_of_ours(outbox: Disk) -> None:
    rig = Rig(outbox).connect()
    rig.press()
    rig.agent.turn(Received("f" * 12, ((1, 1),)))
    rig.pass_time(4)
    assert outbox.depth == 1


def test_a_connection_that_takes_nothing_more_is_asked_again_and_nothing_is_skipped(outbox: Disk) -> None:
    rig = Rig(outbox)
    for _ in range(3):
        rig.press()
    rig.wire.takes = False
    rig.connect()
    assert rig.agent.wait_s() > 0, "no spinning meanwhile"
    rig.wire.takes = True
    rig.pass_time(1)
    assert [press.seq for press in rig.wire.presses()] == [1, 2, 3]


def test_the_past_is_sent_at_its_rate_beside_the_present(outbox: Disk) -> None:
    rig = Rig(outbox, pace=Pace(backfill_per_s=10))
    for number in range(50):
        rig.page(JUNE_2024_MS - 10**9 + number, position=str(number))
    rig.connect()
    rig.wire.take()
    rig.pass_time(1, step_s=0.05)
    assert 9 <= len(rig.wire.readings()) <= 11
    rig.page(rig.clock.now_wall_ms, position="now")
    assert rig.wire.readings()[-1].seq == 51, "the present goes at once"


def test_a_recorders_values_and_position_are_one_commit(outbox: Disk) -> None:
    rig = Rig(outbox).connect()
    assert rig.page(JUNE_2024_MS, JUNE_2024_MS + 1000, position="row 2") == Answer(stored=True, pause_s=0)
    assert outbox.position("log") == "row 2"
    assert outbox.commits == 1
    assert times(rig) == [JUNE_2024_MS, JUNE_2024_MS + 1000]


def test_a_page_that_the_disk_refuses_is_asked_for_again(outbox: Disk) -> None:
    rig = Rig(outbox)
    outbox.full = True
    answer = rig.page(JUNE_2024_MS, position="row 2")
    assert not answer.stored
    assert answer.pause_s > 0
    assert outbox.position("log") is None


def test_recorders_are_slowed_down_while_much_is_waiting(outbox: Disk) -> None:
    rig = Rig(outbox)
    for number in range(1500):
        answer = rig.page(JUNE_2024_MS, position=str(number))
    assert answer.pause_s == pytest.approx(0.5)


def test_p5_readings_on_an_unsynchronised_clock_wait_and_go_out_repaired(outbox: Disk) -> None:
    rig = Rig(outbox, clock=FakeClock(wall_ms=60_000, synchronised=False)).connect()
    rig.sample(20.0)
    rig.pass_time(100)
    assert rig.wire.readings() == []
    rig.clock.now_wall_ms, rig.clock.in_step = JUNE_2024_MS, True
    rig.pass_time(2)
    (message,) = rig.wire.readings()
    assert message.clock is Clock.REPAIRED
    assert times(rig) == [JUNE_2024_MS - 100_000]
    rig.pass_time(30)
    assert 100 < rig.wire.heartbeats()[-1].oldest_s < 200, "not the decades since 1970"


def test_p5_readings_whose_clock_is_never_synchronised_go_out_after_patience_and_say_so(outbox: Disk) -> None:
    rig = Rig(outbox, clock=FakeClock(wall_ms=60_000, synchronised=False), patience_s=300).connect()
    rig.sample(20.0)
    rig.pass_time(299)
    assert rig.wire.readings() == []
    rig.pass_time(3)
    assert [message.clock for message in rig.wire.readings()] == [Clock.UNTRUSTED]


def test_p5_presses_never_wait_for_the_clock(outbox: Disk) -> None:
    rig = Rig(outbox, clock=FakeClock(synchronised=False)).connect()
    rig.press()
    assert [press.clock for press in rig.wire.presses()] == [Clock.UNTRUSTED]


def test_p5_rows_of_an_earlier_boot_are_not_repaired_and_not_held(outbox: Disk) -> None:
    Rig(outbox, clock=FakeClock(wall_ms=60_000, synchronised=False, boot="a" * 32)).sample(20.0)
    before = Rig(outbox, clock=FakeClock(wall_ms=60_000, synchronised=False, boot="a" * 32))
    before.sample(20.0)
    before.pass_time(2)
    after = Rig(outbox, clock=FakeClock(synchronised=True, boot="c" * 32)).connect()
    assert [message.clock for message in after.wire.readings()] == [Clock.UNTRUSTED]


def test_p5_a_restart_in_the_same_boot_repairs_what_was_stamped_before_it(outbox: Disk) -> None:
    clock = FakeClock(wall_ms=60_000, synchronised=False)
    before = Rig(outbox, clock=clock)
    before.sample(20.0)
    before.pass_time(10)
    clock.now_wall_ms, clock.in_step = JUNE_2024_MS, True
    after = Rig(outbox, clock=clock).connect()
    assert [message.clock for message in after.wire.readings()] == [Clock.REPAIRED]
    assert times(after) == [JUNE_2024_MS - 10_000]


def test_p5_times_do_not_run_back_when_a_boot_begins_in_1970(outbox: Disk) -> None:
    first = Rig(outbox)
    first.press()
    second = Rig(outbox, clock=FakeClock(wall_ms=0, synchronised=False, boot="c" * 32)).connect()
    second.press()
    assert second.wire.presses()[-1].at >= (JUNE_2024_MS + 1000) / 1000


def test_a_recorder_is_asked_once_the_clock_is_settled_and_its_times_are_not_repaired(outbox: Disk) -> None:
    rig = Rig(outbox, clock=FakeClock(wall_ms=60_000, synchronised=False), patience_s=10)
    assert not rig.agent.keeper.settled.is_set()
    rig.pass_time(11)
    assert rig.agent.keeper.settled.is_set()
    rig.page(JUNE_2024_MS)
    rig.clock.now_wall_ms, rig.clock.in_step = JUNE_2024_MS * 2, True
    rig.pass_time(2)
    rig.connect()
    assert [message.clock for message in rig.wire.readings()] == [Clock.UNTRUSTED]
    assert times(rig) == [JUNE_2024_MS]


def test_p1_on_a_full_disk_presses_are_held_in_order_and_readings_refused_and_counted(
    outbox: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(outbox).connect()
    outbox.full = True
    rig.press("red")
    rig.press("blue")
    rig.sample(20.0)
    rig.pass_time(30)
    assert rig.wire.presses() == []
    assert rig.wire.readings() == []
    assert outbox.counters().refused == 1
    outbox.full = False
    rig.pass_time(1)
    assert [press.button for press in rig.wire.presses()] == ["red", "blue"]
    assert [press.at for press in rig.wire.presses()] == [(JUNE_2024_MS + ms) / 1000 for ms in (1000, 2000)]
    said = [record.getMessage() for record in caplog.records if record.name == "edge.report"]
    assert len(said) == 2, "once when it was full, once when it was not"


def test_presses_held_in_memory_are_bounded(outbox: Disk, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(outbox)
    outbox.full = True
    with caplog.at_level(logging.CRITICAL):
        for _ in range(HELD_PRESSES + 5):
            rig.press()
    outbox.full = False
    rig.pass_time(3)
    assert outbox.depth == HELD_PRESSES


def test_a_replaced_outbox_begins_again_under_its_new_epoch(outbox: Disk) -> None:
    rig = Rig(outbox).connect()
    rig.press()
    rig.confirm(1)
    another = Disk()
    outbox._file, another._file = another._file, outbox._file
    another.close()
    rig.press()
    rig.pass_time(6)
    newest = [press for press in rig.wire.presses() if press.epoch == outbox.epoch]
    assert [press.seq for press in newest] == [1, 1], "sent again: the old receipt counts for nothing"


def test_old_readings_are_given_up_only_by_a_clock_that_is_trusted(outbox: Disk) -> None:
    rig = Rig(outbox, clock=FakeClock(synchronised=False), max_age_days=1, patience_s=0)
    outbox.append([Entry("readings", False, JUNE_2024_MS - 2 * 86_400_000, BOOT, "synced", lambda _: b"{}")])
    rig.pass_time(2)
    assert outbox.depth == 1
    rig.clock.in_step = True
    rig.pass_time(2)
    assert outbox.depth == 0
    assert outbox.counters().evicted == 1


def test_a_heartbeat_says_how_it_is_at_connecting_and_every_interval(outbox: Disk) -> None:
    rig = Rig(outbox)
    rig.press()
    rig.clock.advance(9)
    rig.connect()
    (beat,) = rig.wire.heartbeats()
    assert (beat.epoch, beat.last_seq, beat.outbox, beat.stuck) == (outbox.epoch, 1, 1, 0)
    assert (beat.boot, beat.clock, beat.interval_s, beat.uptime_s) == (BOOT, Clock.SYNCED, 30, 10)
    assert beat.oldest_s == 9
    assert beat.sensors == DRIVERS
    rig.pass_time(65)
    assert len(rig.wire.heartbeats()) == 3
    assert rig.wire.heartbeats()[-1].stuck == 1


def test_messages_without_a_receipt_are_told_of_once_and_once_when_they_have_theirs(
    outbox: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(outbox).connect()
    rig.press()
    rig.pass_time(40)
    rig.confirm(1)
    rig.pass_time(5)
    said = [record.getMessage() for record in caplog.records if record.name == "edge.agent"]
    assert len(said) == 2
    assert "no receipt" in said[0]
    assert "receipt again" in said[1]


def test_a_failing_driver_is_logged_once_reported_soon_and_logged_once_when_it_works_again(
    outbox: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(outbox).connect()
    rig.pass_time(2)
    rig.wire.take()
    for _ in range(5):
        rig.agent.turn(Failed("air", "no answer on bus 1"))
        rig.pass_time(1)
    (beat,) = rig.wire.heartbeats()
    assert beat.sensors[0].error == "no answer on bus 1"
    assert beat.sensors[0].since == (JUNE_2024_MS + 2000) / 1000
    rig.agent.turn(Works("air"))
    rig.agent.turn(Works("air"))
    rig.pass_time(2)
    assert rig.wire.heartbeats()[-1].sensors[0] == DRIVERS[0]
    said = [record.getMessage() for record in caplog.records if record.name == "edge.report"]
    assert [text.split()[0] for text in said] == ["air", "air"]


def test_a_driver_that_does_not_come_back_is_reported(outbox: Disk) -> None:
    rig = Rig(outbox).connect()
    rig.agent.silent_s = lambda name, _: 61.0 if name == "air" else 0.0
    rig.pass_time(3)
    assert "has not answered" in (rig.wire.heartbeats()[-1].sensors[0].error or "")
    assert rig.wire.heartbeats()[-1].sensors[1].error is None


def test_birth_and_will_say_who_we_are(outbox: Disk) -> None:
    rig = Rig(outbox)
    for online in (True, False):
        text = rig.agent.status("0123456789ab", online).decode()
        assert f'"online":{str(online).lower()}' in text
        assert '"version":"1.2.3"' in text
        assert '"config":"cafe"' in text


def test_the_watchdog_hears_from_the_loop_alone(outbox: Disk) -> None:
    rig = Rig(outbox)
    rig.pass_time(3)
    assert rig.notices == ["WATCHDOG=1"] * 3
    rig.events.put(Stop())
    rig.agent.run()
    assert rig.notices[3] == "READY=1"


def test_stop_ends_the_loop_reload_is_told_apart_and_stop_wins(outbox: Disk) -> None:
    rig = Rig(outbox)
    rig.events.put(Reload())
    assert rig.agent.run() is Ending.RELOAD
    rig.events.put(Stop())
    assert rig.agent.run() is Ending.STOP


def test_p1_finishing_commits_what_was_still_in_memory_or_in_the_queue(outbox: Disk) -> None:
    rig = Rig(outbox)
    rig.sample(20.0)
    rig.events.put(EdgeSeen("panel", "red", Edge(rig.clock.now_ns, closed=True)))
    rig.agent.finish()
    assert sorted(row.kind for row in outbox.rows([1, 2])) == ["press", "readings"]


def test_the_loop_waits_for_what_is_due_next_and_no_longer(outbox: Disk) -> None:
    rig = Rig(outbox, commit_s=0.2)
    rig.pass_time(1)
    assert rig.agent.wait_s() == pytest.approx(1.0)
    rig.sample(20.0)
    assert rig.agent.wait_s() == pytest.approx(0.2)


def test_a_press_takes_one_turn_even_while_a_backlog_drains(outbox: Disk) -> None:
    rig = Rig(outbox)
    for number in range(300):
        rig.page(JUNE_2024_MS - 10**9, position=str(number))
    rig.connect()
    before = len(rig.wire.sent)
    rig.agent.turn(EdgeSeen("panel", "red", Edge(rig.clock.now_ns + S, closed=True)))
    assert rig.wire.sent[before][0] == "press"
