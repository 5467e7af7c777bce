"""The one writer of a series file: intake and upkeep on one connection."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from api.ports import SeriesStoreError
from api.series.sqlite import file
from api.series.sqlite.faults import translated
from api.series.sqlite.intake import Intake
from api.series.sqlite.mover import Mover
from api.series.sqlite.retention import Pruner, lifted
from api.series.sqlite.tuning import Tuning
from broker.contract.series import Point

STEPS_SHARE = 0.7
"""Of a slice's budget; the rest is for the commit, which now and then copies the write-ahead log into the file."""


class Writer:
    """Writes and maintains; its calls may come from several threads and are carried out one by one."""

    def __init__(self, path: Path, *, raw_days: int, hourly_days: int, day_offset_ms: int, tuning: Tuning) -> None:
        """Take the writer's lock and open the file. Raises SeriesStoreError."""
        self._path, self._tuning = path, tuning
        self._raw_days, self._hourly_days = raw_days, hourly_days
        self._busy = threading.Lock()
        self._closed = self._doubtful = False
        self._lock = file.WriterLock(path)
        try:
            self._connection = file.open_writer(path, day_offset_ms, tuning.busy_s)
            with translated(path):
                self._load()
        except BaseException:
            self._lock.release()
            raise

    def write(self, points: Sequence[Point]) -> int:
        """As the port says."""
        with self._working():
            return self._intake.write(points, self._state.raw_floor_ms)

    def maintain(self, now_ms: int, budget_ms: int) -> bool:
        """As the port says; a budget of 0 is one step."""
        with self._working():
            self._lift_floors(now_ms)
            job = self._job()
            if job is None:
                return False
            with file.transaction(self._connection):
                going = self._work(job, budget_ms * STEPS_SHARE / 1000)
            if not going:
                self._finish(job)
            return self._job() is not None

    def close(self) -> None:
        """Close the file and let another writer in."""
        with self._busy:
            if not self._closed:
                self._closed = True
                self._connection.close()
                self._lock.release()

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """Alone on the connection; after a fault, what is remembered of the file is read from it again."""
        with self._busy:
            if self._closed:
                raise SeriesStoreError(f"{self._path}: this store has been closed", retryable=False)
            with translated(self._path):
                if self._doubtful:
                    self._load()
                self._doubtful = True
                try:
                    yield
                except ValueError:
                    self._doubtful = False  # refused before the file was touched
                    raise
                self._doubtful = False

    def _load(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._state = file.read_state(self._connection)
        (last_run,) = self._connection.execute("SELECT coalesce(max(run), 0) FROM log").fetchone()
        self._intake = Intake(self._connection, self._tuning, max(last_run, self._state.drain_run))
        self._mover: Mover | None = None
        self._pruner = self._new_pruner()
        self._doubtful = False

    def _lift_floors(self, now_ms: int) -> None:
        state = lifted(self._state, self._intake.newest_ms, now_ms, self._raw_days, self._hourly_days)
        if state is None:
            return
        state = state._replace(drain_run=self._intake.seal())
        with file.transaction(self._connection):
            file.write_state(self._connection, state)
        self._state = state
        self._pruner = self._new_pruner()

    def _job(self) -> Mover | Pruner | None:
        """What is to be done now: a sweep that has begun or is due, else deleting what is below the floors."""
        if self._mover is None and self._move_due():
            pending = self._intake.take_pending()
            self._mover = Mover(
                self._connection, self._tuning, self._state.day_offset_ms, pending, last_run=self._intake.seal()
            )
        return self._mover or self._pruner

    def _move_due(self) -> bool:
        rows, series = self._intake.rows, len(self._intake.pending)
        tuning = self._tuning
        if rows >= min(max(tuning.move_least, tuning.move_per_series * series), tuning.move_most):
            return True
        return self._pruner is not None and self._first_run() <= self._state.drain_run

    def _work(self, job: Mover | Pruner, budget_s: float) -> bool:
        """Steps of the job, at least one, as long as another of the longest yet would fit; whether there are more."""
        begun = now = time.monotonic()
        longest = 0.0
        going = True
        while going and (now - begun + longest <= budget_s or now == begun):
            going = job.step()
            before, now = now, time.monotonic()
            longest = max(longest, now - before)
        return going

    def _first_run(self) -> int:
        (run,) = self._connection.execute("SELECT min(run) FROM log").fetchone()
        return self._state.drain_run + 1 if run is None else int(run)

    def _finish(self, job: Mover | Pruner) -> None:
        if job is self._mover:
            self._mover = None
        else:
            self._pruner = None

    def _new_pruner(self) -> Pruner | None:
        state = self._state
        return Pruner(self._connection, self._tuning, state) if state.raw_floor_ms or state.hour_floor_ms else None
