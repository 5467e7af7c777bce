"""How the answers of the store are put together from log, samples and rollups.

Of a series and time the latest run of the log counts, then `sample`; hours and days that have something in the log are
added up from those rows, all others come from their tables.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

from api.ports import Bucket, Sample, SeriesInfo
from api.series.rollups import DAY_MS, HOUR_MS, Tally, bucket, ceil, floor, merge, regroup
from api.series.sqlite import schema
from api.series.sqlite.file import State, read_state
from broker.contract.series import SeriesKey

LAST_MS = 2**53
"""No time is later; keeps arithmetic with what the caller asks within SQLite's integers."""

_COLUMNS = "s.id, s.site, s.device, s.sensor, s.quantity, l.first_ms, l.at_ms, l.interval_ms"

_SERIES = f"""
SELECT {_COLUMNS} FROM series s JOIN latest l ON l.series = s.id
WHERE s.id > :after AND (:site IS NULL OR s.site = :site) AND (:device IS NULL OR s.device = :device)
    AND (:quantity IS NULL OR s.quantity = :quantity)
ORDER BY s.id LIMIT :limit
"""  # noqa: S608 - columns of ours

_FIND = f"""
SELECT {_COLUMNS} FROM json_each(?) j CROSS JOIN series s ON s.id = j.value JOIN latest l ON l.series = s.id
"""  # noqa: S608 - columns of ours

_FIRST_SAMPLE = """
SELECT j.value, (SELECT min(at_ms) FROM sample WHERE series = j.value AND at_ms >= :floor) FROM json_each(:ids) j
"""

_FIRST_LOGGED = "SELECT series, min(at_ms) FROM log WHERE at_ms >= :floor GROUP BY series"

_LATEST = """
SELECT l.series, l.at_ms, l.value, l.quality FROM json_each(?) j CROSS JOIN latest l ON l.series = j.value
"""

_FRESH = f"""
WITH RECURSIVE {schema.RUNS},
fresh AS MATERIALIZED (
    SELECT l.at_ms, l.value, l.quality, l.interval_ms, max(l.run)
    FROM run CROSS JOIN log l
    WHERE l.run = run.n AND l.series = :id AND l.at_ms >= :start AND l.at_ms < :end
    GROUP BY l.at_ms)
"""  # noqa: S608 - a fragment of ours; of rows that share a time, max(run) picks the one it stands in

_RAW = f"""
{_FRESH},
raw AS (
    SELECT at_ms, value, quality, interval_ms FROM fresh
    UNION ALL
    SELECT at_ms, value, quality, interval_ms FROM sample
    WHERE series = :id AND at_ms >= :start AND at_ms < :end AND at_ms NOT IN (SELECT at_ms FROM fresh))
"""  # noqa: S608 - a fragment of ours

_SAMPLES = f"{_RAW} SELECT at_ms, value, quality FROM raw ORDER BY at_ms LIMIT :limit"  # noqa: S608 - likewise

_RAW_TALLIES = {
    circular: f"""
{_RAW} SELECT {schema.begin_of("at_ms", ":width", ":offset")} AS begin, {columns} FROM raw GROUP BY begin
"""  # noqa: S608 - columns of ours
    for circular, columns in schema.TALLY_OF_SAMPLES.items()
}

_FRESH_HOURS = {
    circular: f"""
{_FRESH},
fresh_hour AS MATERIALIZED (SELECT DISTINCT {schema.begin_of("at_ms", str(HOUR_MS), ":offset")} AS start_ms FROM fresh),
raw AS (
    SELECT at_ms, value, quality, interval_ms FROM fresh
    UNION ALL
    SELECT s.at_ms, s.value, s.quality, s.interval_ms FROM fresh_hour CROSS JOIN sample s
    WHERE s.series = :id AND s.at_ms >= fresh_hour.start_ms AND s.at_ms < fresh_hour.start_ms + {HOUR_MS}
        AND s.at_ms NOT IN (SELECT at_ms FROM fresh))
SELECT {schema.begin_of("at_ms", str(HOUR_MS), ":offset")} AS begin, {columns} FROM raw GROUP BY begin
"""  # noqa: S608 - columns of ours
    for circular, columns in schema.TALLY_OF_SAMPLES.items()
}

