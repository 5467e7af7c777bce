"""SEN5x: frames -> measurements."""

from __future__ import annotations

import struct

import pytest

from edge.drivers._sensirion import framed
from edge.drivers.sen5x import ADDRESS, Config, Sen5x, SimulatedBus, decode
from edge.ports import Measurement, SensorError


def frame(*words: int) -> bytes:
    """A response of eight words: PM1, PM2.5, PM4, PM10 (x10), humidity (x100), temperature (x200), VOC, NOx (x10)."""
    return framed(struct.pack(">HHHHhhhh", *words))


class Wire:
    """A bus that answers as it is told: data-ready flags first, then frames."""

    def __init__(self, ready: bool, answer: bytes) -> None:
        self.ready, self.answer, self.commands, self._last = ready, answer, list[str](), ""

    def transfer(self, address: int, out: bytes, length: int = 0) -> bytes:
        assert address == ADDRESS
        if out:
            self._last = out.hex()
            self.commands.append(self._last)
            return b""
        return framed(bytes((0, self.ready))) if self._last == "0202" else self.answer

    def pause(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        self.commands.append("close")


def test_values_are_scaled_as_the_datasheet_says() -> None:
    assert decode(frame(80, 123, 150, 456, 5530, 4710, 1000, 10)) == [
        Measurement("pm2_5", 12.3),
        Measurement("pm10", 45.6),
        Measurement("humidity", 55.3),
        Measurement("temperature", 23.55),
    ]


def test_a_temperature_below_zero_is_signed() -> None:
    assert dict(decode(frame(1, 1, 1, 1, 9000, -1900, 0, 0)))["temperature"] == -9.5


def test_what_a_sen50_does_not_measure_is_left_out() -> None:
    unknown = 0x7FFF

    assert [quantity for quantity, _ in decode(frame(1, 2, 3, 4, unknown, unknown, unknown, unknown))] == [
        "pm2_5",
        "pm10",
    ]


def test_before_the_first_second_nothing_is_known() -> None:
    assert decode(frame(0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0x7FFF, 0x7FFF, 0x7FFF, 0x7FFF)) == []


@pytest.mark.parametrize("position", range(24))
def test_a_flipped_bit_anywhere_is_no_reading(position: int) -> None:
    broken = bytearray(frame(80, 123, 150, 456, 5530, 4710, 1000, 10))
    broken[position] ^= 0x01

    with pytest.raises(SensorError, match="checksum"):
        decode(bytes(broken))


def test_a_short_frame_is_no_reading() -> None:
    with pytest.raises(SensorError, match="23 bytes came instead of 24"):
        decode(frame(80, 123, 150, 456, 5530, 4710, 1000, 10)[:23])


def test_it_is_reset_and_started_and_read() -> None:
    wire = Wire(ready=True, answer=frame(80, 123, 150, 456, 5530, 4710, 1000, 10))
    sensor = Sen5x(Config(), wire)
    measured = sensor.read()
    sensor.close()

    assert wire.commands == ["d304", "0021", "0202", "03c4", "close"]
    assert measured[0] == Measurement("pm2_5", 12.3)


@pytest.mark.parametrize(
    "wire",
    [
        Wire(ready=False, answer=b""),
        Wire(ready=True, answer=frame(0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0x7FFF, 0x7FFF, 0x7FFF, 0x7FFF)),
    ],
    ids=["never ready", "nothing known"],
)
def test_an_instrument_that_has_nothing_is_started_again(wire: Wire) -> None:
    sensor = Sen5x(Config(), wire)

    with pytest.raises(SensorError, match=r"no measurement in 2\.5 s; measuring was started again"):
        sensor.read()

    assert wire.commands[-2:] == ["d304", "0021"]


def test_the_twin_measures_only_when_it_was_started() -> None:
    bus = SimulatedBus(1)
    bus.transfer(ADDRESS, bytes.fromhex("0202"))
    assert bus.transfer(ADDRESS, b"", 3)[1] == 0

    bus.transfer(ADDRESS, bytes.fromhex("0021"))
    bus.transfer(ADDRESS, bytes.fromhex("0202"))
    assert bus.transfer(ADDRESS, b"", 3)[1] == 1
