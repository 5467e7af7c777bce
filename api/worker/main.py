"""`python -m api worker`: carries readings into the series store, counts presses, keeps every store in its bounds."""

from __future__ import annotations

import time
from pathlib import Path

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from api.clock import now_ms
from api.config import Settings
from api.db import open_engine
from api.exposition import expose
from api.ingest.cursors import Cursors
from api.ingest.forwarder import Forwarder
from api.ingest.journal import JournalDamagedError, JournalReader
from api.ports import SeriesStore
from api.series import open_store
from api.stop import Stop
from api.worker.jobs import Job, take_turns
from api.worker.metrics import WorkerCollector
from api.worker.press_counts import PressCounts
from api.worker.upkeep import EndedSessions, QuarantineLimit

FORWARD_S = 1.0
"""Pause when a journal is forwarded to its end: a batch a second wears an SD card less than a row at a time, and live
pages do not wait for it."""

COUNT_S, MAINTAIN_S, LOOK_S, PRUNE_S, LIMIT_S, SESSIONS_S, MEASURE_S = 2.0, 1.0, 2.0, 30.0, 60.0, 300.0, 5.0
"""Pauses of press counts, upkeep of the series store, looking for new journals, pruning them, the quarantine's limit,
ended sessions and the measuring of lags."""

PRUNE_ROWS = 500
"""Journal rows deleted in one transaction, which ingest waits for."""

MAINTAIN_MS = 50
DAY_MS = 86_400_000


class Worker:
    """The jobs of one worker process. A job is added for each journal that appears in the data directory."""

    def __init__(self, settings: Settings, engine: Engine, store: SeriesStore) -> None:
        self._data_dir = settings.data_dir
        self._keep_ms = settings.retention.journal_days * DAY_MS
        self._store = store
        self._cursors = Cursors(settings.data_dir / "worker.db")
        self.forwarders: dict[Path, Forwarder] = {}
        self.quarantine = QuarantineLimit(engine, settings.retention.quarantine_per_reason)
        self.jobs = [
            Job("look for journals", LOOK_S, self._look),
            Job("count presses", COUNT_S, PressCounts(engine, store).step),
            Job("maintain the series store", MAINTAIN_S, self._maintain),
            Job("limit the quarantine", LIMIT_S, self.quarantine.step),
            Job("forget ended sessions", SESSIONS_S, EndedSessions(engine, now_ms).step),
            Job("measure", MEASURE_S, self._measure),
        ]
        self.metrics = WorkerCollector(self.forwarders, self.jobs, self.quarantine)

    def close(self) -> None:
        """Let go of every file."""
        for forwarder in self.forwarders.values():
            forwarder.close()
        self._cursors.close()

    def _look(self) -> bool:
        """Take up journals that have appeared. Raises the last JournalDamagedError after trying them all."""
        damaged: JournalDamagedError | None = None
        for path in sorted(self._data_dir.glob("journal-*.db")):
            try:
                if path not in self.forwarders:
                    self._add(path)
            except JournalDamagedError as error:
                damaged = error
        if damaged is not None:
            raise damaged
        return False

    def _add(self, path: Path) -> None:
        forwarder = self.forwarders[path] = Forwarder(JournalReader(path), self._cursors, self._store)
        self.jobs.append(Job(f"forward {path.name}", FORWARD_S, forwarder.step))
        self.jobs.append(
            Job(f"prune {path.name}", PRUNE_S, lambda: forwarder.prune(now_ms() - self._keep_ms, PRUNE_ROWS))
        )

    def _measure(self) -> bool:
        self.metrics.measure(now_ms())
        return False

    def _maintain(self) -> bool:
        return self._store.maintain(now_ms(), MAINTAIN_MS)


def main(settings: Settings, stop: Stop | None = None) -> None:
    """Work until SIGTERM.

    Raises:
        SeriesStoreError: the series store cannot be opened, or another worker writes it (retryable).
    """
    if stop is None:
        stop = Stop()
        stop.on_signals()
    retention = settings.retention
    store = open_store(
        settings.series_url,
        raw_days=retention.raw_days,
        hourly_days=retention.hourly_days,
        day_offset_ms=settings.day_offset_ms,
    )
    engine = open_engine(settings.facts_url)
    worker = Worker(settings, engine, store)
    registry = CollectorRegistry()
    registry.register(worker.metrics)
    expose(registry, settings.metrics.worker_port)
    try:
        take_turns(worker.jobs, stop, time.monotonic)
    finally:
        worker.close()
        store.close()
        engine.dispose()
