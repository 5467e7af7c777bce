"""What went over a line, kept in a file, and what is wrong when nothing good did.

A capture is one JSON object a line: {"t": seconds, "from": "panel" or "host", "hex": bytes}.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from firmware_bridge.transport import Transport

SAMPLE = 4096
"""Bytes of the newest past that are kept for a diagnosis."""


class Piece(NamedTuple):
    """Bytes that went over the line together.

    Attributes:
        at_s: seconds since the capture began.
        panel: from the panel, else from the host.
        data: them.
    """

    at_s: float
    panel: bool
    data: bytes


class Tap:
    """A transport that is looked at while it is used."""

    def __init__(self, line: Transport, file: TextIO | None = None) -> None:
        """Hold `line`, and write what passes to `file` when there is one."""
        self._line, self._file = line, file
        self._began_s = time.monotonic()
        self._sample: deque[int] = deque(maxlen=SAMPLE)

    @property
    def heard(self) -> bytes:
        """The newest bytes from the panel."""
        return bytes(self._sample)

    def read(self, timeout_s: float) -> bytes:
        data = self._line.read(timeout_s)
        self._sample.extend(data)
        self._keep("panel", data)
        return data

    def write(self, data: bytes) -> None:
        self._line.write(data)
        self._keep("host", data)

    def close(self) -> None:
        self._line.close()

    def _keep(self, who: str, data: bytes) -> None:
        if self._file is not None and data:
            at_s = round(time.monotonic() - self._began_s, 4)
            self._file.write(json.dumps({"t": at_s, "from": who, "hex": data.hex()}) + "\n")


def load(path: Path) -> Iterator[Piece]:
    """The pieces of a capture, in order. Raises ValueError that names the line, and OSError."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                piece = json.loads(line)
                yield Piece(float(piece["t"]), piece["from"] == "panel", bytes.fromhex(piece["hex"]))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {number}: is no piece of a capture ({error})") from None


def diagnose(heard: bytes, good: int) -> str:
    """Why there is no link, and what to check; empty when good frames came.

    Args:
        heard: bytes that came.
        good: good frames among them.
    """
    if good:
        return ""
    if not heard:
        return "nothing comes: check the panel's power, TX and RX (crossed), and that the port is the panel's"
    if sum(0x20 <= byte <= 0x7E or byte in b"\r\n\t" for byte in heard) > 0.95 * len(heard):
        return "text comes, no frames: a modem, a console or a device that prints lines; check the port, or use --lines"
    return "bytes come, and none is a good frame: check --baudrate, ground, and that one program alone uses the line"
