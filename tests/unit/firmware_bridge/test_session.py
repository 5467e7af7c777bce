"""The session, step by step: handshake, versions, presses, commands, loss."""

from __future__ import annotations

import dataclasses

import pytest

from firmware_bridge.device_sim import PANEL, Eeprom, SimulatedPanel
from firmware_bridge.transport import Cable
from firmware_bridge.wire.events import Connected, Disconnected, Done, Position, Refused, Told
from firmware_bridge.wire.messages import (
    AckCommand,
    AckPress,
    BadMessage,
    Configure,
    Hello,
    Message,
    Outputs,
    Press,
    Probe,
    Reading,
    Reboot,
    SetOutputs,
    Show,
    Time,
    Welcome,
    Who,
    frame_of,
)
from firmware_bridge.wire.receiver import Received, Receiver
from firmware_bridge.wire.resend import Full
from firmware_bridge.wire.session import UNREAD, Session, State
from tests.unit.firmware_bridge.world import MS, World


def said(session: Session) -> list[Message]:
    return [result.message for result in Receiver().feed(session.data_to_send()) if isinstance(result, Received)]


def hello(**fields: object) -> bytes:
    plain = Hello(1, 1, PANEL, (1, 0, 0), 3, 0, 1, 1, 0, 0, 8, 8, 4, 1, 32, 5)
    return frame_of(dataclasses.replace(plain, **fields))


def test_a_session_begins_by_asking_who_is_there_and_asks_again_each_second() -> None:
    session = Session(session=6)
    session.tick(0)
    assert said(session) == [Who()]
    session.tick(999 * MS)
    assert said(session) == []
    session.tick(1000 * MS)
    assert said(session) == [Who()]


def test_a_hello_is_welcomed_again_with_doubling_waits_and_ten_times_at_most() -> None:
    session = Session(session=6)
    session.receive(hello(), 0)
    assert said(session) == [Welcome(1, 5, 7), Probe(1)]
    times, now_ms = [], 0
    while session.state is State.WELCOMING:
        now_ms += 50
        session.tick(now_ms * MS)
        times += [now_ms for message in said(session) if message == Welcome(1, 5, 7)]

    assert times == [200, 600, 1400, 3000, 4600, 6200, 7800, 9400, 11000]


def test_a_panel_and_a_host_find_each_other_and_know_the_time() -> None:
    world = World(SimulatedPanel())
    world.run(1500)

    assert world.session.state is State.UP
    assert [event.fresh for event in world.of(Connected)] == [True]
    assert world.panel.linked
    assert world.session.clock.known


@pytest.mark.parametrize(
    ("speaks", "remedy"), [((2, 3), "update this program"), ((0, 0), "flash newer firmware")], ids=["newer", "older"]
)
def test_a_panel_of_another_version_is_refused_once_with_a_remedy_and_keeps_its_presses(
    speaks: tuple[int, int], remedy: str
) -> None:
    world = World(SimulatedPanel(speaks=speaks))
    world.press()
    world.run(20_000)

    assert [remedy in event.remedy for event in world.of(Refused)] == [True]
    assert world.panel.kept == 1
    assert world.stored == []


def test_another_panel_than_the_one_asked_for_is_refused() -> None:
    session = Session(session=1, panel=b"another!")
    session.receive(hello(), 0)
    event = session.next_event()

    assert isinstance(event, Refused)
    assert "check which cable is where" in event.remedy
    assert session.state is State.SEEKING


def test_p2_presses_come_once_in_order_with_their_time() -> None:
    world = World(SimulatedPanel(started_ms=2**32 - 1500, rate=1.002))
    world.run(1000)
    for button in (3, 1, 3):
        world.press(button)
        world.run(300)

    assert world.numbers() == [1, 2, 3]
    assert [event.press.button for event in world.stored] == [3, 1, 3]
    for event, true_ns in zip(world.stored, world.pressed_ns, strict=True):
        assert abs(event.time.at_ns - true_ns) <= event.time.uncertainty_ns < 15 * MS
    assert world.panel.kept == 0


