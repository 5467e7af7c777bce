"""The receiver: whole, byte by byte, with garbage before, between and after; and two million bytes of noise."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from firmware_bridge.wire import cobs
from firmware_bridge.wire.frame import MAX_CODED
from firmware_bridge.wire.messages import Log, Message, Press, Probe, Reading, Who, frame_of
from firmware_bridge.wire.receiver import Received, Receiver
from tests.unit.firmware_bridge.test_coding import bitwise

STREAM: list[tuple[Message, int]] = [
    (Press(12, 3, 305419896, 7, 100000), 41),
    (Who(), 0),
    (Log(0, 3, "x" * 56), 0),
    (Reading(1000, 0, 1, 0, -2, -1234), 0),
    (Probe(0), 0),
]
FRAMES = [frame_of(message, seq=seq) for message, seq in STREAM]
EXPECTED = [Received(message, seq) for message, seq in STREAM]
GARBAGE = {
    "zeros": b"\0\0\0",
    "text": b"ATZ\r\nOK\r\n\0",
    "half a frame": FRAMES[0][:9] + b"\0",
    "the end of a frame": FRAMES[0][9:],
    "endless": b"\xff" * 5000 + b"\0",
    "a long run and noise": b"\x05" * 71 + b"\0\x01\0\x02\0",
}
whatever = pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)


def good(receiver: Receiver, data: bytes, size: int = 0) -> list[Received]:
    pieces = [data[at : at + size] for at in range(0, len(data), size)] if size else [data]
    return [result for piece in pieces for result in receiver.feed(piece) if isinstance(result, Received)]


@pytest.mark.parametrize("size", [0, 1, 2, 7, 72])
def test_frames_are_read_in_pieces_of_any_size(size: int) -> None:
    assert good(Receiver(), b"".join(FRAMES), size) == EXPECTED


@pytest.mark.parametrize("size", [0, 1])
@whatever
def test_every_frame_is_read_with_garbage_before_between_and_after(garbage: bytes, size: int) -> None:
    receiver = Receiver()

    assert good(receiver, garbage + garbage.join(FRAMES) + garbage, size) == EXPECTED
    assert receiver.good == len(FRAMES)


@whatever
def test_garbage_without_a_delimiter_costs_one_frame_at_most(garbage: bytes) -> None:
    assert good(Receiver(), garbage.rstrip(b"\0") + b"".join(FRAMES)) in (EXPECTED, EXPECTED[1:])


def test_faults_are_counted_by_their_reason() -> None:
    receiver = Receiver()
    receiver.feed(b"\x09abc\0" + b"x" * 100 + b"\0" + b"\x02a\0" + frame_of(Who(), address=9) + b"\0\0")

    assert receiver.faults == {"cobs": 1, "overrun": 1, "length": 1, "address": 1}


def test_what_is_held_is_bounded_by_one_frame_however_much_comes() -> None:
    receiver = Receiver()
    for _ in range(1000):
        receiver.feed(b"\x11" * 1000)

    assert receiver.pending == MAX_CODED


@settings(max_examples=300, derandomize=True)
@given(st.data())
def test_a_corrupted_frame_is_never_accepted_as_another(data: st.DataObject) -> None:
    """Collisions are excluded: pieces that a second CRC, bit by bit, finds good too."""
    stream = bytearray(b"".join(FRAMES))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(stream) - 1))
        match data.draw(st.sampled_from(["flip", "drop", "insert"])):
            case "flip":
                stream[at] ^= data.draw(st.integers(1, 255))
            case "drop":
                del stream[at]
            case _:
                stream.insert(at, data.draw(st.integers(0, 255)))
    originals = {frame[:-1] for frame in FRAMES}
    for piece in bytes(stream).split(b"\0"):
        if piece not in originals:
            assume(not collides(piece))

    assert set(good(Receiver(), bytes(stream))) <= set(EXPECTED)


def collides(piece: bytes) -> bool:
    try:
        body = cobs.decode(piece)
    except cobs.Malformed:
        return False
    return len(body) >= 6 and bitwise(body[:-2]) == int.from_bytes(body[-2:], "little")


@pytest.mark.parametrize(
    "alphabet", [range(256), range(6), (0, *range(20, 30))], ids=["noise", "small", "frames' size"]
)
def test_two_million_bytes_of_noise_neither_hang_nor_crash_nor_hold_up_the_next_frame(alphabet: list[int]) -> None:
    rng = random.Random(5)
    receiver = Receiver()
    began_s = time.process_time()
    bodies = accepted = 0
    for _ in range(200):
        noise = bytes(rng.choices(alphabet, k=10_000))
        found = receiver.feed(noise)
        bodies += len(found)
        accepted += sum(isinstance(result, Received) for result in found)
        assert good(receiver, b"\0" + FRAMES[0]) == [EXPECTED[0]]
        assert receiver.pending <= MAX_CODED

    assert bodies > 1000
    assert accepted <= bodies / 65536 * 8 + 1, "no more noise is accepted than the CRC lets through by chance"
    assert time.process_time() - began_s < 30
