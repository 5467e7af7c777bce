"""The compiled firmware in the emulator, its contacts bouncing, and the host's link on the other end of its line.

Shows P1 (nothing lost) and P2 (one effect) for the way from a contact to the host.
"""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from firmware_bridge.link import Link
from firmware_bridge.serial_transport import SerialTransport
from firmware_bridge.wire.events import Connected, Disconnected, Done, Event, Position, Pressed, Told
from firmware_bridge.wire.messages import Configure, Message, Probe, Reading, SetOutputs, Show, Time, frame_of
from firmware_bridge.wire.receiver import Received, Receiver
from firmware_bridge.wire.session import Session
from tests.emulator.emulated import FIRMWARE, PANEL, EmulatedPanel, build, require

pytestmark = pytest.mark.simavr

WAIT_S = 20.0


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require()
    path = tmp_path_factory.mktemp("firmware")
    build(path)
    return path


@pytest.fixture
def panel(out: Path, tmp_path: Path) -> Iterator[EmulatedPanel]:
    with EmulatedPanel(out, tmp_path / "panel", seed=4) as running:
        yield running


class Host:
    """A program that holds the panel's link and keeps what it heard; a context manager.

    Args:
        session: where it begins to number sessions.
        accepted: what an earlier one of it had safe.
        accepting: whether presses are safe at once, so that the panel may forget them.
    """

    def __init__(
        self, panel: EmulatedPanel, *, session: int, accepted: Position | None = None, accepting: bool = True
    ) -> None:
        self.events: list[Event] = []
        self._accepting = accepting
        self.link = Link(
            lambda: SerialTransport(str(panel.name)), Session(session=session, accepted=accepted, panel=PANEL.encode())
        )

    def __enter__(self) -> Self:
        self.until(lambda: self.of(Connected))
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def buttons(self) -> list[int]:
        return [event.press.button for event in self.of(Pressed)]

    def poll(self, timeout_s: float) -> None:
        for event in self.link.poll(timeout_s):
            self.events.append(event)
            if self._accepting and isinstance(event, Pressed):
                self.link.accept(event.position)

    def until(self, there: Callable[[], object], what: str = "") -> None:
        end_s = time.monotonic() + WAIT_S
        while not there():
            self.poll(0.02)
            assert time.monotonic() < end_s, f"waited in vain: {what}, {self.link.problem}, {self.events[-5:]}"

    def carry_out(self, command: Message) -> None:
        ticket = self.link.send(command)
        self.until(lambda: Done(ticket, carried_out=True) in self.events, str(command))

    def quiet(self) -> None:
        """Listen for as long as the panel would need to send anything again."""
        end_s = time.monotonic() + 0.5
        while time.monotonic() < end_s:
            self.poll(0.02)


def _series(rng: random.Random, count: int) -> list[int]:
    return [rng.randrange(8) for _ in range(count)]


def test_presses_that_bounce_arrive_once_each_in_order_with_their_time(panel: EmulatedPanel) -> None:
    rng = random.Random(11)
    wanted = _series(rng, 80)
    with Host(panel, session=1) as host:
        edges_before = panel.ask("edges")
        at_ms = [panel.press(button, rng.randrange(20, 60), 20 + 75 * n) for n, button in enumerate(wanted)]
        host.until(lambda: len(host.buttons()) >= len(wanted), "80 presses")
        host.quiet()
        presses = [event.press for event in host.of(Pressed)]
        assert panel.ask("edges") - edges_before > 4 * len(wanted), "the contacts did not bounce"
    assert host.buttons() == wanted
    assert [press.number for press in presses] == list(range(1, len(wanted) + 1))
    late = [press.at_ms - began for press, began in zip(presses, at_ms, strict=True)]
    assert max(late) - min(late) < 6.0, f"milliseconds from the first edge to its time: {min(late)} to {max(late)}"
    assert not host.of(Disconnected)


def test_a_line_that_loses_and_damages_bytes_costs_no_press_and_makes_none(panel: EmulatedPanel) -> None:
    rng = random.Random(14)
    wanted = _series(rng, 40)
    with Host(panel, session=1) as host:
        panel.say("noise 120")
        for n, button in enumerate(wanted):
            panel.press(button, rng.randrange(20, 50), 75 * n)
        host.until(lambda: len(host.buttons()) >= len(wanted), "40 presses")
        host.quiet()
        faults = host.link.session.receiver.faults
    assert host.buttons() == wanted
    assert [event.press.number for event in host.of(Pressed)] == list(range(1, len(wanted) + 1))
    assert sum(faults.values()) >= 5, f"the line was good: {faults}"


