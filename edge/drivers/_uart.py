"""A serial port as drivers use it, and its errors in words that help."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

from edge.drivers._vendor import vendor
from edge.ports import SensorError


class Port(Protocol):
    """Bytes from an instrument that talks by itself."""

    def read(self, length: int) -> bytes:
        """Up to `length` bytes; fewer when no more came in the port's time. Raises SensorError."""
        ...

    def drop(self) -> None:
        """Forget what came before now. Raises SensorError."""
        ...

    def close(self) -> None:
        """Give the port back. Never raises."""
        ...


class SerialPort:
    """A device file by pyserial, held alone."""

    def __init__(self, path: str, *, baudrate: int, timeout_s: float) -> None:
        """Open it. Raises SensorError that names the remedy."""
        serial = vendor("serial")
        self._path = path
        try:
            self._port: Any = serial.Serial(path, baudrate, timeout=timeout_s, exclusive=True)
        except OSError as error:
            raise SensorError(port_error(path, error)) from error

    def read(self, length: int) -> bytes:
        try:
            data: bytes = self._port.read(length)
        except OSError as error:
            raise SensorError(f"{self._path} was lost ({error}): is it unplugged?") from error
        return data

    def drop(self) -> None:
        try:
            self._port.reset_input_buffer()
        except OSError as error:
            raise SensorError(f"{self._path} was lost ({error}): is it unplugged?") from error

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._port.close()


def port_error(path: str, error: OSError) -> str:
    """Why a serial port cannot be opened, and what to do."""
    match error.errno:
        case 2:
            return (
                f"{path} is missing: plug the adapter in, or enable the serial port (sudo raspi-config, Interface "
                "Options, Serial Port, no login shell) and restart"
            )
        case 13:
            return (
                f"{path} may not be opened: add the agent's user to the group dialout "
                "(sudo usermod -aG dialout USER) and log in again"
            )
        case 11:
            return f"{path} is used by another program: stop that (a login shell, another sensor of the site file)"
        case _:
            return f"{path} cannot be opened: {error.strerror or error}"