def test_p1_a_press_that_is_not_accepted_stays_on_the_panel_and_is_sent_until_it_is() -> None:
    world = World(SimulatedPanel(), accepts=False)
    world.run(1000)
    world.press()
    world.run(5000)
    assert (world.panel.kept, world.numbers()) == (1, [1])

    world.session.accept(world.stored[0].position)
    world.run(2000)
    assert world.panel.kept == 0
    assert world.numbers() == [1]


def test_accepting_what_was_not_handed_out_acknowledges_nothing() -> None:
    world = World(SimulatedPanel(), accepts=False)
    world.run(1000)
    for _ in range(3):
        world.press()
    world.run(1000)
    boot = world.stored[0].position.boot
    for wrong in (Position(PANEL, boot, 4), Position(PANEL, boot + 1, 2), Position(b"another!", boot, 2)):
        world.session.accept(wrong)
    world.run(3000)

    assert world.panel.kept == 3


def test_p2_a_host_that_restarts_goes_on_behind_what_it_stored() -> None:
    world = World(SimulatedPanel())
    world.run(1000)
    world.press()
    world.dies_before_accepting = True
    world.run(5000)
    world.press()
    world.settle()

    assert world.numbers() == [1, 2]


def test_a_panel_that_restarts_with_its_boot_count_lost_is_not_taken_for_its_past() -> None:
    eeprom = Eeprom()
    world = World(SimulatedPanel(eeprom=eeprom))
    world.run(1000)
    for _ in range(5):
        world.press()
    world.settle()
    eeprom.boot -= 1
    world.panel.restart(world.now_ns)
    world.press()
    world.run(5000)

    assert world.numbers() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("first", [1, 65534], ids=["start", "wrap"])
def test_press_numbers_may_wrap(first: int) -> None:
    session = Session(session=1, accepted=Position(PANEL, 3, (first - 1) & 0xFFFF))
    session.receive(hello(first=first, next=(first + 4) & 0xFFFF), 0)
    session.receive(bytes.fromhex("00") + _time(1) + _ack(2), MS)
    session.data_to_send()
    for step in range(4):
        session.receive(frame_of(Press(3, 0, 100, 1, step), seq=(first + step) & 0xFFFF), 2 * MS)
    events = [event for event in iter(session.next_event, None) if not isinstance(event, Connected)]
    session.accept(events[-1].position)  # type: ignore[union-attr]

    assert [event.press.number for event in events] == [0, 1, 2, 3]  # type: ignore[union-attr]
    assert said(session) == [AckPress(3, (first + 3) & 0xFFFF)]


def _time(probe: int) -> bytes:
    return frame_of(Time(probe, 100))


def _ack(session: int) -> bytes:
    return frame_of(AckCommand(session, 0))


def test_presses_out_of_turn_and_twice_are_passed_over_and_answered_with_what_is_safe() -> None:
    session = Session(session=1)
    session.receive(hello(next=9) + _time(1) + _ack(2), 0)
    said(session)
    session.receive(_time(1), 0)
    for seq in (2, 1, 1, 5):
        session.receive(frame_of(Press(3, 0, 100, 1, seq), seq=seq), MS)
    numbers = [event.press.number for event in iter(session.next_event, None) if hasattr(event, "press")]

    assert numbers == [1]
    assert said(session) == [AckPress(3, 0)] * 3


def test_a_program_that_reads_no_events_bounds_them_and_loses_no_press() -> None:
    session = Session(session=1)
    session.receive(hello(next=1000) + _time(1) + _ack(2), 0)
    for seq in range(1, UNREAD + 50):
        session.receive(frame_of(Press(3, 0, 100, 1, seq), seq=seq), MS)
    session.receive(frame_of(Reading(1, 0, 1, 0, 0, 0)), MS)
    events = list(iter(session.next_event, None))
    assert len(events) == UNREAD
    assert session.unread_dropped == 1

    after = events[-1].press.number + 1  # type: ignore[union-attr]
    session.receive(frame_of(Press(3, 0, 100, 1, after), seq=after), MS)
    assert session.next_event() is not None


