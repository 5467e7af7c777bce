"""What is no longer kept: the floors below which a reader sees nothing, and the deleting that follows at leisure."""

from __future__ import annotations

import sqlite3

from api.series.rollups import DAY_MS, floor
from api.series.sqlite import schema
from api.series.sqlite.file import State
from api.series.sqlite.tuning import Tuning

_NEXT_SERIES = "SELECT min(id) FROM series WHERE id > ?"
_CHUNK_END = "SELECT at_ms FROM sample WHERE series = ? AND at_ms < ? ORDER BY at_ms LIMIT 1 OFFSET ?"
_DELETE_SAMPLES = "DELETE FROM sample WHERE series = ? AND at_ms < ?"
_DELETE_HOURS = "DELETE FROM hour WHERE series = ? AND start_ms < ?"
_FIRST = f"""
WITH RECURSIVE {schema.RUNS}
UPDATE latest SET first_ms = (
    SELECT min(at_ms) FROM (
        SELECT min(at_ms) AS at_ms FROM sample WHERE series = :series
        UNION ALL
        SELECT min(l.at_ms) FROM run CROSS JOIN log l WHERE l.run = run.n AND l.series = :series))
WHERE series = :series AND first_ms < :floor
"""  # noqa: S608 - a fragment of ours


def lifted(state: State, newest_ms: int, now_ms: int, raw_days: int, hourly_days: int) -> State | None:
    """The file's state with the floors that are due, None when they stand already.

    Floors lie at the beginning of a day, so that no hour and no day loses a part of its samples, and never go down.

    Args:
        state: as it is.
        newest_ms: time of the newest point.
        now_ms: by the clock.
        raw_days, hourly_days: how long to keep; counted back from the earlier of those two times.
    """
    reference = min(newest_ms, now_ms)
    raw = max(state.raw_floor_ms, floor(reference - raw_days * DAY_MS, DAY_MS, state.day_offset_ms))
    hour = max(state.hour_floor_ms, floor(reference - hourly_days * DAY_MS, DAY_MS, state.day_offset_ms))
    if (raw, hour) == (state.raw_floor_ms, state.hour_floor_ms):
        return None
    return state._replace(raw_floor_ms=raw, hour_floor_ms=hour)


class Pruner:
    """One walk over all series that deletes what is below the floors."""

    def __init__(self, connection: sqlite3.Connection, tuning: Tuning, state: State) -> None:
        self._connection, self._tuning, self._state = connection, tuning, state
        self._series: int | None = None
        self._done_upto = 0

    def step(self) -> bool:
        """Delete one chunk within the caller's transaction; False when the walk is over."""
        if self._series is None:
            (self._series,) = self._connection.execute(_NEXT_SERIES, (self._done_upto,)).fetchone()
        if self._series is None:
            return False
        raw_floor = self._state.raw_floor_ms
        row = self._connection.execute(_CHUNK_END, (self._series, raw_floor, self._tuning.chunk_rows)).fetchone()
        self._connection.execute(_DELETE_SAMPLES, (self._series, row[0] if row else raw_floor))
        if row is None:
            self._connection.execute(_DELETE_HOURS, (self._series, self._state.hour_floor_ms))
            self._connection.execute(_FIRST, {"series": self._series, "floor": raw_floor})
            self._done_upto, self._series = self._series, None
        return True
