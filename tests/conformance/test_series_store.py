"""What every series store does, whichever program keeps the rows: add a home below and the whole suite runs on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from api.ports import Sample, SeriesStore
from api.series import open_store
from broker.contract.series import Point, Quality, SeriesKey
from tests.conformance.series_machine import SeriesMachine

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
JAKARTA = 7 * HOUR
T0 = 1_760_000_000_000 // DAY * DAY
FOREVER = T0 + 1000 * DAY

TEMPERATURE = SeriesKey("north", "station-1", "bme", "temperature")
WIND = SeriesKey("north", "station-1", "vane", "wind_direction")
RAIN = SeriesKey("south", "station-2", "bucket", "rain")

Opener = Callable[..., SeriesStore]


def open_sqlite(directory: Path, **settings: int) -> SeriesStore:
    return open_store(f"sqlite:///{directory / 'series.db'}", **settings)


HOMES: dict[str, Opener] = {"sqlite": open_sqlite}
"""A home opens a store in a directory; opening again in the same directory is the same store."""


@pytest.fixture(params=HOMES)
def opener(request: pytest.FixtureRequest) -> Opener:
    return HOMES[request.param]


@pytest.fixture
def store(opener: Opener, tmp_path: Path) -> Iterator[SeriesStore]:
    """A fresh store whose days begin at midnight in Jakarta."""
    fresh = opener(tmp_path, raw_days=30, hourly_days=60, day_offset_ms=JAKARTA)
    yield fresh
    fresh.close()


def point(
    at_ms: int, value: float, *, key: SeriesKey = TEMPERATURE, quality: int = Quality.PASS, interval_ms: int = MINUTE
) -> Point:
    return Point(key, at_ms, value, quality, interval_ms)


def the_id(store: SeriesStore, key: SeriesKey = TEMPERATURE) -> int:
    return next(info.id for info in store.series() if info.key == key)


def hours(store: SeriesStore, key: SeriesKey = TEMPERATURE, **wanted: int) -> list[tuple[int, int]]:
    """(hour after T0, count) of each hour's bucket."""
    found = store.buckets(the_id(store, key), T0, FOREVER, HOUR, **{"limit": 1000, **wanted})
    return [((bucket.start_ms - T0) // HOUR, bucket.count) for bucket in found]


def test_a_point_is_seen_as_soon_as_write_has_returned(store: SeriesStore) -> None:
    store.write([point(T0 + 5, 21.5)])
    (info,) = store.series()
    assert (info.key, info.first_ms, info.last_ms, info.interval_ms) == (TEMPERATURE, T0 + 5, T0 + 5, MINUTE)
    assert store.latest([info.id]) == {info.id: Sample(T0 + 5, 21.5, Quality.PASS)}
    assert store.samples(info.id, T0, T0 + 6, limit=10) == [Sample(T0 + 5, 21.5, Quality.PASS)]
    for width in (MINUTE, HOUR, DAY):
        (bucket,) = store.buckets(info.id, 0, FOREVER, width, limit=10)
        assert (bucket.count, bucket.mean, bucket.minimum, bucket.maximum, bucket.total) == (1, 21.5, 21.5, 21.5, 21.5)


def test_a_fresh_store_knows_no_series(store: SeriesStore) -> None:
    assert store.series() == []
    assert store.find([1, 2]) == {}
    assert store.latest([1, 2]) == {}
    assert store.samples(1, 0, FOREVER, limit=10) == []
    assert store.buckets(1, 0, FOREVER, HOUR, limit=10) == []


def test_writing_nothing_is_allowed(store: SeriesStore) -> None:
    assert store.write([]) == 0
    assert store.series() == []


def test_the_same_points_again_change_nothing(store: SeriesStore) -> None:
    """Promise P2: the forwarder repeats a batch after a crash."""
    points = [point(T0 + n * MINUTE, float(n)) for n in range(90)]
    store.write(points)
    series = the_id(store)
    before = [store.samples(series, 0, FOREVER, limit=1000), store.buckets(series, 0, FOREVER, HOUR, limit=10)]
    store.write(points[30:])
    store.write(points)
    after = [store.samples(series, 0, FOREVER, limit=1000), store.buckets(series, 0, FOREVER, HOUR, limit=10)]
    assert after == before
    assert len(before[0]) == 90


def test_of_the_same_series_and_time_the_last_written_counts(store: SeriesStore) -> None:
    store.write([point(T0, 1.0), point(T0, 2.0)])
    series = the_id(store)
    assert store.latest([series])[series].value == 2.0
    store.write([point(T0, 3.0, quality=Quality.SUSPECT)])
    assert store.latest([series])[series] == Sample(T0, 3.0, Quality.SUSPECT)
    assert store.samples(series, 0, FOREVER, limit=10) == [Sample(T0, 3.0, Quality.SUSPECT)]
    assert [(b.count, b.total) for b in store.buckets(series, 0, FOREVER, DAY, limit=10)] == [(1, 3.0)]


def test_a_late_point_enters_its_bucket_and_leaves_the_latest_alone(store: SeriesStore) -> None:
    store.write([point(T0 + 5 * HOUR, 50.0)])
    store.write([point(T0 + 2 * HOUR, 20.0, interval_ms=10)])
    (info,) = store.series()
    assert (info.first_ms, info.last_ms, info.interval_ms) == (T0 + 2 * HOUR, T0 + 5 * HOUR, MINUTE)
    assert store.latest([info.id])[info.id].value == 50.0
    assert hours(store) == [(2, 1), (5, 1)]


def test_a_gap_has_no_bucket(store: SeriesStore) -> None:
    """Promise P5: nothing is made up where nothing was measured."""
    store.write([point(T0, 1.0), point(T0 + 30 * MINUTE, 1.0), point(T0 + 4 * HOUR, 1.0), point(T0 + 3 * DAY, 1.0)])
    series = the_id(store)
    assert hours(store) == [(0, 2), (4, 1), (72, 1)]
    assert [b.start_ms for b in store.buckets(series, T0, FOREVER, 10 * MINUTE, limit=9)] == [
        T0, T0 + 30 * MINUTE, T0 + 4 * HOUR, T0 + 3 * DAY,
    ]  # fmt: skip
    assert len(store.buckets(series, 0, FOREVER, DAY, limit=9)) == 2


def test_a_failed_value_is_counted_apart_and_is_in_no_figure(store: SeriesStore) -> None:
    """Promise P5."""
    store.write([point(T0, 10.0), point(T0 + 1, 999.0, quality=Quality.FAIL), point(T0 + 2, 20.0, quality=3)])
    for width in (MINUTE, HOUR, DAY):
        (bucket,) = store.buckets(the_id(store), 0, FOREVER, width, limit=9)
        assert (bucket.count, bucket.failed) == (2, 1)
        assert (bucket.minimum, bucket.mean, bucket.maximum, bucket.total) == (10.0, 15.0, 20.0, 30.0)
    assert len(store.samples(the_id(store), 0, FOREVER, limit=9)) == 3


def test_a_bucket_of_failed_values_alone_has_no_figures(store: SeriesStore) -> None:
    store.write([point(T0, 999.0, quality=Quality.FAIL)])
    for width in (MINUTE, HOUR, DAY):
        (bucket,) = store.buckets(the_id(store), 0, FOREVER, width, limit=9)
        assert (bucket.count, bucket.failed, bucket.total) == (0, 1, 0.0)
        assert (bucket.minimum, bucket.mean, bucket.maximum) == (None, None, None)
        assert bucket.expected == width // MINUTE


@pytest.mark.parametrize(
    ("directions", "mean"),
    [((350, 10), 0), ((80, 100), 90), ((0, 360), 0), ((270, 0, 90), 0), ((0, 180), None), ((0, 120, 240), None)],
)
def test_the_mean_of_directions_is_that_of_their_vectors(
    store: SeriesStore, directions: tuple[int, ...], mean: float | None
) -> None:
    store.write([point(T0 + n * 10 * MINUTE, float(d), key=WIND) for n, d in enumerate(directions)])
    for width in (40 * MINUTE, HOUR, DAY):
        (bucket,) = store.buckets(the_id(store, WIND), T0 - DAY, FOREVER, width, limit=9)
        if mean is None:
            assert bucket.mean is None
        else:
            assert bucket.mean is not None
            assert 0 <= bucket.mean < 360
            assert abs((bucket.mean - mean + 180) % 360 - 180) < 1e-9


def test_a_bucket_of_rain_holds_its_sum(store: SeriesStore) -> None:
    store.write([point(T0 + n * MINUTE, 0.25, key=RAIN) for n in range(12)])
    assert [b.total for b in store.buckets(the_id(store, RAIN), 0, FOREVER, HOUR, limit=9)] == [3.0]


def test_expected_is_what_the_interval_calls_for_in_the_whole_bucket(store: SeriesStore) -> None:
    store.write([point(T0 + n * MINUTE, 1.0) for n in range(30)])
    for width, expected in ((10 * MINUTE, 10), (HOUR, 60), (DAY, 1440)):
        assert {b.expected for b in store.buckets(the_id(store), 0, FOREVER, width, limit=9)} == {expected}


def test_expected_is_fair_to_an_instrument_that_changes_its_interval(store: SeriesStore) -> None:
    store.write([point(T0 + n * MINUTE, 1.0) for n in range(30)])
    store.write([point(T0 + 30 * MINUTE + n * 10_000, 1.0, interval_ms=10_000) for n in range(180)])
    (bucket,) = store.buckets(the_id(store), T0, FOREVER, HOUR, limit=9)
    assert (bucket.count, bucket.expected) == (210, 210)


def test_expected_counts_the_intervals_of_failed_values_too(store: SeriesStore) -> None:
    store.write([point(T0 + n * MINUTE, 1.0, quality=Quality.FAIL if n % 2 else 1) for n in range(60)])
    (bucket,) = store.buckets(the_id(store), T0, FOREVER, HOUR, limit=9)
    assert (bucket.count, bucket.failed, bucket.expected) == (30, 30, 60)


def test_expected_is_unknown_where_no_value_says_its_interval(store: SeriesStore) -> None:
    store.write([point(T0, 1.0, interval_ms=0), point(T0 + HOUR, 1.0, interval_ms=0), point(T0 + HOUR + 1, 1.0)])
    assert [b.expected for b in store.buckets(the_id(store), T0, FOREVER, HOUR, limit=9)] == [None, 60]


def test_a_value_that_stands_for_longer_than_its_bucket_is_all_that_is_expected(store: SeriesStore) -> None:
    store.write([point(T0, 1.0, interval_ms=HOUR)])
    (bucket,) = store.buckets(the_id(store), T0, FOREVER, 10 * MINUTE, limit=9)
    assert (bucket.count, bucket.expected) == (1, 1)


def test_a_day_begins_at_local_midnight(store: SeriesStore) -> None:
    midnight = T0 + DAY - JAKARTA
    store.write([point(midnight - 1, 1.0), point(midnight, 2.0), point(midnight + DAY - 1, 3.0)])
    days = store.buckets(the_id(store), 0, FOREVER, DAY, offset_ms=JAKARTA, limit=9)
    assert [(day.start_ms, day.count) for day in days] == [(midnight - DAY, 1), (midnight, 2)]


def test_days_of_another_zone_are_right_too(store: SeriesStore) -> None:
    store.write([point(T0 - 1, 1.0), point(T0, 2.0), point(T0 + DAY - 1, 3.0)])
    days = store.buckets(the_id(store), 0, FOREVER, DAY, offset_ms=0, limit=9)
    assert [(day.start_ms, day.count) for day in days] == [(T0 - DAY, 1), (T0, 2)]


def test_samples_are_those_from_start_until_before_end_in_order(store: SeriesStore) -> None:
    store.write([point(T0 + n, float(n)) for n in (5, 3, 1, 4, 2)])
    series = the_id(store)
    assert [s.value for s in store.samples(series, T0 + 2, T0 + 5, limit=9)] == [2.0, 3.0, 4.0]
    assert [s.value for s in store.samples(series, T0, FOREVER, limit=2)] == [1.0, 2.0]
    assert store.samples(series, T0 + 5, T0 + 5, limit=9) == []


def test_buckets_are_those_that_begin_from_start_until_before_end(store: SeriesStore) -> None:
    store.write([point(T0 + n * HOUR + MINUTE, 1.0) for n in range(6)])
    series = the_id(store)
    found = store.buckets(series, T0 + 1, T0 + 3 * HOUR + 1, HOUR, limit=9)
    assert [(b.start_ms - T0) // HOUR for b in found] == [1, 2, 3]
    assert store.buckets(series, T0 + 1, T0 + HOUR, HOUR, limit=9) == []


def test_the_limit_counts_buckets_that_hold_something(store: SeriesStore) -> None:
    store.write([point(T0 + n * HOUR, 1.0) for n in (0, 2, 3, 4, 500, 501, 502)])
    assert hours(store, limit=3) == [(0, 1), (2, 1), (3, 1)]
    assert hours(store, limit=5) == [(0, 1), (2, 1), (3, 1), (4, 1), (500, 1)]
    assert hours(store, limit=7)[-1] == (502, 1)
    assert hours(store, limit=0) == []


def test_series_are_filtered_and_paged_in_the_order_of_their_ids(store: SeriesStore) -> None:
    store.write([point(T0, 1.0, key=key) for key in (TEMPERATURE, WIND, RAIN)])
    everything = store.series()
    assert [info.id for info in everything] == sorted(info.id for info in everything)
    assert {info.key for info in store.series(site="north")} == {TEMPERATURE, WIND}
    assert {info.key for info in store.series(device="station-2")} == {RAIN}
    assert {info.key for info in store.series(site="north", quantity="wind_direction")} == {WIND}
    assert store.series(site="nowhere") == []
    first = store.series(limit=2)
    assert first == everything[:2]
    assert store.series(limit=2, after=first[-1].id) == everything[2:]


def test_a_series_keeps_its_id(store: SeriesStore) -> None:
    store.write([point(T0, 1.0, key=WIND)])
    before = the_id(store, WIND)
    store.write([point(T0 + n, 1.0, key=key) for n in range(3) for key in (RAIN, WIND, TEMPERATURE)])
    assert the_id(store, WIND) == before
    assert set(store.find([before, before + 10_000])) == {before}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_refused_with_its_whole_batch(store: SeriesStore, value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        store.write([point(T0, 1.0), point(T0 + 1, value)])
    assert store.series() == []
    store.write([point(T0, 1.0)])
    assert len(store.series()) == 1


def test_a_question_that_nothing_can_match_has_an_empty_answer(store: SeriesStore) -> None:
    store.write([point(T0, 1.0)])
    series, vast = the_id(store), 10**30
    assert store.samples(vast, 0, FOREVER, limit=9) == store.buckets(vast, 0, FOREVER, HOUR, limit=9) == []
    assert store.samples(series, vast, 2 * vast, limit=9) == store.samples(series, -2 * vast, -vast, limit=9) == []
    assert store.buckets(series, vast, 2 * vast, HOUR, limit=9) == []
    assert store.buckets(series, -2 * vast, -vast, HOUR, limit=9) == []
    assert store.series(after=vast) == []
    assert store.find([vast, -1, 0]) == store.latest([vast, -1, 0]) == store.find([]) == {}
    assert store.series(site="' OR 1=1 --") == []


def test_the_widest_question_has_the_whole_answer(store: SeriesStore) -> None:
    store.write([point(T0, 1.0)])
    series, vast = the_id(store), 10**30
    assert len(store.samples(series, -vast, vast, limit=vast)) == 1
    assert len(store.buckets(series, -vast, vast, MINUTE, offset_ms=vast, limit=vast)) == 1
    with pytest.raises(ValueError, match="wide"):
        store.buckets(series, 0, FOREVER, 0, limit=9)


def test_a_store_that_is_closed_and_opened_again_is_the_same(opener: Opener, tmp_path: Path) -> None:
    """Promise P1."""
    limits = {"raw_days": 30, "hourly_days": 60, "day_offset_ms": JAKARTA}
    store = opener(tmp_path, **limits)
    store.write([point(T0 + n * MINUTE, float(n)) for n in range(100)])
    infos, before = store.series(), hours(store)
    store.close()
    again = opener(tmp_path, **limits)
    assert (again.series(), hours(again)) == (infos, before)
    again.close()


def test_random_lives_equal_the_oracle(opener: Opener) -> None:
    """Promises P2 and P5: late, repeated and overwriting points, upkeep, reopening and retention in any order."""
    life = type("Life", (SeriesMachine,), {"open_store": staticmethod(opener)})
    run_state_machine_as_test(
        life,
        settings=settings(
            max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
