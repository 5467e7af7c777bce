"""How rows get from the log into `sample`, and how the rollups follow."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from api.series.rollups import DAY_MS, HOUR_MS, floor
from api.series.sqlite import schema
from api.series.sqlite.tuning import Tuning

_MOVE = """
WITH RECURSIVE run(n) AS (SELECT :run_from UNION ALL SELECT n + 1 FROM run WHERE n < :run_upto)
INSERT OR REPLACE INTO sample (series, at_ms, value, quality, interval_ms)
SELECT l.series, l.at_ms, l.value, l.quality, l.interval_ms
FROM run CROSS JOIN log l
WHERE l.run = run.n AND l.series > :series_after AND l.series <= :series_upto
    AND (l.run, l.at_ms) > (:run_from, :at_after) AND (l.run, l.at_ms) <= (:run_upto, :at_upto)
ORDER BY l.series, l.at_ms, l.run
"""

_HOURS = f"""
WITH RECURSIVE run(n) AS (SELECT :run_from UNION ALL SELECT n + 1 FROM run WHERE n < :run_upto)
SELECT DISTINCT l.series, {schema.begin_of("l.at_ms", str(HOUR_MS), ":offset")}
FROM run CROSS JOIN log l
WHERE l.run = run.n AND l.series > :series_after AND l.series <= :series_upto
    AND (l.run, l.at_ms) > (:run_from, :at_after) AND (l.run, l.at_ms) <= (:run_upto, :at_upto)
"""  # noqa: S608 - a column of ours and bound parameters

_PART_END = """
WITH RECURSIVE run(n) AS (SELECT :run_from UNION ALL SELECT n + 1 FROM run WHERE n < :run_upto)
SELECT l.run, l.at_ms
FROM run CROSS JOIN log l
WHERE l.run = run.n AND l.series = :series_upto AND (l.run, l.at_ms) > (:run_from, :at_after)
LIMIT 1 OFFSET :rows
"""

_ROLL_HOUR = {
    circular: f"""
INSERT OR REPLACE INTO hour
SELECT :series, :start, {columns} FROM sample WHERE series = :series AND at_ms >= :start AND at_ms < :end
"""  # noqa: S608 - columns of ours
    for circular, columns in schema.TALLY_OF_SAMPLES.items()
}

_ROLL_DAY = f"""
INSERT OR REPLACE INTO day
SELECT :series, :start, {schema.TALLY_OF_TALLIES} FROM hour
WHERE series = :series AND start_ms >= :start AND start_ms < :end
"""  # noqa: S608 - columns of ours

BEYOND = 2**62
"""Later than any time."""


class Chunk(NamedTuple):
    """Rows of the log that are moved in one go: of some series, from one place of each up to another.

    Attributes:
        series_after, series_upto: which series: above the one and up to the other.
        run_from, at_after: rows that come after this run and time …
        run_upto, at_upto: … up to this run and time, in the order of the log.
    """

    series_after: int
    series_upto: int
    run_from: int
    at_after: int
    run_upto: int
    at_upto: int


class Mover:
    """One sweep over the runs of the log up to `last_run`: all series in order, then the runs are deleted.

    Where a sweep is interrupted the next one begins anew: moving a row twice changes nothing, because the log holds
    every run until all of it has been moved and then loses the earliest run first.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        tuning: Tuning,
        day_offset_ms: int,
        pending: Mapping[int, int],
        last_run: int,
    ) -> None:
        """Plan the sweep.

        Args:
            connection: the writer's.
            tuning: sizes.
            day_offset_ms: where days begin.
            pending: rows of each series in those runs, at least.
            last_run: the last run to move.
        """
        self._connection, self._tuning, self._day_offset_ms = connection, tuning, day_offset_ms
        self.last_run = last_run
        (self._first_run,) = connection.execute("SELECT coalesce(min(run), 0) FROM log").fetchone()
        names = connection.execute("SELECT id, quantity FROM series")
        self._circular = {series for series, quantity in names if quantity in schema.CIRCULAR}
        self._chunks = self._plan(dict(sorted(pending.items())))
        self._moved = False

    def step(self) -> bool:
        """Move or delete one chunk within the caller's transaction; False when the sweep is over."""
        if not self._moved:
            chunk = next(self._chunks, None)
            if chunk is not None:
                self._move(chunk)
                return True
            self._moved = True
        return self._delete_run()

    def _plan(self, pending: dict[int, int]) -> Iterator[Chunk]:
        """Series in groups of about chunk_rows; a series that has more comes in parts of its own."""
        after, group, rows = 0, 0, 0
        for series, count in pending.items():
            if count > self._tuning.chunk_rows:
                if rows:
                    yield self._whole(after, group)
                yield from self._parts(series)
                after, rows = series, 0
                continue
            group, rows = series, rows + count
            if rows >= self._tuning.chunk_rows:
                yield self._whole(after, group)
                after, rows = group, 0
        if rows:
            yield self._whole(after, group)

    def _whole(self, after: int, upto: int) -> Chunk:
        return Chunk(after, upto, self._first_run, -1, self.last_run, BEYOND)

    def _parts(self, series: int) -> Iterator[Chunk]:
        chunk = self._whole(series - 1, series)
        while True:
            end = self._connection.execute(
                _PART_END, chunk._asdict() | {"rows": self._tuning.chunk_rows - 1}
            ).fetchone()
            if end is None or end[0] > self.last_run:
                yield chunk
                return
            yield chunk._replace(run_upto=end[0], at_upto=end[1])
            chunk = chunk._replace(run_from=end[0], at_after=end[1])

    def _move(self, chunk: Chunk) -> None:
        bounds = chunk._asdict()
        self._connection.execute(_MOVE, bounds)
        phase = self._day_offset_ms % HOUR_MS
        hours = sorted(self._connection.execute(_HOURS, bounds | {"offset": phase}))
        for circular, roll in _ROLL_HOUR.items():
            self._connection.executemany(
                roll,
                [
                    {"series": series, "start": start, "end": start + HOUR_MS}
                    for series, start in hours
                    if (series in self._circular) is circular
                ],
            )
        days = [(series, floor(start, DAY_MS, self._day_offset_ms)) for series, start in hours]
        self._connection.executemany(
            _ROLL_DAY,
            [{"series": day[0], "start": day[1], "end": day[1] + DAY_MS} for day, _ in groupby(days)],
        )

    def _delete_run(self) -> bool:
        (run,) = self._connection.execute("SELECT min(run) FROM log").fetchone()
        if run is None or run > self.last_run:
            return False
        self._connection.execute("DELETE FROM log WHERE run = ?", (run,))
        return True
