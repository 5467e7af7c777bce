"""Bosch BME280 on I2C: temperature, humidity and pressure, compensated by the formulas of its datasheet.

Formulas and registers: Bosch Sensortec BST-BME280-DS002, sections 4.2, 5.3 and 5.4 and appendix 8.1 (double precision).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from edge.drivers._i2c import Bus, BusNumber, LinuxBus
from edge.drivers._noise import Noise
from edge.ports import Driver, Measurement, SensorError

CHIP_ID, CHIP = 0xD0, 0x60
CTRL_HUM, STATUS, CTRL_MEAS, DATA = 0xF2, 0xF3, 0xF4, 0xF7
CALIBRATION = ((0x88, 26), (0xE1, 7))
"""Where the calibration stands: (register, bytes), twice."""

OVERSAMPLING_ONCE = 1
FORCED = 1
MEASURING = 0x08
MEASURE_S = 0.010
"""Longest measurement with oversampling 1 takes 9.3 ms (section 9.1)."""
POLLS = 10

SKIPPED_20, SKIPPED_16 = 0x80000, 0x8000
"""What the data registers hold when nothing was measured (section 5.4.7)."""

TWIN_STEP_S = 600


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where it is connected.

    Attributes:
        bus: N of /dev/i2c-N.
        address: 118 (0x76, SDO to ground) or 119 (0x77, SDO to supply).

    Example:
        bus = 1
        address = 0x76
    """

    bus: BusNumber = 1
    address: Literal[0x76, 0x77] = 0x76


class Calibration(NamedTuple):
    """The chip's own coefficients, as table 16 of the datasheet names them."""

    t: tuple[int, ...]
    p: tuple[int, ...]
    h: tuple[int, ...]


def calibration(block: bytes) -> Calibration:
    """The coefficients in the 33 bytes of CALIBRATION. Raises SensorError when they are no calibration."""
    if len(block) != 33 or block[:2] in (b"\x00\x00", b"\xff\xff"):
        raise SensorError("BME280 gave no calibration: check wiring and power")
    words = struct.unpack_from("<HhhHhhhhhhhh", block)
    h2, h3, e4, e5, e6, h6 = struct.unpack_from("<hBbBbb", block, 26)
    return Calibration(words[:3], words[3:], (block[25], h2, h3, e4 * 16 | e5 & 0x0F, e6 * 16 | e5 >> 4, h6))


def decode(by: Calibration, data: bytes) -> list[Measurement]:
    """The 8 bytes from register 0xF7 as measurements, to the chip's resolution.

    Raises:
        SensorError: the chip did not measure.
    """
    if len(data) != 8:
        raise SensorError(f"BME280 gave {len(data)} bytes instead of 8: check wiring")
    raw_p, raw_t = (data[i] << 12 | data[i + 1] << 4 | data[i + 2] >> 4 for i in (0, 3))
    raw_h = data[6] << 8 | data[7]
    if SKIPPED_20 in (raw_p, raw_t) or raw_h == SKIPPED_16:
        raise SensorError("BME280 has not measured: check its power supply")
    fine = _fine(by, raw_t)
    return [
        Measurement("temperature", round(fine / 5120, 2)),
        Measurement("humidity", round(_humidity(by, raw_h, fine), 2)),
        Measurement("pressure", round(_pressure(by, raw_p, fine) / 100, 2)),
    ]


def _fine(by: Calibration, raw: int) -> float:
    t1, t2, t3 = by.t
    return (raw / 16384 - t1 / 1024) * t2 + (raw / 131072 - t1 / 8192) ** 2 * t3


