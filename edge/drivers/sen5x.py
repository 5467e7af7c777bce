"""Sensirion SEN50, SEN54 and SEN55 on I2C: particulate matter, and with SEN54 and SEN55 humidity and temperature.

Commands, timings and conversions are those of Sensirion's package `sensirion-i2c-sen5x`. Particulate values settle
within 30 s of the start.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from edge.drivers._i2c import Bus, BusNumber, LinuxBus, ask
from edge.drivers._noise import Noise
from edge.drivers._sensirion import framed, unframed
from edge.drivers._vendor import vendor
from edge.ports import Driver, Measurement, SensorError

ADDRESS = 0x69
POLL_S = 0.25
POLLS = 10
"""Longer than the second between two measurements."""
WORDS = 8
"""Of the command read_measured_values: PM1, PM2.5, PM4, PM10, humidity, temperature, VOC and NOx index."""
UNKNOWN_PM, UNKNOWN = 0xFFFF, 0x7FFF

TWIN_STEP_S = 600


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where it is connected.

    Attributes:
        bus: N of /dev/i2c-N; the pin SEL of the instrument is connected to ground.

    Example:
        bus = 1
    """

    bus: BusNumber = 1


def decode(frame: bytes) -> list[Measurement]:
    """The 24 bytes of the command read_measured_values; what the model does not measure is left out.

    Raises:
        SensorError: the frame is not whole.
    """
    unframed(frame, WORDS)
    values = vendor("sensirion_i2c_sen5x.commands").Sen5xI2cCmdReadMeasuredValues().interpret_response(frame)
    measured = (
        ("pm2_5", values.mass_concentration_2p5, values.mass_concentration_2p5.physical),
        ("pm10", values.mass_concentration_10p0, values.mass_concentration_10p0.physical),
        ("humidity", values.ambient_humidity, values.ambient_humidity.percent_rh),
        ("temperature", values.ambient_temperature, values.ambient_temperature.degrees_celsius),
    )
    return [Measurement(quantity, value) for quantity, response, value in measured if response.available]


class Sen5x:
    """A Sensor that measures all the time and is asked for its newest value."""

    def __init__(self, _config: Config, bus: Bus) -> None:
        """Reset it and begin measuring; takes 0.3 s. Raises SensorError."""
        self._bus = bus
        self._commands = vendor("sensirion_i2c_sen5x.commands")
        self._start()

    def read(self) -> Sequence[Measurement]:
        """The newest measurement; waits up to 2.5 s for it. Raises SensorError and begins anew when none comes."""
        for _ in range(POLLS):
            if unframed(self._ask(self._commands.Sen5xI2cCmdReadDataReady()), 1)[1]:
                measured = decode(self._ask(self._commands.Sen5xI2cCmdReadMeasuredValues()))
                if measured:
                    return measured
            self._bus.pause(POLL_S)
        self._start()
        raise SensorError("SEN5x gave no measurement in 2.5 s; measuring was started again, check its 5 V supply")

    def close(self) -> None:
        """Give the bus back; the instrument goes on measuring."""
        self._bus.close()

    def _start(self) -> None:
        self._ask(self._commands.Sen5xI2cCmdDeviceReset())
        self._ask(self._commands.Sen5xI2cCmdStartMeasurement())

    def _ask(self, command: Any) -> bytes:
        delay_s = max(command.read_delay, command.post_processing_time)
        return ask(self._bus, ADDRESS, bytes(command.tx_data), command.rx_length or 0, delay_s)


class SimulatedBus:
    """A SEN54 on a bus of its own: takes commands, answers in checksummed words of made-up air."""

    def __init__(self, seed: int) -> None:
        """Begin a course that `seed` repeats, idle as after power-on."""
        self._air = [Noise(quantity, seed) for quantity in ("pm2_5", "pm10", "humidity", "temperature")]
        self._now_s = 0
        self._measuring = False
        self._answer = b""

    def transfer(self, address: int, out: bytes, length: int = 0) -> bytes:
        if address != ADDRESS:
            raise SensorError(f"no answer from address 0x{address:02x} on the simulated bus")
        match out.hex():
            case "":
                return self._answer[:length]
            case "d304":
                self._measuring = False
            case "0021":
                self._measuring = True
            case "0202":
                self._answer = framed(bytes((0, self._measuring)))
            case "03c4":
                self._answer = framed(self._measure())
            case _:
                raise SensorError(f"the simulated SEN54 refuses {out.hex()}")
        return b""

    def pause(self, seconds: float) -> None:
        """Simulated devices need no time."""

    def close(self) -> None:
        """Nothing to give back."""

    def _measure(self) -> bytes:
        self._now_s += TWIN_STEP_S
        fine, coarse, humidity, temperature = (air.at(self._now_s) for air in self._air)
        coarse = max(fine, coarse)
        pm = (round(10 * value) for value in (fine * 0.8, fine, (fine + coarse) / 2, coarse))
        return struct.pack(">HHHHhhHH", *pm, round(100 * humidity), round(200 * temperature), 1000, UNKNOWN)


DRIVER = Driver(
    summary="Sensirion SEN50, SEN54 or SEN55 on I2C",
    config=Config,
    open=lambda config: Sen5x(config, LinuxBus(config.bus)),
    simulated=lambda config, seed: Sen5x(config, SimulatedBus(seed)),
    measures=("pm2_5", "pm10", "humidity", "temperature"),
)
