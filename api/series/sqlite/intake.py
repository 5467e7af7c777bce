"""How points get into the log and into `latest`."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from api.series.sqlite.file import transaction
from api.series.sqlite.tuning import Tuning
from broker.contract.series import Point, SeriesKey

Row = tuple[int, int, float, int, int]
"""series, at_ms, value, quality, interval_ms."""

LAST_MS = 2**53
"""Times are below this: what a JSON number holds exactly."""

_ADD_SERIES = "INSERT INTO series (site, device, sensor, quantity) VALUES (?, ?, ?, ?) RETURNING id"
_FIND_SERIES = "SELECT id FROM series WHERE site = ? AND device = ? AND sensor = ? AND quantity = ?"
_LOG = "INSERT OR REPLACE INTO log (run, series, at_ms, value, quality, interval_ms) VALUES (?, ?, ?, ?, ?, ?)"
_LATEST = """
INSERT INTO latest (series, at_ms, value, quality, interval_ms, first_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (series) DO UPDATE SET
    at_ms = max(at_ms, excluded.at_ms),
    value = iif(excluded.at_ms >= at_ms, excluded.value, value),
    quality = iif(excluded.at_ms >= at_ms, excluded.quality, quality),
    interval_ms = iif(excluded.at_ms >= at_ms, excluded.interval_ms, interval_ms),
    first_ms = min(coalesce(first_ms, excluded.first_ms), excluded.first_ms)
"""


class Intake:
    """The writing end of the log.

    Attributes:
        run: the run that is being appended to.
        pending: how many rows of each series the log holds in runs that nobody has begun to move.
        rows: how many rows of all series those are.
        newest_ms: time of the newest point of all series, 0 when there is none.
    """

    def __init__(self, connection: sqlite3.Connection, tuning: Tuning, last_run: int) -> None:
        """Go on after `last_run`, with what the log holds."""
        self._connection, self._tuning = connection, tuning
        self._ids: dict[SeriesKey, int] = {}
        self.run, self._run_rows = last_run + 1, 0
        self.pending = Counter(dict(connection.execute("SELECT series, count(*) FROM log GROUP BY series")))
        self.rows = self.pending.total()
        (self.newest_ms,) = connection.execute("SELECT coalesce(max(at_ms), 0) FROM latest").fetchone()

    def write(self, points: Sequence[Point], floor_ms: int) -> int:
        """Append points in one transaction.

        Args:
            points: in any order; of the same series and time the last counts.
            floor_ms: those before it are left out.

        Returns:
            How many were left out.
        """
        taken = _checked(points, floor_ms)
        if not taken:
            return len(points)
        with transaction(self._connection):
            new = self._new_series({point.key for point in taken})
            ids = self._ids | new if new else self._ids
            rows = [(ids[key], at, value, quality, interval) for key, at, value, quality, interval in taken]
            rows.sort(key=itemgetter(0, 1))  # stable: of the same series and time the last stays last
            run, run_rows = self._append(rows)
            self._connection.executemany(_LATEST, _newest(rows))
        self._ids, self.run, self._run_rows = ids, run, run_rows
        self.pending.update(map(itemgetter(0), rows))
        self.rows += len(rows)
        self.newest_ms = max(self.newest_ms, *map(itemgetter(1), rows))
        return len(points) - len(taken)

    def seal(self) -> int:
        """The last run that holds anything; what is written from now on goes into later ones."""
        if self._run_rows == 0:
            return self.run - 1
        self.run, self._run_rows = self.run + 1, 0
        return self.run - 1

    def take_pending(self) -> Counter[int]:
        """What is pending, which someone now begins to move."""
        taken, self.pending, self.rows = self.pending, Counter(), 0
        return taken

    def _append(self, rows: Sequence[Row]) -> tuple[int, int]:
        """Put sorted rows into the log; the run and its number of rows afterwards."""
        run, filled = self.run, self._run_rows
        if filled and filled + len(rows) > self._tuning.run_fill:
            run, filled = run + 1, 0
        for start in range(0, len(rows), self._tuning.run_rows):
            if start:
                run, filled = run + 1, 0
            part = rows[start : start + self._tuning.run_rows]
            self._connection.executemany(_LOG, [(run, *row) for row in part])
            filled += len(part)
        return run, filled

    def _new_series(self, keys: set[SeriesKey]) -> dict[SeriesKey, int]:
        """Ids of keys that this process has not met yet; those that nobody has met get a new one."""
        found: dict[SeriesKey, int] = {}
        for key in sorted(keys - self._ids.keys()):
            row = self._connection.execute(_FIND_SERIES, key).fetchone()
            found[key] = row[0] if row else self._add(key)
        return found

    def _add(self, key: SeriesKey) -> int:
        (new,) = self._connection.execute(_ADD_SERIES, key).fetchone()
        return int(new)


def _checked(points: Sequence[Point], floor_ms: int) -> list[Point]:
    """Those from `floor_ms` on. Raises ValueError for a point that no series can hold."""
    for point in points:
        if not (math.isfinite(point.value) and 0 <= point.at_ms < LAST_MS and 0 <= point.interval_ms < LAST_MS):
            raise ValueError(f"{point}: a value is finite, a time is after 1970, an interval is not negative")
    return [point for point in points if point.at_ms >= floor_ms]


def _newest(rows: Iterable[Row]) -> Iterator[tuple[int, int, float, int, int, int]]:
    """Of rows sorted by series and time: the newest of each series, and the time of its oldest."""
    for _, group in groupby(rows, key=itemgetter(0)):
        same = list(group)
        yield (*same[-1], same[0][1])
