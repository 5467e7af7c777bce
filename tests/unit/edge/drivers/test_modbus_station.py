"""A Modbus station: registers -> measurements, and the bytes on a serial line and over TCP."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from broker.contract.quantities import QUANTITIES
from edge.drivers.modbus_station import DRIVER, FORMATS, Config, Register, decode, encode
from edge.ports import Measurement, SensorError


def register(quantity: str = "temperature", **keys: Any) -> Register:
    return Register(quantity=quantity, **{"address": 0, **keys})


def measured(data: str, **keys: Any) -> float | None:
    measurement = decode(bytes.fromhex(data), register(**keys))
    return measurement.value if measurement else None


def test_types_are_read_high_byte_first() -> None:
    assert measured("ffff", type="int16") == -1
    assert measured("ffff", type="uint16") == 65535
    assert measured("fffffffe", type="int32") == -2
    assert measured("fffffffe", type="uint32") == 4294967294
    assert measured("41c80000", type="float32") == 25.0


def test_the_low_word_can_come_first() -> None:
    assert measured("000041c8", type="float32", word_order="little") == 25.0
    assert measured("0001", type="int16", word_order="big") == 1


def test_the_specifications_example_registers_are_read() -> None:
    """MODBUS Application Protocol V1.1b3, section 6.3: registers 108 to 110 hold 0x022B, 0x0000, 0x0064."""
    response = ["022b", "0000", "0064"]

    assert [measured(word) for word in response] == [555, 0, 100]


def test_scale_offset_and_unit_lead_to_the_contracts_unit() -> None:
    assert measured("00fa", scale=0.1) == 25.0
    assert measured("0082", scale=0.5, offset=-40) == 25.0
    assert measured("00018b4e", quantity="pressure", type="uint32", unit="Pa") == 1011.98
    assert measured("0bb8", quantity="temperature", scale=0.1, unit="K") == 26.85


def test_what_stands_for_not_measured_is_no_value() -> None:
    assert measured("7fff", missing=0x7FFF) is None
    assert measured("7fc00000", type="float32") is None


def test_an_infinite_number_is_an_error_that_names_the_register() -> None:
    with pytest.raises(SensorError, match=r"register 7: inf is no temperature; check type and word_order"):
        measured("7f800000", type="float32", address=7)


@pytest.mark.parametrize(("data", "kind"), [("00", "int16"), ("000000", "int16"), ("0000", "float32")])
def test_too_few_or_too_many_bytes_are_an_error(data: str, kind: str) -> None:
    with pytest.raises(SensorError, match="bytes instead of"):
        measured(data, type=kind)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(FORMATS)), st.sampled_from(["big", "little"]), st.integers(-3000, 3000))
def test_the_twin_encodes_what_decode_reads(kind: str, order: str, tenths: int) -> None:
    one = register(type=kind, word_order=order if "16" not in kind else "big", scale=0.1, offset=-300, unit="Cel")
    measurement = decode(encode(tenths / 10, one), one)

    assert measurement is not None
    assert measurement.value == pytest.approx(tenths / 10, abs=1e-3)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"host": "h"}, "missing required field `registers`"),
        ({"host": "h", "registers": []}, "length >= 1"),
        ({"registers": [{"quantity": "co2", "address": 1}]}, "give either `port`"),
        ({"port": "p", "host": "h", "registers": [{"quantity": "co2", "address": 1}]}, "give either `port`"),
        ({"host": "h", "registers": [{"quantity": "CO2", "address": 1}]}, "'CO2' is no quantity"),
        ({"host": "h", "registers": [{"quantity": "co", "address": 1, "unit": "ppm"}]}, "'ppm' cannot become 'ug/m3'"),
        ({"host": "h", "registers": [{"quantity": "co", "address": 1, "scale": 0}]}, "scale not 0"),
        ({"host": "h", "registers": [{"quantity": "co", "address": 65536}]}, "<= 65535"),
        ({"host": "h", "registers": [{"quantity": "co", "address": 1, "length": 2}]}, "unknown field `length`"),
        ({"host": "h", "registers": [{"quantity": "co", "address": 1}] * 2}, "each quantity once"),
        ({"host": "h", "registers": [{"quantity": "co", "address": 1, "word_order": "little"}]}, "two registers"),
    ],
)
def test_a_configuration_that_cannot_be_right_is_refused_and_named(config: object, complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(config, Config)


REGISTERS = (
    register("temperature", address=10, scale=0.1),
    register("pressure", address=11, type="uint32", unit="Pa"),
    register("wind_speed", address=20, type="float32", table="holding", word_order="little"),
)


@pytest.fixture
def tcp_port() -> Iterator[int]:
    """Pymodbus's own server with a station, on a free port."""
    station = SimDevice(
        id=7,
        simdata=(
            [SimData(0, values=False, datatype=DataType.BITS)],
            [SimData(0, values=False, datatype=DataType.BITS)],
            [SimData(20, values=[0x0000, 0x4060], datatype=DataType.REGISTERS)],
            [SimData(10, values=[0xFFCE, 0x0001, 0x8B4E], datatype=DataType.REGISTERS)],
        ),
    )
    ports: queue.Queue[int] = queue.Queue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        server = ModbusTcpServer(station, address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        ports.put(server.transport.sockets[0].getsockname()[1])
        await stop.wait()
        await server.shutdown()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    yield ports.get(timeout=10)
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def test_a_station_over_tcp_is_read_from_pymodbuss_own_server(tcp_port: int) -> None:
    sensor: Any = DRIVER.open(Config(host="127.0.0.1", tcp_port=tcp_port, device_id=7, registers=REGISTERS))

    assert sensor.read() == [
        Measurement("temperature", -5.0),
        Measurement("pressure", 1011.98),
        Measurement("wind_speed", 3.5),
    ]
    sensor.close()
    assert len(sensor.read()) == 3, "a line that was lost is opened again"
    sensor.close()


def test_a_register_that_the_station_refuses_is_named(tcp_port: int) -> None:
    wrong = (register("co2", address=500),)
    sensor: Any = DRIVER.open(Config(host="127.0.0.1", tcp_port=tcp_port, device_id=7, registers=wrong))

    with pytest.raises(SensorError, match=r"refuses input register 500 .*: check address and table"):
        sensor.read()
    sensor.close()


def test_rtu_frames_on_a_serial_line_are_those_of_the_specification() -> None:
    """Request and response with their CRC-16 as MODBUS over Serial Line V1.02 lays them out."""
    ours, theirs = os.openpty()
    asked: list[bytes] = []

    def station() -> None:
        asked.append(os.read(ours, 64))
        os.write(ours, bytes.fromhex("01 04 02 ff ff b8 80"))

    thread = threading.Thread(target=station)
    thread.start()
    try:
        line = DRIVER.open(Config(port=os.ttyname(theirs), registers=(register(address=1, scale=0.1),), timeout_s=5))
        assert line.read() == [Measurement("temperature", -0.1)]  # type: ignore[union-attr]
        line.close()
    finally:
        thread.join(10)
        os.close(ours)
        os.close(theirs)

    assert asked == [bytes.fromhex("01 04 00 01 00 01 60 0a")]


def test_every_unit_that_can_be_converted_may_be_configured() -> None:
    assert register("temperature", unit="K").unit == "K"
    assert register("temperature", unit=QUANTITIES["temperature"].unit).words == 1
