"""Pure arithmetic of buckets: where they begin, and what the values in one add up to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from api.ports import Bucket

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

CANCELLED = 1e-9
"""A mean vector shorter than this has no direction: its winds cancel out."""


class Tally(NamedTuple):
    """What the values of one stretch of time add up to; two tallies of separate stretches merge without loss.

    Attributes:
        good, failed: values whose quality is not FAIL, and is.
        total, low, high: over the good ones; low and high None when there are none.
        known: values, failed ones included, that say their interval.
        covered_ms: the sum of those intervals.
        sine, cosine: sums over the good values of a circular quantity; 0 for others.
    """

    good: int
    failed: int
    total: float
    low: float | None
    high: float | None
    known: int
    covered_ms: int
    sine: float
    cosine: float


def merge(tallies: Iterable[Tally]) -> Tally:
    """One tally for all stretches together. Raises ValueError when there are none."""
    parts = list(tallies)
    if len(parts) == 1:
        return parts[0]
    if not parts:
        raise ValueError("nothing to merge")
    return Tally(
        good=sum(part.good for part in parts),
        failed=sum(part.failed for part in parts),
        total=sum(part.total for part in parts),
        low=min((part.low for part in parts if part.low is not None), default=None),
        high=max((part.high for part in parts if part.high is not None), default=None),
        known=sum(part.known for part in parts),
        covered_ms=sum(part.covered_ms for part in parts),
        sine=sum(part.sine for part in parts),
        cosine=sum(part.cosine for part in parts),
    )


def regroup(parts: Iterable[tuple[int, Tally]], width_ms: int, offset_ms: int) -> Iterator[tuple[int, Tally]]:
    """Parts in the order of their beginnings, merged into wider stretches that they fit into."""
    for begin, group in groupby(parts, key=lambda part: floor(part[0], width_ms, offset_ms)):
        yield begin, merge(tally for _, tally in group)


def bucket(start_ms: int, width_ms: int, tally: Tally, *, circular: bool) -> Bucket:
    """The bucket that begins at `start_ms` and holds `tally`."""
    return Bucket(
        start_ms,
        tally.good,
        tally.failed,
        tally.low,
        _direction(tally) if circular else _mean(tally),
        tally.high,
        tally.total,
        expected(width_ms, tally.known, tally.covered_ms),
    )


def expected(width_ms: int, known: int, covered_ms: int) -> int | None:
    """Values that an instrument owes to a bucket: its width over the mean interval of its values.

    The mean is fair to mixed intervals: half an hour of minutes and half an hour of ten seconds are 30 + 180 values
    with a mean interval of 17.1 s, so the hour owes 210 and is complete.

    Args:
        width_ms: width of the bucket.
        known: values in it that say their interval.
        covered_ms: the sum of those intervals.

    Returns:
        Rounded half up and at least 1; None when no value says its interval.
    """
    if known == 0 or covered_ms == 0:
        return None
    return max(1, (2 * width_ms * known + covered_ms) // (2 * covered_ms))


def floor(at_ms: int, width_ms: int, offset_ms: int) -> int:
    """The beginning of the bucket that holds `at_ms`: (begin + offset_ms) % width_ms == 0."""
    return at_ms - (at_ms + offset_ms) % width_ms


def ceil(at_ms: int, width_ms: int, offset_ms: int) -> int:
    """The first beginning that is not before `at_ms`."""
    return at_ms + -(at_ms + offset_ms) % width_ms


def _mean(tally: Tally) -> float | None:
    """The mean, kept between its extremes against the last bit of a floating sum."""
    if tally.low is None or tally.high is None:
        return None
    return min(max(tally.total / tally.good, tally.low), tally.high)


def _direction(tally: Tally) -> float | None:
    """Direction of the mean vector in degrees, 0 <= direction < 360; None when there is none."""
    if tally.good == 0 or math.hypot(tally.sine, tally.cosine) < CANCELLED * tally.good:
        return None
    degrees = math.degrees(math.atan2(tally.sine, tally.cosine)) % 360.0
    return 0.0 if degrees == 360.0 else degrees  # a hair below zero rounds up to a full turn
