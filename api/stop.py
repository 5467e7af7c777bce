"""A wish to stop that wakes a select: set by SIGTERM and SIGINT, or by another thread."""

from __future__ import annotations

import contextlib
import signal
import socket
from typing import Any


class Stop:
    """Readable, for select, once it is set."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._set = False

    def set(self, *_: Any) -> None:
        """Ask to stop; may be called from a signal handler and more than once."""
        self._set = True
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")

    def is_set(self) -> bool:
        """Whether it was asked for."""
        return self._set

    def fileno(self) -> int:
        """For select."""
        return self._reader.fileno()

    def on_signals(self) -> None:
        """Let SIGTERM and SIGINT of this process set it; from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.set)