def _pressure(by: Calibration, raw: int, fine: float) -> float:
    """Pascal. Raises SensorError when the calibration would divide by zero."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = by.p
    a = fine / 2 - 64000
    b = (a * a * p6 / 32768 + a * p5 * 2) / 4 + p4 * 65536
    a = (1 + (p3 * a * a / 524288 + p2 * a) / 524288 / 32768) * p1
    if a == 0:
        raise SensorError("BME280 gave no calibration: check wiring and power")
    p = (1048576 - raw - b / 4096) * 6250 / a
    return p + (p9 * p * p / 2147483648 + p * p8 / 32768 + p7) / 16


def _humidity(by: Calibration, raw: int, fine: float) -> float:
    h1, h2, h3, h4, h5, h6 = by.h
    h = fine - 76800
    h = (raw - (h4 * 64 + h5 / 16384 * h)) * (h2 / 65536 * (1 + h6 / 67108864 * h * (1 + h3 / 67108864 * h)))
    return min(100.0, max(0.0, h * (1 - h1 * h / 524288)))


class Bme280:
    """A Sensor that measures once at each reading and sleeps in between."""

    def __init__(self, config: Config, bus: Bus) -> None:
        """Read the chip's id and calibration. Raises SensorError."""
        self._bus, self._address = bus, config.address
        chip = self._registers(CHIP_ID, 1)[0]
        if chip != CHIP:
            bmp = " (a BMP280 measures no humidity)" if chip in (0x56, 0x57, 0x58) else ""
            raise SensorError(f"chip 0x{chip:02x} at address 0x{config.address:02x} is no BME280{bmp}")
        self._calibration = calibration(b"".join(self._registers(*block) for block in CALIBRATION))

    def read(self) -> Sequence[Measurement]:
        """Measure once, about 10 ms. Raises SensorError."""
        self._bus.transfer(self._address, bytes((CTRL_HUM, OVERSAMPLING_ONCE)))
        once = OVERSAMPLING_ONCE << 5 | OVERSAMPLING_ONCE << 2 | FORCED
        self._bus.transfer(self._address, bytes((CTRL_MEAS, once)))
        for _ in range(POLLS):
            self._bus.pause(MEASURE_S)
            if not self._registers(STATUS, 1)[0] & MEASURING:
                return decode(self._calibration, self._registers(DATA, 8))
        raise SensorError("BME280 does not finish its measurement: check its power supply")

    def close(self) -> None:
        """Give the bus back."""
        self._bus.close()

    def _registers(self, first: int, length: int) -> bytes:
        return self._bus.transfer(self._address, bytes((first,)), length)


class SimulatedBus:
    """A BME280 on a bus of its own: its registers, with raw values of made-up air.

    The calibration of temperature and pressure is that of Bosch's worked example (BST-BMP280-DS001, section 3.12).
    """

    BLOCK = bytes.fromhex("706b4367 18fc7d8e 43d6d00b 270b8c00 f9ff8c3c f8c67017 004b 6b0100 132a031e")

    def __init__(self, config: Config, seed: int) -> None:
        """Begin a course that `seed` repeats."""
        self._address = config.address
        self._air = [Noise(quantity, seed) for quantity in ("temperature", "humidity", "pressure")]
        self._calibration = calibration(self.BLOCK)
        self._now_s = 0
        self._memory = bytearray(256)
        self._memory[CHIP_ID] = CHIP
        self._memory[0x88:0xA2], self._memory[0xE1:0xE8] = self.BLOCK[:26], self.BLOCK[26:]

    def transfer(self, address: int, out: bytes, length: int = 0) -> bytes:
        if address != self._address:
            raise SensorError(f"no answer from address 0x{address:02x} on the simulated bus")
        register = out[0]
        if len(out) > 1:
            self._memory[register] = out[1]
            if register == CTRL_MEAS and out[1] & 3 == FORCED:
                self._measure()
        return bytes(self._memory[register : register + length])

    def pause(self, seconds: float) -> None:
        """Simulated devices need no time."""

    def close(self) -> None:
        """Nothing to give back."""

    def _measure(self) -> None:
        self._now_s += TWIN_STEP_S
        t, h, p = (air.at(self._now_s) for air in self._air)
        by = self._calibration
        raw_t = _inverse(lambda raw: _fine(by, raw) / 5120, t, 1 << 20)
        fine = _fine(by, raw_t)
        raw_h = _inverse(lambda raw: _humidity(by, raw, fine), h, 1 << 16)
        raw_p = _inverse(lambda raw: _pressure(by, raw, fine) / 100, p, 1 << 20)
        data = b"".join((raw << 4).to_bytes(3, "big") for raw in (raw_p, raw_t)) + raw_h.to_bytes(2, "big")
        self._memory[DATA : DATA + 8] = data


def _inverse(value: Callable[[int], float], wanted: float, end: int) -> int:
    """The raw number below `end` whose monotonous `value` comes nearest to `wanted`."""
    falling = value(0) > value(end - 1)
    low, high = 0, end - 1
    while low < high:
        middle = (low + high) // 2
        if (value(middle) >= wanted) == falling:
            low = middle + 1
        else:
            high = middle
    return low


DRIVER = Driver(
    summary="Bosch BME280 on I2C",
    config=Config,
    open=lambda config: Bme280(config, LinuxBus(config.bus)),
    simulated=lambda config, seed: Bme280(config, SimulatedBus(config, seed)),
    measures=("temperature", "humidity", "pressure"),
)