_FRESH_DAYS = f"""
{_FRESH} SELECT DISTINCT {schema.begin_of("at_ms", str(DAY_MS), ":offset")} FROM fresh ORDER BY 1
"""  # noqa: S608 - likewise

_STORED = {
    width: f"SELECT start_ms, {schema.TALLY} FROM {table} WHERE series = ? AND start_ms >= ? AND start_ms < ?"  # noqa: S608 - likewise
    for width, table in ((HOUR_MS, "hour"), (DAY_MS, "day"))
}

_NEXT = {
    width: f"""
WITH RECURSIVE {schema.RUNS}
SELECT min(at_ms) FROM (
    SELECT min({column}) AS at_ms FROM {table} WHERE series = :id AND {column} >= :start
    UNION ALL
    SELECT min(l.at_ms) FROM run CROSS JOIN log l WHERE l.run = run.n AND l.series = :id AND l.at_ms >= :start)
"""  # noqa: S608 - likewise
    for width, table, column in ((0, "sample", "at_ms"), (HOUR_MS, "hour", "start_ms"), (DAY_MS, "day", "start_ms"))
}


def series(
    connection: sqlite3.Connection, site: str | None, device: str | None, quantity: str | None, after: int, limit: int
) -> list[SeriesInfo]:
    """As the port says."""
    wanted = {"site": site, "device": device, "quantity": quantity, "after": after, "limit": limit}
    return _infos(connection, connection.execute(_SERIES, wanted).fetchall())


def find(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, SeriesInfo]:
    """As the port says."""
    rows = connection.execute(_FIND, (json.dumps(sorted(set(ids))),)).fetchall()
    return {info.id: info for info in _infos(connection, rows)}


def latest(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, Sample]:
    """As the port says."""
    rows = connection.execute(_LATEST, (json.dumps(sorted(set(ids))),))
    return {series: Sample(at, value, quality) for series, at, value, quality in rows}


def samples(connection: sqlite3.Connection, id: int, start_ms: int, end_ms: int, limit: int) -> list[Sample]:
    """As the port says."""
    start = max(start_ms, read_state(connection).raw_floor_ms)
    wanted = {"id": id, "start": min(start, LAST_MS), "end": min(max(end_ms, 0), LAST_MS), "limit": limit}
    return [Sample(*row) for row in connection.execute(_SAMPLES, wanted)]


def buckets(
    connection: sqlite3.Connection, id: int, start_ms: int, end_ms: int, width_ms: int, offset_ms: int, limit: int
) -> list[Bucket]:
    """As the port says."""
    row = connection.execute("SELECT quantity FROM series WHERE id = ?", (id,)).fetchone()
    if row is None:
        return []
    circular = row[0] in schema.CIRCULAR
    source = _Source(connection, read_state(connection), id, circular, width_ms, offset_ms % width_ms)
    if limit == 0:
        return []
    found: list[Bucket] = []
    for start, tally in source.tallies(max(start_ms, -LAST_MS), min(end_ms, LAST_MS), limit):
        found.append(bucket(start, width_ms, tally, circular=circular))
        if len(found) == limit:
            break
    return found


