"""A panel on a serial port, by pyserial; the port is held alone."""

from __future__ import annotations

import contextlib
import errno
import os
import termios
from pathlib import Path
from typing import Any

from firmware_bridge.transport import TransportError

BAUDRATE = 57_600
WRITE_TIMEOUT_S = 2.0
BY_ID = Path("/dev/serial/by-id")
READ_AT_MOST = 4096


class SerialTransport:
    """One open port."""

    def __init__(self, path: str, *, baudrate: int = BAUDRATE) -> None:
        """Open it and hold it alone. Raises TransportError that names the remedy.

        Args:
            path: device file; one in /dev/serial/by-id stays the same wherever the cable is plugged in.
            baudrate: as the panel's firmware has it.
        """
        try:
            import serial  # noqa: PLC0415 a vendor's library is needed for a real port only
        except ImportError as error:
            raise TransportError("Python package pyserial is missing: pip install 'simpul[edge]'") from error
        self._path = path
        try:
            self._port: Any = serial.Serial(
                path, baudrate, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True, dsrdtr=False, rtscts=False
            )
        except (OSError, ValueError) as error:
            raise TransportError(why(path, error)) from error

    def read(self, timeout_s: float) -> bytes:
        try:
            self._port.timeout = timeout_s
            first: bytes = self._port.read(1)
            more: bytes = self._port.read(min(READ_AT_MOST, self._port.in_waiting)) if first else b""
        except (OSError, TypeError) as error:  # TypeError: closed from another thread, pyserial reads from no file
            raise TransportError(f"{self._path} was lost ({error}): check that it is plugged in") from error
        return first + more

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            raise TransportError(f"{self._path} takes nothing ({error}): check that it is plugged in") from error

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._port.close()


def why(path: str, error: Exception) -> str:
    """Why a port cannot be opened, and what to do, in one line."""
    match _number(error):
        case errno.ENOENT | errno.ENXIO | errno.ENODEV:
            return f"{path} is missing: plug the panel in{_others(path)}"
        case errno.EACCES | errno.EPERM:
            return (
                f"{path} may not be opened: add this user to the group {group(path)} "
                f"(sudo usermod -aG {group(path)} USER) and log in again"
            )
        case errno.EAGAIN | errno.EBUSY:
            return f"{path} is used by {holder(path)}: stop that; one program can hold a port"
        case errno.ENOTTY | errno.EINVAL:
            return f"{path} is no serial port: check the path{_others(path)}"
        case _:
            return f"{path} cannot be opened ({str(error)[:80]}): check the path and the speed"


def _number(error: BaseException | None) -> int | None:
    """The system's number of an error; pyserial hides that of a port's settings in what it was raised from."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if isinstance(error, termios.error):
        return int(error.args[0])
    return None if error is None else _number(error.__context__)


def group(path: str) -> str:
    """The group that may open the device file; dialout where it cannot be found out."""
    try:
        name = Path(path).group()
    except (OSError, KeyError):
        return "dialout"
    return "dialout" if name == "root" else name


def holder(path: str) -> str:
    """Which process has the device file open, as far as we may see."""
    real = os.path.realpath(path)
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            if any(os.path.realpath(descriptor) == real for descriptor in (process / "fd").iterdir()):
                name = (process / "comm").read_text("utf-8", "replace").strip()
                return f"process {process.name} ({name})"
    return "this or another program"


def _others(path: str) -> str:
    try:
        there = [port.name for port in sorted(BY_ID.iterdir()) if str(port) != path]
    except OSError:
        return ""
    return f"; there are in {BY_ID}: {', '.join(there)[:80]}" if there else ""
