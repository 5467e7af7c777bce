"""The I2C bus as drivers use it, and its errors in words that help."""

from __future__ import annotations

import contextlib
import time
from typing import Annotated, Any, Protocol

from msgspec import Meta

from edge.drivers._vendor import vendor
from edge.ports import SensorError

BusNumber = Annotated[int, Meta(ge=0, le=255)]
"""N of /dev/i2c-N; 1 is the one on a Raspberry Pi's header."""


class Bus(Protocol):
    """Bytes to and from devices on one bus."""

    def transfer(self, address: int, out: bytes, length: int = 0) -> bytes:
        """Write `out` if there is any, then read `length` bytes without letting the bus go. Raises SensorError."""
        ...

    def pause(self, seconds: float) -> None:
        """Let the device work."""
        ...

    def close(self) -> None:
        """Give the bus back. Never raises."""
        ...


class LinuxBus:
    """/dev/i2c-N by smbus2."""

    def __init__(self, number: int) -> None:
        """Open it. Raises SensorError that names the remedy."""
        smbus2 = vendor("smbus2")
        self._path = f"/dev/i2c-{number}"
        self._message: Any = smbus2.i2c_msg
        try:
            self._bus: Any = smbus2.SMBus(number)
        except FileNotFoundError:
            raise SensorError(
                f"{self._path} is missing: enable I2C (sudo raspi-config, Interface Options, I2C) and "
                "restart, or correct `bus`"
            ) from None
        except PermissionError:
            raise SensorError(
                f"{self._path} may not be opened: add the agent's user to the group i2c "
                "(sudo usermod -aG i2c USER) and log in again"
            ) from None
        except OSError as error:
            raise SensorError(f"{self._path} cannot be opened: {error.strerror}") from error

    def transfer(self, address: int, out: bytes, length: int = 0) -> bytes:
        messages = [self._message.write(address, out)] if out else []
        if length:
            messages.append(self._message.read(address, length))
        try:
            self._bus.i2c_rdwr(*messages)
        except OSError as error:
            raise SensorError(
                f"no answer from address 0x{address:02x} on {self._path} ({error.strerror}): check "
                f"wiring, power and address (i2cdetect -y {self._path[9:]})"
            ) from error
        return bytes(messages[-1]) if length else b""

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._bus.close()


def ask(bus: Bus, address: int, command: bytes, length: int, delay_s: float) -> bytes:
    """Write a command, wait while the device works on it, read its answer of `length` bytes. Raises SensorError."""
    bus.transfer(address, command)
    bus.pause(delay_s)
    return bus.transfer(address, b"", length) if length else b""
