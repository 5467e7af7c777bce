"""Random lives of a series store, judged by the oracle."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from api.ports import SeriesStore
from broker.contract.series import Point, SeriesKey
from tests.conformance.series_oracle import DAY, HOUR, Oracle, same

MINUTE = 60_000
T0 = 1_760_000_000_000 // DAY * DAY
SPAN_DAYS = 6

KEYS = [
    SeriesKey("a", "station-1", "bme", "temperature"),
    SeriesKey("a", "station-1", "vane", "wind_direction"),
    SeriesKey("b", "station-2", "bucket", "rain"),
]

WIDTHS = [1, MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 90 * MINUTE, 3 * HOUR, 7 * HOUR, DAY, 2 * DAY, 7 * DAY]
OFFSETS = [0, 7 * HOUR, -3 * HOUR, 5 * HOUR + 30 * MINUTE, 1]


def times() -> st.SearchStrategy[int]:
    """Times that meet often: a few minutes of a few hours of six days, and both sides of the hour."""
    hour = st.sampled_from([0, 1, 17, 18, 40, 41, 42, 66, 90, 115, 143])
    within = st.sampled_from([0, 1, 10 * MINUTE, 30 * MINUTE, HOUR - 1])
    return st.builds(lambda h, w: T0 + h * HOUR + w, hour, within)


POINTS = st.builds(
    Point,
    st.sampled_from(KEYS),
    times(),
    st.integers(0, 360).map(float) | st.floats(0, 360, width=16),
    st.sampled_from([1, 2, 2, 3, 4]),
    st.sampled_from([0, 10_000, MINUTE, MINUTE, 10 * MINUTE, HOUR, DAY]),
)


@st.composite
def trains(draw: st.DrawFn) -> list[Point]:
    """Many regular points of one series, so that a chunk is filled by one."""
    key, start, step = draw(st.sampled_from(KEYS)), draw(times()), draw(st.sampled_from([10_000, MINUTE, 10 * MINUTE]))
    count, value = draw(st.integers(5, 60)), draw(st.integers(0, 300))
    return [Point(key, start + n * step, float(value + n), 2, step) for n in range(count)]


class SeriesMachine(RuleBasedStateMachine):
    """Writes, upkeep, reopening and retention in any order; every answer equals the oracle's.

    A suite subclasses it and says how a store is opened in a directory; opening again is the same store.
    """

    open_store: Callable[..., SeriesStore]
    raw_days, hourly_days = 2, 4

    @initialize(day_offset_ms=st.sampled_from([0, 7 * HOUR, 5 * HOUR + 30 * MINUTE, -9 * HOUR]))
    def begin(self, day_offset_ms: int) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="simpul-series-"))
        self.settings = {
            "raw_days": self.raw_days, "hourly_days": self.hourly_days, "day_offset_ms": day_offset_ms,
        }  # fmt: skip
        self.store = type(self).open_store(self.directory, **self.settings)
        self.oracle = Oracle(**self.settings)
        self.ids: dict[SeriesKey, int] = {}
        self.now_ms = T0 + DAY

    @rule(points=st.lists(POINTS, max_size=25))
    def write(self, points: list[Point]) -> None:
        assert self.store.write(points) == self.oracle.write(points)

    @rule(points=trains())
    def write_train(self, points: list[Point]) -> None:
        assert self.store.write(points) == self.oracle.write(points)

    @rule(picks=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 300)), min_size=1, max_size=12))
    def write_again(self, picks: list[tuple[int, int]]) -> None:
        """Duplicates, and other values for times that are taken."""
        taken = [point for times in self.oracle.points.values() for point in times.values()]
        if taken:
            chosen = [taken[index % len(taken)]._replace(value=float(value)) for index, value in picks]
            assert self.store.write(chosen) == self.oracle.write(chosen)

    @rule(slices=st.integers(1, 6))
    def maintain(self, slices: int) -> None:
        for _ in range(slices):
            self.store.maintain(self.now_ms, budget_ms=0)
        self.oracle.maintain(self.now_ms)

    @rule()
    def maintain_to_the_end(self) -> None:
        while self.store.maintain(self.now_ms, budget_ms=20):
            pass
        self.oracle.maintain(self.now_ms)

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours: int) -> None:
        self.now_ms += hours * HOUR

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = type(self).open_store(self.directory, **self.settings)

    @rule()
    def series_are_right(self) -> None:
        infos = self.store.series()
        assert {info.key for info in infos} == set(self.oracle.points)
        assert [info.id for info in infos] == sorted({info.id for info in infos})
        for info in infos:
            assert self.ids.setdefault(info.key, info.id) == info.id > 0
            assert info == self.oracle.series(info.key, info.id)
        ids = [info.id for info in infos]
        assert self.store.find([*ids, 10**9]) == {info.id: info for info in infos}
        assert self.store.latest([*ids, 10**9]) == {info.id: self.oracle.latest(info.key) for info in infos}

    @rule(
        start=times(), length=st.integers(0, SPAN_DAYS * 24), limit=st.integers(1, 10), width=st.sampled_from(WIDTHS),
        offset=st.sampled_from(OFFSETS) | st.none(),
    )  # fmt: skip
    def values_are_right(self, start: int, length: int, limit: int, width: int, offset: int | None) -> None:
        self._compare_samples(start, start + length * HOUR, limit)
        self._compare_buckets(start, start + length * HOUR, width, self._offset(offset), limit)

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        try:
            for settle in (lambda: None, self.maintain_to_the_end):
                settle()
                self.series_are_right()
                self._compare_samples(0, T0 + 30 * DAY, 10**6)
                for width, offset in ((10 * MINUTE, 0), (HOUR, None), (3 * HOUR, 1), (7 * HOUR, None), (DAY, None)):
                    self._compare_buckets(-DAY, T0 + 30 * DAY, width, self._offset(offset), 10**6)
        finally:
            self.store.close()
            shutil.rmtree(self.directory)

    def _offset(self, offset: int | None) -> int:
        """None stands for the store's own days."""
        return self.settings["day_offset_ms"] if offset is None else offset

    def _compare_samples(self, start: int, end: int, limit: int) -> None:
        for info in self.store.series():
            got = self.store.samples(info.id, start, end, limit=limit)
            assert got == self.oracle.samples(info.key, start, end, limit)

    def _compare_buckets(self, start: int, end: int, width: int, offset: int, limit: int) -> None:
        for info in self.store.series():
            got = self.store.buckets(info.id, start, end, width, offset_ms=offset, limit=limit)
            want = self.oracle.buckets(info.key, start, end, width, offset, limit)
            assert len(got) == len(want), (width, offset, got, want)
            for one, other in zip(got, want, strict=True):
                assert same(one, other), (width, offset, one, other)
