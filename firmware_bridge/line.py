"""Third-party devices that only print: lines `name value unit`, or one JSON object a line.

Limits, all of the kind of device and none of them to be mended here: a line carries no checksum, so a wrong digit is a
wrong value; no number and no time, so a line that is lost is not missed and its time is that of its arrival; nothing is
acknowledged or sent again. So presses are never read by this protocol. Lines that are too long, or not understood, are
counted and passed over.
"""

from __future__ import annotations

import json
import math
import re
from typing import NamedTuple

LONGEST = 512
"""Bytes of a line; what is longer is discarded to its end."""

_NAME = re.compile(r"[A-Za-z_][\w.-]{0,47}\Z", re.ASCII)
_UNIT = re.compile(r"[^\s\x00-\x1f]{1,16}\Z")


class Value(NamedTuple):
    """One value: its name, the number, its unit as printed, empty when none was."""

    name: str
    value: float
    unit: str


def decode(line: str) -> list[Value]:
    """The values of a line: `name value [unit]`, or `{"name": value, ...}`.

    In JSON, numbers are values and everything else is passed over.

    Raises:
        ValueError: it is neither.
    """
    line = line.strip()
    if line.startswith("{"):
        return _json(line)
    words = line.split()
    if len(words) not in (2, 3) or not _NAME.match(words[0]):
        raise ValueError("no line `name value unit`")
    unit = words[2] if len(words) == 3 else ""
    if unit and not _UNIT.match(unit):
        raise ValueError("no unit")
    return [Value(words[0], _finite(float(words[1])), unit)]


class LineReader:
    """Bytes in, values out; holds at most one line."""

    def __init__(self) -> None:
        """Begin in the middle of a line: the first one may be cut and is not believed."""
        self._pending = bytearray()
        self._skip = True
        self.bad = 0

    def feed(self, data: bytes) -> list[Value]:
        """The values of the lines that `data` ends."""
        *ended, rest = data.split(b"\n")
        values = [value for piece in ended for value in self._end(piece)]
        self._collect(rest)
        return values

    def _collect(self, piece: bytes) -> None:
        if len(self._pending) + len(piece) > LONGEST:
            self._pending.clear()
            self._skip = True
        elif not self._skip:
            self._pending += piece

    def _end(self, piece: bytes) -> list[Value]:
        self._collect(piece)
        line, skip = bytes(self._pending), self._skip
        self._pending.clear()
        self._skip = False
        if skip or not line.strip():
            self.bad += skip
            return []
        try:
            return decode(line.decode("utf-8"))
        except (ValueError, RecursionError):
            self.bad += 1
            return []


def _json(line: str) -> list[Value]:
    table = json.loads(line)
    return [
        Value(name, _finite(float(value)), "")
        for name, value in table.items()
        if _NAME.match(name) and isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("no finite number")
    return value
