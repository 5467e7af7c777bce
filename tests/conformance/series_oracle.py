"""A series store that is a plain dict: slow, obvious, and the judge of the real ones.

It keeps every point it ever took and looks at all of them for every answer; it shares no code with a real store.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from api.ports import Bucket, Sample, SeriesInfo
from broker.contract.quantities import QUANTITIES
from broker.contract.series import Point, Quality, SeriesKey

HOUR = 3_600_000
DAY = 24 * HOUR


class Oracle:
    """Answers by key where a store answers by id."""

    def __init__(self, *, raw_days: int, hourly_days: int, day_offset_ms: int) -> None:
        self._days = (raw_days, hourly_days)
        self._offset = day_offset_ms
        self._raw_floor = self._hour_floor = 0
        self.points: dict[SeriesKey, dict[int, Point]] = {}

    def write(self, points: Sequence[Point]) -> int:
        refused = 0
        for point in points:
            if point.at_ms < self._raw_floor:
                refused += 1
            else:
                self.points.setdefault(point.key, {})[point.at_ms] = point
        return refused

    def maintain(self, now_ms: int) -> None:
        newest = max((at for times in self.points.values() for at in times), default=0)
        reference = min(now_ms, newest)
        raw, hour = (self._midnight(reference - days * DAY) for days in self._days)
        self._raw_floor = max(self._raw_floor, raw)
        self._hour_floor = max(self._hour_floor, hour)

    def series(self, key: SeriesKey, id: int) -> SeriesInfo:
        newest = self.points[key][max(self.points[key])]
        oldest = min((at for at in self.points[key] if at >= self._raw_floor), default=newest.at_ms)
        return SeriesInfo(id, key, oldest, newest.at_ms, newest.interval_ms)

    def latest(self, key: SeriesKey) -> Sample:
        newest = self.points[key][max(self.points[key])]
        return Sample(newest.at_ms, newest.value, newest.quality)

    def samples(self, key: SeriesKey, start_ms: int, end_ms: int, limit: int) -> list[Sample]:
        times = sorted(at for at in self.points[key] if max(start_ms, self._raw_floor) <= at < end_ms)
        chosen = [self.points[key][at] for at in times[:limit]]
        return [Sample(point.at_ms, point.value, point.quality) for point in chosen]

    def buckets(
        self, key: SeriesKey, start_ms: int, end_ms: int, width_ms: int, offset_ms: int, limit: int
    ) -> list[Bucket]:
        floor = self._floor(width_ms, offset_ms)
        filled: dict[int, list[Point]] = {}
        for at, point in self.points[key].items():
            begin = math.floor((at + offset_ms) / width_ms) * width_ms - offset_ms
            if max(start_ms, floor) <= begin < end_ms:
                filled.setdefault(begin, []).append(point)
        circular = QUANTITIES[key.quantity].circular
        return [_bucket(begin, width_ms, filled[begin], circular) for begin in sorted(filled)[:limit]]

    def _floor(self, width_ms: int, offset_ms: int) -> int:
        """Days are kept for ever, hours and what is made of them for long, the rest as long as samples."""
        for grain, floor in ((DAY, 0), (HOUR, self._hour_floor)):
            if width_ms % grain == 0 and (offset_ms - self._offset) % grain == 0:
                return floor
        return self._raw_floor

    def _midnight(self, at_ms: int) -> int:
        return (at_ms + self._offset) // DAY * DAY - self._offset


def _bucket(begin: int, width: int, points: Iterable[Point], circular: bool) -> Bucket:
    everything = list(points)
    good = [point.value for point in everything if point.quality != Quality.FAIL]
    intervals = [point.interval_ms for point in everything if point.interval_ms > 0]
    return Bucket(
        start_ms=begin,
        count=len(good),
        failed=len(everything) - len(good),
        minimum=min(good, default=None),
        mean=_mean(good, circular),
        maximum=max(good, default=None),
        total=math.fsum(good),
        expected=max(1, math.floor(width * len(intervals) / sum(intervals) + 0.5)) if intervals else None,
    )


def _mean(good: Sequence[float], circular: bool) -> float | None:
    if not good:
        return None
    if not circular:
        return math.fsum(good) / len(good)
    x = math.fsum(math.cos(math.radians(value)) for value in good)
    y = math.fsum(math.sin(math.radians(value)) for value in good)
    if math.hypot(x, y) < 1e-9 * len(good):
        return None
    return math.degrees(math.atan2(y, x)) % 360


def same(one: Bucket, other: Bucket) -> bool:
    """Equal but for the last bits of floating sums; 359.999… and 0 are the same direction."""
    exact = one._replace(mean=None, total=0.0) == other._replace(mean=None, total=0.0)
    return exact and _close(one.total, other.total) and _close(one.mean, other.mean)


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-6) or math.isclose(abs(one - other), 360, abs_tol=1e-6)