def test_commands_are_carried_out_once_and_in_order_over_a_bad_cable() -> None:
    world = World(SimulatedPanel(), Cable(drop=0.01, flip=0.005, split=5), seed=4)
    while world.session.state is not State.UP:
        world.run(100)
    tickets = [world.session.send(SetOutputs(lamps)) for lamps in (1, 3, 7)]
    tickets += [world.session.send(Show(0, "A017")), world.session.send(Configure(1, 8))]
    world.run(60_000)

    assert [(event.ticket, event.carried_out) for event in world.of(Done)] == [(ticket, True) for ticket in tickets]
    assert (world.panel.shown.lamps, world.panel.shown.text) == (7, "A017")
    assert world.panel.shown.settings == {"debounce_ms": 8}
    assert any(isinstance(event.message, Outputs) for event in world.of(Told))


def test_a_seventeenth_command_waits_at_the_callers() -> None:
    session = Session(session=1)
    for _ in range(16):
        session.send(SetOutputs(0))
    with pytest.raises(Full):
        session.send(SetOutputs(0))
    with pytest.raises(BadMessage):
        Session(session=1).send(SetOutputs(-1))
    with pytest.raises(TypeError, match="no command"):
        Session(session=1).send(Who())


def test_a_panel_that_restarts_drops_what_waits_and_is_fresh_again() -> None:
    world = World(SimulatedPanel())
    world.run(1000)
    world.panel.restart(world.now_ns)
    ticket = world.session.send(SetOutputs(1))
    world.run(5000)

    assert [event.fresh for event in world.of(Connected)] == [True, True]
    assert world.of(Done) == [Done(ticket, carried_out=False)]


def test_a_reboot_leads_into_the_bootloader() -> None:
    world = World(SimulatedPanel())
    world.run(1000)
    world.session.send(Reboot())
    world.run(500)

    assert world.panel.shown.in_bootloader


def test_a_silent_panel_is_lost_after_three_seconds_and_found_again_with_its_lamps_as_they_were() -> None:
    world = World(SimulatedPanel())
    world.run(1000)
    host_end, panel_end = world.host_end, world.panel_end
    world.plug()
    world.panel_end = panel_end  # the panel talks into a cable that ends nowhere
    world.run(4000)
    assert [event.why for event in world.of(Disconnected)] == [
        "it is silent for 3 s: is it unplugged or without power?"
    ]

    world.host_end = host_end
    world.run(8000)
    assert world.session.state is State.UP
    assert [event.fresh for event in world.of(Connected)] == [True, False]


def test_a_ring_that_is_full_counts_what_it_could_not_keep_and_leaves_no_gap() -> None:
    world = World(SimulatedPanel(ring=16), accepts=False)
    kept = sum(world.press() for _ in range(20))
    world.run(3000)
    world.accepts = True
    world.session.accept(world.stored[-1].position)
    world.settle()

    assert (kept, world.panel.lost) == (16, 4)
    assert world.numbers() == list(range(1, 17))


def test_a_session_never_raises_whatever_good_frames_come_in_whichever_state() -> None:
    frames = [hello(), hello(session=2), _time(1), _ack(2), frame_of(Press(9, 0, 0, 0, 0), seq=9), frame_of(Who())]
    for first in frames:
        for second in frames:
            for third in frames:
                session = Session(session=1)
                for at, frame in enumerate((first, second, third, first)):
                    session.receive(frame, at * MS)
                    session.tick(at * MS)
                assert session.state in State


def test_an_acknowledgement_that_comes_late_is_not_taken_for_the_next_command() -> None:
    session = Session(session=1)
    session.receive(hello() + _ack(2), 0)
    session.tick(0)
    first, second = session.send(SetOutputs(1)), session.send(SetOutputs(2))
    session.tick(MS)
    finished = []
    for seq in (0, 1, 1, 0, 2):
        session.receive(frame_of(AckCommand(2, seq)), MS)
        session.tick(2 * MS)
        finished.append([event.ticket for event in iter(session.next_event, None) if isinstance(event, Done)])

    assert finished == [[], [first], [], [], [second]]
