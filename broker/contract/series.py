"""How a reading is named and stored as a series, and what each value says of itself."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Quality(IntEnum):
    """QARTOD flags (IOOS manual for real-time quality control): one a value, the worst of its tests."""

    PASS = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class SeriesKey(NamedTuple):
    """What makes a series: one quantity of one sensor on one device at one site.

    In InfluxDB the quantity is the measurement and the other three are tags.
    """

    site: str
    device: str
    sensor: str
    quantity: str

    def __str__(self) -> str:
        return "/".join(self)


class Point(NamedTuple):
    """One stored value; (key, at_ms) is its identity, and writing it again overwrites it with itself.

    Attributes:
        key: its series.
        at_ms: when it was measured, milliseconds since 1970 UTC.
        value: in the quantity's unit, raw, never changed afterwards.
        quality: a Quality.
        interval_ms: the time this value stands for, 0 when the instrument did not say.
    """

    key: SeriesKey
    at_ms: int
    value: float
    quality: int
    interval_ms: int
