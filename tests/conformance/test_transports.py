"""What every line to a panel must keep to: in memory, and a pseudo-terminal through pyserial."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from firmware_bridge.device_sim import SimulatedPanel
from firmware_bridge.link import Link
from firmware_bridge.serial_transport import SerialTransport
from firmware_bridge.transport import Transport, TransportError, pair
from firmware_bridge.wire.events import Connected, Disconnected, Event, Pressed
from firmware_bridge.wire.session import Session

EVERY_BYTE = bytes(range(256))


@dataclass
class Line:
    """A transport under test, and the far end of its cable."""

    transport: Transport
    far_read: Callable[[], bytes]
    far_write: Callable[[bytes], None]
    pull: Callable[[], None]


def in_memory() -> Line:
    here, there = pair()
    return Line(here, lambda: there.read(0.01), there.write, there.close)


def on_a_pty() -> Line:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    transport = SerialTransport(os.ttyname(slave))
    os.close(slave)

    def far_read() -> bytes:
        try:
            return os.read(master, 65536)
        except BlockingIOError:
            return b""

    return Line(transport, far_read, lambda data: _ignore(os.write(master, data)), lambda: os.close(master))


def _ignore(_written: int) -> None:
    """Pieces here are small enough to be written whole."""


@pytest.fixture(params=[in_memory, on_a_pty], ids=["memory", "pty"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    line: Line = request.param()
    yield line
    line.transport.close()
    with contextlib.suppress(OSError):  # the test may have pulled it
        line.pull()


def gathered(read: Callable[[], bytes], size: int) -> bytes:
    data, until_s = b"", time.monotonic() + 10
    while len(data) < size and time.monotonic() < until_s:
        data += read()
    return data


def test_every_byte_passes_both_ways_unchanged(line: Line) -> None:
    line.transport.write(EVERY_BYTE)
    line.far_write(EVERY_BYTE)

    assert gathered(line.far_read, 256) == EVERY_BYTE
    assert gathered(lambda: line.transport.read(0.05), 256) == EVERY_BYTE


def test_a_read_without_bytes_ends_empty_in_its_time(line: Line) -> None:
    began_s = time.monotonic()

    assert line.transport.read(0) == b""
    assert line.transport.read(0.05) == b""
    assert 0.04 < time.monotonic() - began_s < 5


def test_a_read_ends_as_soon_as_something_comes(line: Line) -> None:
    threading.Timer(0.05, line.far_write, [b"x"]).start()
    began_s = time.monotonic()

    assert line.transport.read(10) == b"x"
    assert time.monotonic() - began_s < 5


def test_a_pulled_cable_is_an_error_that_says_what_to_do(line: Line) -> None:
    line.pull()

    def use() -> None:
        line.transport.write(b"x")
        line.transport.read(0.01)

    with pytest.raises(TransportError, match="plug"):
        use()


def test_closing_twice_and_reading_after_it_raise_nothing_else_than_transport_errors(line: Line) -> None:
    line.transport.close()
    line.transport.close()

    with pytest.raises(TransportError):
        line.transport.read(0)


def test_p2_a_link_over_it_brings_each_press_once_and_finds_the_panel_again(line: Line) -> None:
    panel = SimulatedPanel(now_ns=time.monotonic_ns())
    lines = [line.transport]
    link = Link(lines.pop, Session(session=1))
    pressed: list[int] = []

    def step() -> list[Event]:
        panel.receive(line.far_read(), time.monotonic_ns())
        panel.tick(time.monotonic_ns())
        line.far_write(panel.data_to_send())
        events = link.poll(0.01)
        for event in events:
            if isinstance(event, Pressed):
                pressed.append(event.press.number)
                link.accept(event.position)
        return events

    until_s = time.monotonic() + 20
    _until(lambda: any(isinstance(event, Connected) for event in step()))
    for _ in range(20):
        panel.press(1, time.monotonic_ns())
        step()
    while panel.kept and time.monotonic() < until_s:
        step()
    assert pressed == list(range(1, 21))

    line.pull()
    _until(lambda: any(isinstance(event, Disconnected) for event in link.poll(0.05)))
    assert "plug" in link.problem
    link.close()


def _until(done: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 10
    while not done():
        assert time.monotonic() < until_s


def test_a_port_that_another_holds_is_refused_and_its_holder_is_named() -> None:
    master, slave = os.openpty()
    held = SerialTransport(os.ttyname(slave))
    try:
        with pytest.raises(TransportError, match=r"is used by .*stop that"):
            SerialTransport(os.ttyname(slave))
    finally:
        held.close()
        os.close(slave)
        os.close(master)