def test_presses_made_while_the_host_is_away_wait_for_it(panel: EmulatedPanel) -> None:
    rng = random.Random(12)
    wanted: list[int] = []
    heard: list[int] = []
    accepted = None
    for turn in range(3):
        with Host(panel, session=100 * turn, accepted=accepted) as host:
            here = _series(rng, 6)
            for n, button in enumerate(here):
                panel.press(button, 30, 60 * n)
            wanted += here
            due = len(wanted) - len(heard)
            host.until(lambda due=due: len(host.buttons()) >= due, "presses")
            accepted = host.link.session.accepted
        heard += host.buttons()
        away = _series(rng, 12)
        for n, button in enumerate(away):
            panel.press(button, 30, 100 + 60 * n)
        wanted += away
        _pass_ms(panel, 1000)
    with Host(panel, session=900, accepted=accepted) as host:
        host.until(lambda: len(heard) + len(host.buttons()) >= len(wanted), "the presses made meanwhile")
        host.quiet()
    assert heard + host.buttons() == wanted


def test_a_host_that_dies_before_it_has_a_press_safe_hears_it_again(panel: EmulatedPanel) -> None:
    with Host(panel, session=1, accepting=False) as first:
        accepted = first.link.session.accepted
        for n, button in enumerate([1, 2, 3]):
            panel.press(button, 30, 60 * n)
        first.until(lambda: len(first.buttons()) >= 3, "three presses")
    with Host(panel, session=500, accepted=accepted) as second:
        second.until(lambda: len(second.buttons()) >= 3, "the three again")
        second.quiet()
    assert first.buttons() == second.buttons() == [1, 2, 3]


def test_a_pulled_cable_costs_no_press(panel: EmulatedPanel) -> None:
    with Host(panel, session=1) as host:
        for turn in range(2):
            panel.press(turn, 30)
            panel.press(turn + 2, 30, 150)
            panel.say("pull")
            panel.press(turn + 4, 30, 300)
            host.until(lambda turn=turn: len(host.of(Disconnected)) > turn, "the cable to be missed")
            _pass_ms(panel, 400)
            panel.say("plug")
            host.until(lambda turn=turn: len(host.buttons()) >= 3 * (turn + 1), "presses")
        host.quiet()
        assert host.buttons() == [0, 2, 4, 1, 3, 5]


def test_more_presses_than_the_ring_holds_are_counted_as_lost(panel: EmulatedPanel) -> None:
    panel.say("speed 6")
    for n in range(70):
        panel.press(n % 8, 30, 50 * n)
    _pass_ms(panel, 3600)
    panel.say("speed 1")
    with Host(panel, session=1) as host:
        hello = host.of(Connected)[0].hello
        host.until(lambda: len(host.buttons()) >= hello.ring, "the ring")
        host.quiet()
    assert (hello.ring, hello.lost) == (64, 6)
    assert host.buttons() == [n % 8 for n in range(64)]


def test_commands_reach_the_pins_and_what_cannot_be_done_is_said(panel: EmulatedPanel) -> None:
    with Host(panel, session=1) as host:
        host.carry_out(SetOutputs(lamps=0b0101, buzzer_ms=600))
        assert (panel.ask("lamp"), panel.ask("buzzer")) == (0b0101, 1)
        host.until(lambda: any(_told(host, "buzzer_ms")) and _told(host, "buzzer_ms")[-1] == 0, "the buzzer to end")
        assert panel.ask("buzzer") == 0
        for command, why_not in ((SetOutputs(lamps=0b1_0000), "no such lamp"), (Show(0, "A017"), "no display")):
            host.carry_out(command)
            host.until(lambda why_not=why_not: why_not in _told(host, "text"), why_not)
        assert panel.ask("lamp") == 0b0101
        panel.say("analog 2500")
        host.carry_out(Configure(2, 1))
        host.until(lambda: any(isinstance(told.message, Reading) for told in host.of(Told)), "a reading")
        reading = next(told.message for told in host.of(Told) if isinstance(told.message, Reading))
    assert (reading.quantity, reading.status) == (5, 0)
    assert reading.value * 10.0**reading.exponent == pytest.approx(0.5, abs=0.01)


