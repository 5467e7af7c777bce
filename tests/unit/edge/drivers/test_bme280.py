"""BME280: bytes of its registers -> measurements."""

from __future__ import annotations

import random
import warnings

import bme280 as vendors
import pytest

from edge.drivers.bme280 import DRIVER, Bme280, Config, SimulatedBus, calibration, decode
from edge.ports import Measurement, SensorError

EXAMPLE = SimulatedBus.BLOCK
"""dig_T1..T3 and dig_P1..P9 of Bosch's worked example, BST-BMP280-DS001 section 3.12."""


def data(raw_p: int, raw_t: int, raw_h: int) -> bytes:
    """The registers 0xF7 to 0xFE."""
    return (raw_p << 4).to_bytes(3, "big") + (raw_t << 4).to_bytes(3, "big") + raw_h.to_bytes(2, "big")


class Chip:
    """A bus with one chip whose registers say what they are told."""

    def __init__(self, registers: dict[int, bytes]) -> None:
        self.memory = bytearray(256)
        for first, content in registers.items():
            self.memory[first : first + len(content)] = content
        self.closed = False

    def transfer(self, address: int, out: bytes, length: int = 0) -> bytes:
        return bytes(self.memory[out[0] : out[0] + length])

    def pause(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def chip(**changed: bytes) -> Chip:
    registers = {"x88": EXAMPLE[:26], "xE1": EXAMPLE[26:], "xD0": b"\x60", "xF7": data(415148, 519888, 30000)}
    return Chip({int(first[1:], 16): content for first, content in (registers | changed).items()})


def test_temperature_and_pressure_are_those_of_boschs_worked_example() -> None:
    measured = dict(decode(calibration(EXAMPLE), data(415148, 519888, 30000)))

    assert measured["temperature"] == 25.08
    assert measured["pressure"] == 1006.53


def test_calibration_words_are_signed_and_the_two_of_twelve_bits_share_a_byte() -> None:
    by = calibration(EXAMPLE)
    negative = calibration(EXAMPLE[:29] + bytes.fromhex("ec f4 fe 1e"))

    assert by.t == (27504, 26435, -1000)
    assert by.p == (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    assert by.h == (75, 363, 0, 0x132A >> 8 << 4 | 0xA, 0x03 << 4 | 0x2, 30)
    assert negative.h[3:5] == (-0x140 | 0x4, -0x20 | 0xF)


@pytest.mark.parametrize("seed", range(20))
def test_all_three_agree_with_the_package_rpi_bme280(seed: int) -> None:
    rng = random.Random(seed)
    block = data(rng.randrange(250_000, 450_000), rng.randrange(420_000, 560_000), rng.randrange(18_000, 40_000))
    parameters = vendors.load_calibration_params(_SmbusOver(EXAMPLE), 0x76)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package asks for the time in a way that Python 3.12 deprecates
        theirs = vendors.compensated_readings(vendors.uncompensated_readings(block), parameters)

    ours = dict(decode(calibration(EXAMPLE), block))

    assert ours["temperature"] == pytest.approx(theirs.temperature, abs=0.006)
    assert ours["pressure"] == pytest.approx(theirs.pressure, abs=0.006)
    assert ours["humidity"] == pytest.approx(theirs.humidity, abs=0.006)


def test_humidity_stays_within_0_and_100() -> None:
    by = calibration(EXAMPLE)

    assert dict(decode(by, data(415148, 519888, 0)))["humidity"] == 0
    assert dict(decode(by, data(415148, 519888, 0xFFFF)))["humidity"] == 100


@pytest.mark.parametrize("block", [data(0x80000, 519888, 30000), data(415148, 0x80000, 30000), data(1, 1, 0x8000)])
def test_registers_that_say_not_measured_are_no_reading(block: bytes) -> None:
    with pytest.raises(SensorError, match="has not measured"):
        decode(calibration(EXAMPLE), block)


@pytest.mark.parametrize("block", [b"", EXAMPLE[:32], bytes(33), b"\xff" * 33])
def test_a_block_that_is_no_calibration_is_refused(block: bytes) -> None:
    with pytest.raises(SensorError, match="no calibration"):
        calibration(block)


def test_too_few_bytes_are_refused() -> None:
    with pytest.raises(SensorError, match="7 bytes instead of 8"):
        decode(calibration(EXAMPLE), bytes(7))


def test_a_bmp280_is_told_apart() -> None:
    with pytest.raises(SensorError, match=r"chip 0x58 at address 0x76 is no BME280 \(a BMP280 measures no humidity\)"):
        Bme280(Config(), chip(xD0=b"\x58"))


def test_a_measurement_that_never_ends_is_given_up() -> None:
    with pytest.raises(SensorError, match="does not finish"):
        Bme280(Config(), chip(xF3=b"\x08")).read()


def test_a_reading_is_forced_waited_for_and_decoded() -> None:
    bus = chip()
    sensor = Bme280(Config(), bus)

    assert sensor.read()[0] == Measurement("temperature", 25.08)
    sensor.close()
    assert bus.closed


def test_the_twin_answers_at_its_address_alone() -> None:
    with pytest.raises(SensorError, match="0x76"):
        Bme280(Config(address=0x76), SimulatedBus(Config(address=0x77), 1))
    assert DRIVER.simulated(Config(address=0x77), 1)


class _SmbusOver:
    """What the package wants of smbus2, over a calibration."""

    def __init__(self, block: bytes) -> None:
        self._memory = bytearray(256)
        self._memory[0x88:0xA2], self._memory[0xE1:0xE8] = block[:26], block[26:]

    def read_byte_data(self, address: int, register: int) -> int:
        return self._memory[register]

    def read_word_data(self, address: int, register: int) -> int:
        return self._memory[register] | self._memory[register + 1] << 8
