"""A station that speaks Modbus: RTU over a serial line (RS-485), or TCP; what its registers mean is configured.

Registers and their order on the wire: Modbus Application Protocol Specification V1.1b3, sections 4.3, 6.3 and 6.4.
"""

from __future__ import annotations

import contextlib
import logging
import math
import struct
from collections.abc import Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal, Protocol

from msgspec import Meta, Struct

from broker.contract.quantities import CONVERSIONS, QUANTITIES
from edge.drivers._noise import Noise
from edge.drivers._quantities import known
from edge.drivers._uart import SerialPort
from edge.drivers._vendor import vendor
from edge.ports import Driver, Measurement, SensorError

FORMATS = MappingProxyType({"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"})
"""A register's type as Python's struct names it."""

DIGITS = MappingProxyType({"int16": 10, "uint16": 10, "int32": 15, "uint32": 15, "float32": 7})
"""Digits that can carry meaning after scaling."""

TWIN_STEP_S = 600


class Register(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What one register, or two that follow each other, hold.

    Attributes:
        quantity: the quantity of the contract that is measured.
        address: of the first register, counted from 0 (a manual's 40001 or 30001 is 0).
        table: `input` or `holding` registers.
        type: how the bits are read.
        word_order: which half of a value in two registers comes first: `big`, the high one.
        scale: what the raw number is multiplied with.
        offset: what is added then.
        unit: SenML unit of the result; the contract's own when empty.
        missing: the raw number that stands for "not measured".
    """

    quantity: str
    address: Annotated[int, Meta(ge=0, le=65535)]
    table: Literal["input", "holding"] = "input"
    type: Literal["int16", "uint16", "int32", "uint32", "float32"] = "int16"
    word_order: Literal["big", "little"] = "big"
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    missing: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError when quantity or unit are none of the contract."""
        quantity = known(self.quantity)
        if self.unit not in ("", quantity.unit) and (self.unit, quantity.unit) not in CONVERSIONS:
            raise ValueError(f"unit {self.unit[:16]!r} cannot become {quantity.unit!r}, the unit of {self.quantity}")
        if not (math.isfinite(self.scale) and math.isfinite(self.offset)) or self.scale == 0:
            raise ValueError(f"scale and offset of {self.quantity} are finite numbers, scale not 0")
        if self.word_order == "little" and self.words == 1:
            raise ValueError(f"{self.quantity}: word_order is for a value in two registers; {self.type} takes one")

    @property
    def words(self) -> int:
        """How many registers it takes."""
        return struct.calcsize(FORMATS[self.type]) // 2


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How the station is reached and what it measures; give either `port` or `host`.

    Attributes:
        port: device file of the serial line, for RTU.
        baudrate: of the serial line.
        parity: of the serial line: N, E or O.
        stopbits: of the serial line.
        host: name or address of the station, for TCP.
        tcp_port: for TCP.
        device_id: the station's number on the line.
        timeout_s: how long an answer may take.
        registers: what its registers mean, one table each.

    Example:
        port = "/dev/ttyUSB0"
        device_id = 1
        registers = [
            { quantity = "temperature", address = 0, scale = 0.1 },
            { quantity = "pressure", address = 1, type = "uint32", unit = "Pa" },
            { quantity = "wind_speed", address = 3, type = "float32", word_order = "little" },
        ]
    """

    port: str = ""
    baudrate: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 9600
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    host: str = ""
    tcp_port: Annotated[int, Meta(ge=1, le=65535)] = 502
    device_id: Annotated[int, Meta(ge=0, le=247)] = 1
    timeout_s: Annotated[float, Meta(gt=0, le=30)] = 1.0
    registers: Annotated[tuple[Register, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Raises ValueError when it is not clear how the station is reached, or a quantity is there twice."""
        if bool(self.port) == bool(self.host):
            raise ValueError("give either `port` (a serial line) or `host` (TCP)")
        quantities = [register.quantity for register in self.registers]
        if len(set(quantities)) != len(quantities):
            raise ValueError("each quantity once; a second one of a kind is a second sensor in the site file")


def decode(data: bytes, register: Register) -> Measurement | None:
    """A register's 2 or 4 bytes, in the order of the wire, as a measurement; None when they say "not measured".

    Raises:
        SensorError: too few bytes, or no finite number.
    """
    if len(data) != 2 * register.words:
        raise SensorError(f"register {register.address}: {len(data)} bytes instead of {2 * register.words}")
    if register.word_order == "little":
        data = data[2:] + data[:2]
    (raw,) = struct.unpack(FORMATS[register.type], data)
    if raw == register.missing or math.isnan(raw):
        return None
    value = raw * register.scale + register.offset
    stored = QUANTITIES[register.quantity].unit
    factor, shift = CONVERSIONS[register.unit, stored] if register.unit not in ("", stored) else (1.0, 0.0)
    value = value * factor + shift
    if not math.isfinite(value):
        raise SensorError(f"register {register.address}: {raw} is no {register.quantity}; check type and word_order")
    return Measurement(register.quantity, float(f"{value:.{DIGITS[register.type]}g}"))


class Line(Protocol):
    """A connection to one station."""

    def registers(self, table: str, address: int, count: int) -> bytes:
        """`count` registers as they come over the wire, high byte first. Raises SensorError."""
        ...

    def close(self) -> None:
        """Give the line back. Never raises."""
        ...


class ModbusStation:
    """A Sensor that asks for each register in turn."""

    def __init__(self, config: Config, line: Line) -> None:
        """Ask over an open line."""
        self._wanted, self._line = config.registers, line

    def read(self) -> Sequence[Measurement]:
        """All registers that hold a value. Raises SensorError at the first that does not answer."""
        answers = [
            decode(self._line.registers(register.table, register.address, register.words), register)
            for register in self._wanted
        ]
        return [measurement for measurement in answers if measurement is not None]

    def close(self) -> None:
        """Give the line back."""
        self._line.close()


class PymodbusLine:
    """A line by pymodbus, opened again when it was lost."""

    def __init__(self, config: Config) -> None:
        """Connect. Raises SensorError that names the remedy."""
        client = vendor("pymodbus.client")
        self._failure: type[Exception] = vendor("pymodbus.exceptions").ModbusException
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # the agent says it once, pymodbus at each try
        self._device_id = config.device_id
        if config.port:
            self._where = config.port
            SerialPort(config.port, baudrate=config.baudrate, timeout_s=config.timeout_s).close()
            self._client: Any = client.ModbusSerialClient(
                config.port,
                baudrate=config.baudrate,
                parity=config.parity,
                stopbits=config.stopbits,
                timeout=config.timeout_s,
                retries=1,
            )
        else:
            self._where = f"{config.host}:{config.tcp_port}"
            self._client = client.ModbusTcpClient(
                config.host, port=config.tcp_port, timeout=config.timeout_s, retries=1
            )
        self._connect()

    def registers(self, table: str, address: int, count: int) -> bytes:
        self._connect()
        read = self._client.read_input_registers if table == "input" else self._client.read_holding_registers
        try:
            answer = read(address, count=count, device_id=self._device_id)
        except (self._failure, OSError) as error:
            self.close()
            raise SensorError(
                f"no answer from device {self._device_id} at {self._where}: check wiring (A and B), "
                "device_id, baudrate and parity"
            ) from error
        if answer.isError():
            raise SensorError(
                f"device {self._device_id} at {self._where} refuses {table} register {address} "
                f"(exception {answer.exception_code}): check address and table"
            )
        return struct.pack(f">{count}H", *answer.registers[:count])

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._client.close()

    def _connect(self) -> None:
        if not self._client.connected and not self._client.connect():
            raise SensorError(f"no Modbus station at {self._where}: check the address, the cable and that it is on")


class SimulatedLine:
    """A station of its own: registers filled with made-up weather, as the configuration says they are."""

    def __init__(self, config: Config, seed: int) -> None:
        """Begin a course that `seed` repeats."""
        self._layout: dict[tuple[str, int], Register] = {
            (wanted.table, wanted.address): wanted for wanted in config.registers
        }
        self._courses = {register.quantity: Noise(register.quantity, seed) for register in config.registers}
        self._steps = dict.fromkeys(self._courses, 0)

    def registers(self, table: str, address: int, count: int) -> bytes:
        register = self._layout.get((table, address))
        if register is None or register.words != count:
            raise SensorError(f"the simulated station has no {count} {table} registers at {address}")
        self._steps[register.quantity] += TWIN_STEP_S
        return encode(self._courses[register.quantity].at(self._steps[register.quantity]), register)

    def close(self) -> None:
        """Nothing to give back."""


def encode(value: float, register: Register) -> bytes:
    """The opposite of `decode`, as near as the register's type can hold it."""
    stored = QUANTITIES[register.quantity].unit
    factor, shift = CONVERSIONS[register.unit, stored] if register.unit not in ("", stored) else (1.0, 0.0)
    raw = ((value - shift) / factor - register.offset) / register.scale
    format_ = FORMATS[register.type]
    if register.type != "float32":
        bits = 8 * struct.calcsize(format_)
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if register.type.startswith("int") else (0, (1 << bits) - 1)
        raw = min(high, max(low, round(raw)))
    data = struct.pack(format_, raw)
    return data[2:] + data[:2] if register.word_order == "little" else data


DRIVER = Driver(
    summary="A station that speaks Modbus RTU or TCP",
    config=Config,
    open=lambda config: ModbusStation(config, PymodbusLine(config)),
    simulated=lambda config, seed: ModbusStation(config, SimulatedLine(config, seed)),
    measures=(),
)
