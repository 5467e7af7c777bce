"""SCD41: frames -> measurements."""

from __future__ import annotations

import pytest
from sensirion_driver_adapters.i2c_adapter.i2c_channel import I2cChannel
from sensirion_i2c_driver import CrcCalculator, I2cConnection
from sensirion_i2c_scd4x.device import Scd4xDevice

from edge.drivers._sensirion import crc8, framed
from edge.drivers.scd41 import ADDRESS, Config, Scd41, SimulatedBus, decode
from edge.ports import Measurement, SensorError

EXAMPLE = bytes.fromhex("01f433 6667a2 5eb93c")
"""The response to read_measurement in Sensirion's SCD4x datasheet, section 3.6.2: 500 ppm, 25 Cel, 37 %RH."""


class Recording:
    """A twin's bus that keeps the commands it is given, and can be silenced."""

    def __init__(self) -> None:
        self.bus, self.commands, self.ready, self.paused_s = SimulatedBus(1), list[str](), True, 0.0

    def transfer(self, address: int, out: bytes, length: int = 0) -> bytes:
        if out:
            self.commands.append(out.hex())
        answer = self.bus.transfer(address, out, length)
        return answer if self.ready or length != 3 else framed(b"\x80\x00")

    def pause(self, seconds: float) -> None:
        self.paused_s += seconds

    def close(self) -> None:
        self.commands.append("close")


def test_the_datasheets_example_is_read() -> None:
    assert decode(EXAMPLE) == [
        Measurement("co2", 500.0),
        Measurement("temperature", 25.0),
        Measurement("humidity", 37.0),
    ]


def test_the_checksum_is_that_of_the_datasheets_example() -> None:
    assert crc8(b"\xbe\xef") == 0x92


@pytest.mark.parametrize("position", range(9))
def test_a_flipped_bit_anywhere_is_no_reading(position: int) -> None:
    broken = bytearray(EXAMPLE)
    broken[position] ^= 0x10

    with pytest.raises(SensorError, match="checksum"):
        decode(bytes(broken))


@pytest.mark.parametrize("length", [0, 3, 8, 10])
def test_a_frame_of_another_length_is_no_reading(length: int) -> None:
    with pytest.raises(SensorError, match=f"{length} bytes came instead of 9"):
        decode((EXAMPLE * 2)[:length])


def test_no_co2_is_no_value() -> None:
    assert [quantity for quantity, _ in decode(framed(bytes(2)) + EXAMPLE[3:])] == ["temperature", "humidity"]


def test_measuring_is_started_with_the_altitude() -> None:
    wire = Recording()
    Scd41(Config(altitude_m=1000), wire)

    assert wire.commands == ["3f86", "242703e8d4", "21b1"]
    assert wire.paused_s >= 0.5


def test_an_instrument_that_has_nothing_is_started_again() -> None:
    wire = Recording()
    sensor = Scd41(Config(), wire)
    wire.ready = False

    with pytest.raises(SensorError, match=r"no measurement in 6\.5 s; measuring was started again"):
        sensor.read()
    assert wire.commands[-1] == "21b1"

    wire.ready = True
    assert len(sensor.read()) == 3
    sensor.close()
    assert wire.commands[-1] == "close"


def test_the_vendors_own_driver_reads_the_twin() -> None:
    wire = SimulatedBus(5)
    device = Scd4xDevice(I2cChannel(I2cConnection(_Transceiver(wire)), ADDRESS, CrcCalculator(8, 0x31, 0xFF)))
    device.start_periodic_measurement()
    co2, temperature, humidity = device.read_measurement()

    ours = dict(Scd41(Config(), SimulatedBus(5)).read())

    assert device.get_data_ready_status()
    assert (co2.value, round(temperature.value, 2), round(humidity.value, 2)) == tuple(ours.values())


class _Transceiver:
    """A bus as Sensirion's drivers want it."""

    API_VERSION = 1
    description, channel_count = "a twin", None

    def __init__(self, bus: SimulatedBus) -> None:
        self._bus = bus

    def transceive(
        self, slave_address: int, tx_data: bytes | None, rx_length: int | None, read_delay: float, timeout: float
    ) -> tuple[int, None, bytes]:
        if tx_data is not None:
            self._bus.transfer(slave_address, tx_data)
        return 0, None, self._bus.transfer(slave_address, b"", rx_length) if rx_length else b""
