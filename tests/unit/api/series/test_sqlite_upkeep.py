"""Moving and retention of the embedded store, slice by slice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.series.sqlite import SqliteSeriesStore
from api.series.sqlite.tuning import Tuning
from broker.contract.series import Point, SeriesKey

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
T0 = 1_760_000_000_000 // DAY * DAY
FOREVER = T0 + 1000 * DAY
KEY = SeriesKey("north", "station-1", "bme", "temperature")
OTHER = SeriesKey("north", "station-1", "bme", "humidity")

SMALL = Tuning(run_fill=6, run_rows=8, move_per_series=1, move_least=10, move_most=30, chunk_rows=5)

Opener = Callable[..., SqliteSeriesStore]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    """Opens the store of this test; what is still open is closed at the end."""
    stores: list[SqliteSeriesStore] = []

    def opener(**settings: int) -> SqliteSeriesStore:
        for store in stores:
            store.close()
        limits = {"raw_days": 2, "hourly_days": 4, "day_offset_ms": 0, **settings}
        stores.append(SqliteSeriesStore(tmp_path / "series.db", tuning=SMALL, **limits))
        return stores[-1]

    yield opener
    for store in stores:
        store.close()


def points(hours: range, value: float = 0.0, key: SeriesKey = KEY) -> list[Point]:
    return [Point(key, T0 + hour * HOUR, value + hour, 2, HOUR) for hour in hours]


def rows(tmp_path: Path, table: str) -> int:
    connection = sqlite3.connect(tmp_path / "series.db")
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(count)


def values(store: SqliteSeriesStore) -> list[float]:
    return [sample.value for sample in store.samples(1, 0, FOREVER, limit=1000)]


def days(store: SqliteSeriesStore) -> list[float]:
    return [day.total for day in store.buckets(1, 0, FOREVER, DAY, limit=1000)]


def settle(store: SqliteSeriesStore, now_ms: int = T0) -> None:
    while store.maintain(now_ms, budget_ms=0):
        pass


@pytest.mark.parametrize("restarts", [False, True])
def test_each_slice_and_each_restart_shows_what_was_written_last(opened: Opener, restarts: bool) -> None:
    """Promises P1 and P2: of three values for each time, in three runs, the last is what every reader sees."""
    store = opened()
    for value in (100.0, 200.0, 300.0):
        store.write(points(range(20), value))
    last, total = [300.0 + hour for hour in range(20)], 20 * 300.0 + 190
    for _ in range(60):
        assert values(store) == last
        assert days(store) == [total]
        store.maintain(T0, budget_ms=0)
        if restarts:
            store = opened()
    settle(store)
    assert (values(store), days(store)) == (last, [total])


def test_what_is_written_during_a_sweep_is_not_lost(opened: Opener, tmp_path: Path) -> None:
    """Promise P1."""
    store = opened()
    store.write(points(range(20)))
    assert store.maintain(T0, budget_ms=0)
    store.write(points(range(2), 500.0))
    store.write(points(range(30, 31), 500.0))
    settle(store)
    assert values(store) == [500.0, 501.0, *map(float, range(2, 20)), 530.0]
    assert rows(tmp_path, "log") == 3


def test_the_log_is_left_alone_until_a_move_is_worth_it(opened: Opener, tmp_path: Path) -> None:
    store = opened()
    store.write(points(range(1)))
    settle(store)
    store.write(points(range(1, 10)))
    assert not store.maintain(T0, budget_ms=0)
    assert rows(tmp_path, "log") == 9
    store.write(points(range(10, 11)))
    settle(store)
    assert (rows(tmp_path, "log"), rows(tmp_path, "sample")) == (0, 11)


def test_a_slice_without_budget_moves_one_chunk(opened: Opener, tmp_path: Path) -> None:
    store = opened()
    store.write(points(range(24)))
    assert store.maintain(T0, budget_ms=0)
    assert rows(tmp_path, "sample") == SMALL.chunk_rows
    assert (values(store), days(store)) == ([float(hour) for hour in range(24)], [276.0])


def test_maintaining_an_idle_store_writes_nothing(opened: Opener, tmp_path: Path) -> None:
    store = opened()
    store.write(points(range(24)))
    settle(store)
    connection = sqlite3.connect(tmp_path / "series.db")
    before = connection.execute("PRAGMA data_version").fetchone()
    assert not store.maintain(T0)
    assert connection.execute("PRAGMA data_version").fetchone() == before
    connection.close()


def test_retention_hides_old_samples_at_once_and_keeps_their_figures(opened: Opener, tmp_path: Path) -> None:
    store = opened()
    store.write(points(range(6 * 24)))
    store.maintain(T0 + 6 * DAY, budget_ms=0)
    kept = [float(hour) for hour in range(3 * 24, 6 * 24)]  # two days before the newest, and the rest of that day
    assert rows(tmp_path, "sample") < 6 * 24
    assert values(store) == kept
    settle(store, T0 + 6 * DAY)
    assert (values(store), rows(tmp_path, "sample")) == (kept, len(kept))
    assert len(days(store)) == 6
    assert store.buckets(1, 0, FOREVER, HOUR, limit=1)[0].start_ms == T0 + DAY
    assert rows(tmp_path, "hour") == 5 * 24


def test_first_follows_retention_before_and_after_the_rows_are_gone(opened: Opener) -> None:
    """Promise P5: a series does not claim samples that it no longer has."""
    store = opened()
    store.write(points(range(6 * 24)))
    store.write(points(range(3), key=OTHER))
    assert [info.first_ms for info in store.series()] == [T0, T0]
    for _ in range(200):
        store.maintain(T0 + 6 * DAY, budget_ms=0)
        first = {info.key: (info.first_ms, info.last_ms) for info in store.series()}
        assert first[KEY] == (T0 + 3 * DAY, T0 + 6 * DAY - HOUR)
        assert first[OTHER] == (T0 + 2 * HOUR, T0 + 2 * HOUR)
    other = next(info.id for info in store.series() if info.key == OTHER)
    assert store.latest([other])[other].value == 2.0
    assert store.samples(other, 0, FOREVER, limit=9) == []


def test_a_series_that_comes_back_after_retention_begins_anew(opened: Opener) -> None:
    store = opened()
    store.write([*points(range(3), key=OTHER), *points(range(6 * 24))])
    settle(store, T0 + 6 * DAY)
    store.write(points(range(140, 142), key=OTHER))
    first = {info.key: info.first_ms for info in store.series()}
    assert first[OTHER] == T0 + 140 * HOUR


def test_points_older_than_retention_are_left_out_and_counted(opened: Opener) -> None:
    store = opened()
    store.write(points(range(6 * 24)))
    settle(store, T0 + 6 * DAY)
    before = days(store)
    assert store.write([*points(range(10), 1000.0), *points(range(144, 145))]) == 10
    assert store.write(points(range(10), 1000.0)) == 10
    assert days(store) == [*before, 144.0]
    again = opened()
    assert again.write(points(range(10), 1000.0)) == 10


def test_late_points_that_were_taken_are_in_the_figures_before_their_day_is_deleted(opened: Opener) -> None:
    """Promise P5: what was accepted counts, though retention comes by before it has been moved."""
    store = opened()
    store.write(points(range(6 * 24)))
    settle(store)
    store.write([Point(KEY, T0 + 1, 7.0, 2, HOUR)])
    total = days(store)[0]
    settle(store, T0 + 6 * DAY)
    assert days(store)[0] == total == sum(range(24)) + 7.0


def test_a_clock_that_runs_ahead_deletes_nothing(opened: Opener) -> None:
    """Promise P1: the server's clock jumps to another century."""
    store = opened()
    store.write(points(range(30)))
    settle(store, T0 + 36500 * DAY)
    assert values(store) == [float(hour) for hour in range(30)]


def test_keeping_longer_brings_nothing_back_and_loses_nothing(opened: Opener) -> None:
    store = opened()
    store.write(points(range(6 * 24)))
    settle(store, T0 + 6 * DAY)
    before = values(store)
    longer = opened(raw_days=100, hourly_days=100)
    settle(longer, T0 + 6 * DAY)
    assert values(longer) == before
