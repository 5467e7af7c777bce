"""Sensirion SCD40 and SCD41 on I2C: CO2, temperature and humidity, a new value every 5 s.

Commands, timings and conversions are those of Sensirion's package `sensirion-i2c-scd4x`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from edge.drivers._i2c import Bus, BusNumber, LinuxBus, ask
from edge.drivers._noise import Noise
from edge.drivers._sensirion import crc8, framed, unframed
from edge.drivers._vendor import vendor
from edge.ports import Driver, Measurement, SensorError

ADDRESS = 0x62
READY = 0x07FF
"""A measurement is ready when any of these bits is set."""
POLL_S = 0.5
POLLS = 13
"""Longer than the 5 s between two measurements."""

TWIN_STEP_S = 600


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where it is connected, and how high it hangs.

    Attributes:
        bus: N of /dev/i2c-N.
        altitude_m: metres above sea level; CO2 reads about 1 % low for every 85 m that it does not know of.

    Example:
        bus = 1
        altitude_m = 30
    """

    bus: BusNumber = 1
    altitude_m: Annotated[int, Meta(ge=0, le=3000)] = 0


def decode(frame: bytes) -> list[Measurement]:
    """The 9 bytes of the command read_measurement, to the instrument's resolution.

    Raises:
        SensorError: the frame is not whole.
    """
    commands, signals = vendor("sensirion_i2c_scd4x.commands"), vendor("sensirion_i2c_scd4x.result_types")
    co2, temperature, humidity = commands.ReadMeasurementRaw.rx.unpack(unframed(frame, 3))
    climate = [
        Measurement("temperature", round(signals.SignalTemperature(temperature).value, 2)),
        Measurement("humidity", round(signals.SignalRelativeHumidity(humidity).value, 2)),
    ]
    return [Measurement("co2", float(co2)), *climate] if co2 else climate


class Scd41:
    """A Sensor that measures all the time and is asked for its newest value."""

    def __init__(self, config: Config, bus: Bus) -> None:
        """Begin measuring; takes 0.5 s. Raises SensorError."""
        self._bus, self._altitude_m = bus, config.altitude_m
        self._commands = vendor("sensirion_i2c_scd4x.commands")
        self._start()

    def read(self) -> Sequence[Measurement]:
        """The newest measurement; waits up to 6.5 s for it. Raises SensorError and begins anew when none comes."""
        for _ in range(POLLS):
            ready = unframed(self._ask(self._commands.GetDataReadyStatusRaw()), 1)
            if int.from_bytes(ready, "big") & READY:
                return decode(self._ask(self._commands.ReadMeasurementRaw()))
            self._bus.pause(POLL_S)
        self._start()
        raise SensorError("SCD41 gave no measurement in 6.5 s; measuring was started again, check its power supply")

    def close(self) -> None:
        """Give the bus back; the instrument goes on measuring."""
        self._bus.close()

    def _start(self) -> None:
        self._ask(self._commands.StopPeriodicMeasurement())
        self._ask(self._commands.SetSensorAltitude(self._altitude_m))
        self._ask(self._commands.StartPeriodicMeasurement())

    def _ask(self, transfer: Any) -> bytes:
        packed = bytes(transfer.pack())
        width = transfer.command_width
        length = transfer.rx_data.rx_length // 2 * 3 if transfer.rx_data else 0
        return ask(self._bus, ADDRESS, packed[:width] + framed(packed[width:]), length, transfer.device_busy_delay)


class SimulatedBus:
    """An SCD41 on a bus of its own: takes commands, answers in checksummed words of made-up air."""

    def __init__(self, seed: int) -> None:
        """Begin a course that `seed` repeats, idle as after power-on."""
        self._air = [Noise(quantity, seed) for quantity in ("co2", "temperature", "humidity")]
        self._now_s = 0
        self._measuring = False
        self._answer = b""

    def transfer(self, address: int, out: bytes, length: int = 0) -> bytes:
        if address != ADDRESS:
            raise SensorError(f"no answer from address 0x{address:02x} on the simulated bus")
        if out:
            self._take(out[:2], out[2:])
        return self._answer[:length]

    def pause(self, seconds: float) -> None:
        """Simulated devices need no time."""

    def close(self) -> None:
        """Nothing to give back."""

    def _take(self, command: bytes, argument: bytes) -> None:
        match command.hex():
            case "3f86":
                self._measuring = False
            case "2427" if crc8(argument[:2]) == argument[2] and not self._measuring:
                self._answer = b""
            case "21b1":
                self._measuring = True
            case "e4b8":
                self._answer = framed((0x8006 if self._measuring else 0x8000).to_bytes(2, "big"))
            case "ec05" if self._measuring:
                self._answer = framed(self._measure())
            case _:
                raise SensorError(f"the simulated SCD41 refuses {command.hex()} {argument.hex()}")

    def _measure(self) -> bytes:
        self._now_s += TWIN_STEP_S
        co2, temperature, humidity = (air.at(self._now_s) for air in self._air)
        return struct.pack(">HHH", round(co2), round((temperature + 45) * 65535 / 175), round(humidity * 65535 / 100))


DRIVER = Driver(
    summary="Sensirion SCD40 or SCD41 on I2C",
    config=Config,
    open=lambda config: Scd41(config, LinuxBus(config.bus)),
    simulated=lambda config, seed: Scd41(config, SimulatedBus(seed)),
    measures=("co2", "temperature", "humidity"),
)
