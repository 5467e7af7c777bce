"""The two wires of the drivers, over the vendors' libraries."""

from __future__ import annotations

import errno
import os
import sys
import types
from collections.abc import Iterator

import pytest

from edge.drivers._i2c import LinuxBus, ask
from edge.drivers._uart import SerialPort
from edge.ports import SensorError


class Kernel:
    """What smbus2 is to LinuxBus: messages that are carried out, or the error that comes instead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.carried: list[tuple[str, int, bytes]] = []
        self.fails: OSError | None = None
        self.closed = 0
        library = types.ModuleType("smbus2")
        library.SMBus = self.open  # type: ignore[attr-defined]
        library.i2c_msg = types.SimpleNamespace(  # type: ignore[attr-defined]
            write=lambda address, out: ("write", address, bytes(out)),
            read=_Read,
        )
        monkeypatch.setitem(sys.modules, "smbus2", library)

    def open(self, number: int) -> Kernel:
        self._fail()
        return self

    def i2c_rdwr(self, *messages: object) -> None:
        self._fail()
        for message in messages:
            self.carried.append(message.asked() if isinstance(message, _Read) else message)  # type: ignore[arg-type]

    def close(self) -> None:
        self.closed += 1
        self._fail()

    def _fail(self) -> None:
        if self.fails:
            raise self.fails


class _Read:
    def __init__(self, address: int, length: int) -> None:
        self._address, self._length = address, length

    def asked(self) -> tuple[str, int, bytes]:
        return "read", self._address, bytes(self._length)

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, self._length + 1))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def test_a_write_and_a_read_are_one_transfer(kernel: Kernel) -> None:
    assert LinuxBus(1).transfer(0x76, b"\xf7", 3) == b"\x01\x02\x03"
    assert kernel.carried == [("write", 0x76, b"\xf7"), ("read", 0x76, bytes(3))]


def test_a_command_is_written_waited_for_and_answered(kernel: Kernel) -> None:
    assert ask(LinuxBus(1), 0x62, b"\xec\x05", 2, 0.0) == b"\x01\x02"
    assert ask(LinuxBus(1), 0x62, b"\x21\xb1", 0, 0.0) == b""
    assert [kind for kind, _, _ in kernel.carried] == ["write", "read", "write"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOENT, "/dev/i2c-1 is missing: enable I2C"),
        (errno.EACCES, "/dev/i2c-1 may not be opened: add the agent's user to the group i2c"),
        (errno.ENXIO, "/dev/i2c-1 cannot be opened: No such device"),
    ],
)
def test_a_bus_that_cannot_be_opened_has_a_remedy(kernel: Kernel, number: int, remedy: str) -> None:
    kernel.fails = OSError(number, os.strerror(number))

    with pytest.raises(SensorError) as error:
        LinuxBus(1)
    assert str(error.value).startswith(remedy)
    assert len(str(error.value)) <= 200


def test_a_device_that_does_not_answer_is_named_with_its_address(kernel: Kernel) -> None:
    bus = LinuxBus(3)
    kernel.fails = OSError(errno.EREMOTEIO, "Remote I/O error")

    with pytest.raises(SensorError, match=r"no answer from address 0x62 on /dev/i2c-3 .* \(i2cdetect -y 3\)"):
        bus.transfer(0x62, b"\x00")


def test_closing_a_bus_that_is_gone_is_quiet(kernel: Kernel) -> None:
    bus = LinuxBus(1)
    kernel.fails = OSError(errno.EBADF, "Bad file descriptor")
    bus.close()

    assert kernel.closed == 1


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: the instrument's end, and the path of ours."""
    theirs, ours = os.openpty()
    yield theirs, os.ttyname(ours)
    os.close(theirs)
    os.close(ours)


def test_a_serial_port_gives_what_came_after_the_last_drop(line: tuple[int, str]) -> None:
    theirs, path = line
    port = SerialPort(path, baudrate=9600, timeout_s=2)
    os.write(theirs, b"old")
    assert port.read(1) == b"o"
    port.drop()
    os.write(theirs, b"\x42\x4d\x00")

    assert port.read(3) == b"\x42\x4d\x00"
    port.close()
    port.close()


def test_a_silent_serial_port_gives_what_there_is_when_its_time_is_up(line: tuple[int, str]) -> None:
    theirs, path = line
    port = SerialPort(path, baudrate=9600, timeout_s=0.05)
    os.write(theirs, b"half")

    assert port.read(32) == b"half"
    port.close()


def test_a_serial_port_belongs_to_one_sensor(line: tuple[int, str]) -> None:
    port = SerialPort(line[1], baudrate=9600, timeout_s=1)

    with pytest.raises(SensorError, match="is used by another program"):
        SerialPort(line[1], baudrate=9600, timeout_s=1)
    port.close()


def test_a_serial_port_that_is_gone_is_a_sensor_error(line: tuple[int, str]) -> None:
    port = SerialPort(line[1], baudrate=9600, timeout_s=1)
    port.close()

    with pytest.raises(SensorError, match="was lost"):
        port.read(1)
    with pytest.raises(SensorError, match="was lost"):
        port.drop()