def test_boots_and_presses_are_counted_across_resets(panel: EmulatedPanel) -> None:
    with Host(panel, session=1) as host:
        for boot, presses in ((1, 1), (2, 1), (3, 2), (4, 3)):
            host.until(lambda boot=boot: host.of(Connected)[-1].hello.boot == boot, f"boot {boot}")
            if len(host.buttons()) < presses:
                panel.press(boot, 30)
                host.until(lambda presses=presses: len(host.buttons()) >= presses, "a press")
            _pass_ms(panel, 150)
            panel.say("reset")
        heard = [event.press for event in host.of(Pressed)]
    assert [(press.boot, press.button, press.number) for press in heard] == [(1, 1, 1), (3, 3, 2), (4, 4, 3)]


def test_garbage_on_the_line_is_passed_over_and_what_comes_behind_it_is_answered(panel: EmulatedPanel) -> None:
    rng = random.Random(13)
    with Host(panel, session=1) as host:
        host.carry_out(SetOutputs(lamps=0b0010))
        accepted = host.link.session.accepted
    line, receiver = SerialTransport(str(panel.name)), Receiver()
    panel.say("speed 8")
    before = panel.ask("line")
    for probe in range(1000, 1020):
        line.write(_garbage(rng, 6000) + b"\0" + frame_of(Probe(probe)))
        _wait_for_time(line, receiver, probe)
        assert panel.ask("lamp") == 0b0010, "a corrupted command was carried out"
    line.close()
    assert panel.ask("line") - before > 100_000
    assert panel.ask("stack") < 384, "of 512 bytes that the build leaves free at least"
    assert set(receiver.faults) <= {"cobs", "crc", "length"}, "the panel sent frames that are none"
    panel.say("speed 1")
    with Host(panel, session=900, accepted=accepted) as host:
        assert host.of(Connected)[0].hello.boot == 1, "the panel was reset"
        panel.press(6)
        host.until(host.buttons, "a press after the garbage")
        assert host.buttons() == [6]


def test_the_build_fails_when_less_than_a_quarter_is_free(out: Path) -> None:
    def size(limit: str = "") -> subprocess.CompletedProcess[str]:
        command = ["make", "-C", FIRMWARE, "size", f"BUILD={out}", f"PANEL={PANEL}", *limit.split()]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    fits = size()
    assert fits.returncode == 0
    used = re.search(r"flash (\d+) of 32768 bytes .*, RAM (\d+) of 2048 bytes", fits.stdout)
    assert used
    for name, size_used in zip(("FLASH_BYTES", "RAM_BYTES"), map(int, used.groups()), strict=True):
        assert size(f"{name}={size_used * 4 // 3 + 2}").returncode == 0
        too_big = size(f"{name}={size_used * 4 // 3 - 2}")
        assert too_big.returncode != 0
        assert "too big" in too_big.stdout


def _pass_ms(panel: EmulatedPanel, ms: float) -> None:
    end = panel.ask("time") + ms
    while panel.ask("time") < end:
        time.sleep(0.01)


def _told(host: Host, field: str) -> list:
    return [getattr(told.message, field) for told in host.of(Told) if hasattr(told.message, field)]


def _garbage(rng: random.Random, size: int) -> bytes:
    """Noise, and commands that would light every lamp, were it not for a flipped bit or a missing byte."""
    line = bytearray()
    while len(line) < size:
        frame = bytearray(frame_of(SetOutputs(lamps=15), seq=2))
        match rng.randrange(3):
            case 0:
                frame[rng.randrange(len(frame) - 1)] ^= 1 << rng.randrange(8)
            case 1:
                del frame[rng.randrange(len(frame) - 1)]
            case 2:
                frame = bytearray(rng.randbytes(rng.randrange(200)))
        line += frame
    return bytes(line)


def _wait_for_time(line: SerialTransport, receiver: Receiver, probe: int) -> None:
    end_s = time.monotonic() + WAIT_S
    while time.monotonic() < end_s:
        for result in receiver.feed(line.read(0.1)):
            if isinstance(result, Received) and isinstance(result.message, Time) and result.message.probe == probe:
                return
    pytest.fail(f"no answer to probe {probe}: {receiver.faults}")
