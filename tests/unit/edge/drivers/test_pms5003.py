"""PMS5003: a stream of bytes -> frames -> measurements."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.drivers.pms5003 import LENGTH, START, Pms5003, SimulatedPort, decode, first_frame
from edge.ports import Measurement, SensorError

CAPTURED = bytes.fromhex("424d001c 0005000d0016 0005000d0016 02fd00fc001d000f00060006 9700 03c5")
"""A frame as an instrument sent it: 13 and 22 ug/m3."""


class Port:
    """A port from which these bytes come, at most so many at once."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks, self.dropped, self.closed = list(chunks), 0, False

    def read(self, length: int) -> bytes:
        if not self.chunks:
            return b""
        chunk = self.chunks.pop(0)
        if chunk[length:]:
            self.chunks.insert(0, chunk[length:])
        return chunk[:length]

    def drop(self) -> None:
        self.dropped += 1

    def close(self) -> None:
        self.closed = True


def test_the_atmospheric_concentrations_of_a_captured_frame_are_read() -> None:
    assert decode(CAPTURED) == [Measurement("pm2_5", 13.0), Measurement("pm10", 22.0)]


@pytest.mark.parametrize("position", range(LENGTH))
def test_a_flipped_bit_anywhere_is_no_reading(position: int) -> None:
    broken = bytearray(CAPTURED)
    broken[position] ^= 0x04

    with pytest.raises(SensorError, match=r"no frame|sum was wrong"):
        decode(bytes(broken))


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=80).filter(lambda noise: START not in noise), st.binary(max_size=40))
def test_a_frame_is_found_after_any_garbage(noise: bytes, tail: bytes) -> None:
    if noise.endswith(START[:1]):
        noise += b"\x00"

    assert first_frame(noise + CAPTURED + tail) == (CAPTURED, tail)


def test_a_frame_inside_a_broken_one_is_found() -> None:
    assert first_frame(CAPTURED[:20] + CAPTURED) == (CAPTURED, b"")


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_no_garbage_is_taken_for_a_frame_and_what_is_kept_is_bounded(noise: bytes) -> None:
    frame, rest = first_frame(noise)

    assert frame is None or decode(frame)
    assert len(rest) < LENGTH or frame is not None


@pytest.mark.parametrize("size", [1, 2, 7, 31])
def test_a_frame_that_comes_in_pieces_is_put_together(size: int) -> None:
    stream = b"\x42\x00" + CAPTURED
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    frame, data = None, b""
    for piece in pieces:
        frame, data = first_frame(data + piece)

    assert frame == CAPTURED


def test_a_reading_forgets_what_came_before_it_and_finds_the_next_frame() -> None:
    port = Port(CAPTURED[7:] + CAPTURED)
    sensor = Pms5003(port)

    assert sensor.read()[0] == Measurement("pm2_5", 13.0)
    assert port.dropped == 1
    sensor.close()
    assert port.closed


def test_a_silent_instrument_is_said_to_be_silent() -> None:
    with pytest.raises(SensorError, match="sends nothing for 4 s"):
        Pms5003(Port()).read()


def test_an_instrument_that_babbles_is_given_up() -> None:
    with pytest.raises(SensorError, match="no whole frame"):
        Pms5003(Port(b"\x42\x4d" * 1000)).read()


def test_the_twin_is_listened_to_from_the_middle_of_a_frame_on() -> None:
    port = SimulatedPort(1)
    port.drop()

    assert port.read(12) != START + b"\x00\x1c"
    assert len(Pms5003(SimulatedPort(1)).read()) == 2