class _Source:
    """The tallies of one series in buckets of one width."""

    def __init__(
        self, connection: sqlite3.Connection, state: State, id: int, circular: bool, width_ms: int, offset_ms: int
    ) -> None:
        self._connection, self._state, self._id, self._circular = connection, state, id, circular
        self._width_ms, self._offset_ms = width_ms, offset_ms
        shifted = offset_ms - state.day_offset_ms
        if width_ms % DAY_MS == 0 and shifted % DAY_MS == 0:
            self._grain, self._floor, self._fetch = DAY_MS, 0, self._days
        elif width_ms % HOUR_MS == 0 and shifted % HOUR_MS == 0:
            self._grain, self._floor, self._fetch = HOUR_MS, state.hour_floor_ms, self._hours
        else:
            self._grain, self._floor, self._fetch = 0, state.raw_floor_ms, self._samples

    def tallies(self, start_ms: int, end_ms: int, limit: int) -> Iterator[tuple[int, Tally]]:
        """Buckets that begin in start <= begin < end, in order; fetched `limit` at a time, gaps leapt over."""
        begin = ceil(max(start_ms, self._floor), self._width_ms, self._offset_ms)
        end = ceil(end_ms, self._width_ms, self._offset_ms)
        while begin < end:
            there = self._connection.execute(_NEXT[self._grain], {"id": self._id, "start": begin}).fetchone()[0]
            if there is None or there >= end:
                return
            begin = floor(there, self._width_ms, self._offset_ms)
            upto = min(end, begin + limit * self._width_ms)
            yield from regroup(self._fetch(begin, upto), self._width_ms, self._offset_ms)
            begin = upto

    def _samples(self, start_ms: int, end_ms: int) -> list[tuple[int, Tally]]:
        span = {"id": self._id, "start": start_ms, "end": end_ms, "width": self._width_ms, "offset": self._offset_ms}
        return [(row[0], Tally(*row[1:])) for row in self._connection.execute(_RAW_TALLIES[self._circular], span)]

    def _hours(self, start_ms: int, end_ms: int) -> list[tuple[int, Tally]]:
        phase = self._state.day_offset_ms % HOUR_MS
        span = {"id": self._id, "start": start_ms, "end": end_ms, "offset": phase}
        hours = self._stored(HOUR_MS, start_ms, end_ms)
        hours.update((row[0], Tally(*row[1:])) for row in self._connection.execute(_FRESH_HOURS[self._circular], span))
        return sorted(hours.items())

    def _days(self, start_ms: int, end_ms: int) -> list[tuple[int, Tally]]:
        days = self._stored(DAY_MS, start_ms, end_ms)
        offset = self._state.day_offset_ms
        fresh = self._connection.execute(
            _FRESH_DAYS, {"id": self._id, "start": start_ms, "end": end_ms, "offset": offset}
        )
        for (day,) in fresh.fetchall():
            days[day] = merge(tally for _, tally in self._hours(day, day + DAY_MS))
        return sorted(days.items())

    def _stored(self, grain: int, start_ms: int, end_ms: int) -> dict[int, Tally]:
        rows = self._connection.execute(_STORED[grain], (self._id, start_ms, end_ms))
        return {row[0]: Tally(*row[1:]) for row in rows}


def _infos(
    connection: sqlite3.Connection, rows: Sequence[tuple[int, str, str, str, str, int | None, int, int]]
) -> list[SeriesInfo]:
    """Rows of _COLUMNS; the oldest sample is looked up where deleting has not yet come by since a floor was lifted."""
    raw_floor = read_state(connection).raw_floor_ms
    behind = [row[0] for row in rows if row[5] is not None and row[5] < raw_floor]
    first = _first_visible(connection, behind, raw_floor) if behind else {}
    infos = []
    for found, site, device, sensor, quantity, stored, last, interval in rows:
        oldest = first.get(found) if stored is not None and stored < raw_floor else stored
        key = SeriesKey(site, device, sensor, quantity)
        infos.append(SeriesInfo(found, key, last if oldest is None else oldest, last, interval))
    return infos


def _first_visible(connection: sqlite3.Connection, ids: Sequence[int], floor_ms: int) -> dict[int, int]:
    """Time of the oldest sample from `floor_ms` on of those series that have one."""
    moved = dict(connection.execute(_FIRST_SAMPLE, {"ids": json.dumps(ids), "floor": floor_ms}))
    logged = dict(connection.execute(_FIRST_LOGGED, {"floor": floor_ms}))
    both = {series: [at for at in (moved[series], logged.get(series)) if at is not None] for series in ids}
    return {series: min(times) for series, times in both.items() if times}
