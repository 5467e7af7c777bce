"""Stuffing, CRC and fields, by properties and against a second way of computing them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.wire import cobs, crc
from firmware_bridge.wire.frame import BadFrame, Frame
from firmware_bridge.wire.messages import BadMessage, Configure, Hello, Log, Press, SetOutputs, Show


def bitwise(data: bytes) -> int:
    """The CRC, bit by bit, unreflected register and reflected bytes."""
    register = 0xFFFF
    for byte in data:
        register ^= int(f"{byte:08b}"[::-1], 2) << 8
        for _ in range(8):
            register = (register << 1 ^ (0x1021 if register & 0x8000 else 0)) & 0xFFFF
    return int(f"{register:016b}"[::-1], 2) ^ 0xFFFF


def avr(data: bytes) -> int:
    """As avr-libc's manual writes `_crc_ccitt_update` in C."""
    register = 0xFFFF
    for byte in data:
        mixed = byte ^ register & 0xFF
        mixed = (mixed ^ mixed << 4) & 0xFF
        register = ((mixed << 8 | register >> 8) ^ (mixed >> 4) ^ (mixed << 3)) & 0xFFFF
    return register ^ 0xFFFF


@given(st.binary(max_size=600))
def test_what_was_stuffed_is_unstuffed_and_has_no_zero(data: bytes) -> None:
    coded = cobs.encode(data)

    assert 0 not in coded
    assert len(coded) <= len(data) + 1 + len(data) // 254
    assert cobs.decode(coded) == data


@pytest.mark.parametrize("length", [253, 254, 255, 508, 509])
@pytest.mark.parametrize("end", [b"", b"\0", b"x"])
def test_runs_at_the_edge_of_a_code_byte_are_stuffed_as_in_the_paper(length: int, end: bytes) -> None:
    assert cobs.decode(cobs.encode(b"y" * length + end)) == b"y" * length + end


def test_the_papers_example_of_a_run_of_254_needs_no_byte_behind_it() -> None:
    assert cobs.encode(b"y" * 254) == b"\xff" + b"y" * 254


@given(st.binary(max_size=80))
def test_whatever_is_unstuffed_raises_malformed_and_nothing_else(coded: bytes) -> None:
    try:
        data = cobs.decode(coded)
    except cobs.Malformed:
        return
    assert len(data) <= len(coded)


@given(st.binary(max_size=80))
def test_the_crc_is_that_of_two_other_ways_to_compute_it(data: bytes) -> None:
    assert crc.crc16(data) == bitwise(data) == avr(data)
    assert crc.register(data + crc.crc16(data).to_bytes(2, "little")) == crc.RESIDUE


def test_the_crcs_check_value_is_that_of_the_catalogue() -> None:
    assert crc.crc16(b"123456789") == 0x906E


@given(st.binary(max_size=64), st.integers(0, 255), st.integers(0, 65535), st.integers(0, 255))
def test_a_frame_is_read_as_it_was_written(payload: bytes, kind: int, seq: int, address: int) -> None:
    frame = Frame(kind, seq, payload, address)

    assert Frame.from_bytes(frame.to_bytes()[:-1]) == frame


@given(st.binary(min_size=13, max_size=13), st.data())
def test_each_error_of_up_to_three_bits_in_a_frame_is_found(payload: bytes, data: st.DataObject) -> None:
    body = cobs.decode(Frame(2, 1, payload).to_bytes()[:-1])
    turned = data.draw(st.sets(st.integers(0, len(body) * 8 - 1), min_size=1, max_size=3))
    wrong = bytearray(body)
    for bit in turned:
        wrong[bit // 8] ^= 1 << bit % 8

    with pytest.raises(BadFrame, match="crc"):
        Frame.from_bytes(cobs.encode(bytes(wrong)))


def test_a_payload_too_long_for_a_frame_is_the_callers_error() -> None:
    with pytest.raises(ValueError, match="65 bytes; a frame takes 64"):
        Frame(1, 0, bytes(65)).to_bytes()


@pytest.mark.parametrize(
    "message",
    [
        Show(0, "seventeen letters"),
        Show(0, "ä"),
        Show(2, "A"),
        SetOutputs(0x10000),
        Press(0, 16, 0, 0, 0),
        Press(0, 0, -1, 0, 0),
        Log(0, 4, ""),
        Configure(1, 51),
        Configure(9, 1),
        Hello(1, 1, bytes(8), (1, 0, 0), 1, 0, 1, 1, 0, 0, 8, 8, 4, 0, 16, 0),
    ],
    ids=repr,
)
def test_a_message_with_a_field_out_of_range_is_not_written(message: object) -> None:
    with pytest.raises(BadMessage):
        message.to_bytes()  # type: ignore[attr-defined]


def test_a_hello_of_a_later_version_may_be_longer() -> None:
    hello = Hello(2, 1, b"12345678", (2, 0, 0), 1, 0, 1, 1, 0, 0, 8, 8, 4, 0, 16, 0)

    assert Hello.from_bytes(hello.to_bytes() + b"more") == hello
