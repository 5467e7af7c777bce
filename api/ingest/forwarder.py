"""From the journal into the series store: by a cursor, in batches, as often as it takes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from api.ingest.cursors import Cursors
from api.ingest.journal import JournalReader, Stored
from api.ingest.pipeline import readings_of
from api.ingest.screening import screen
from api.ports import SeriesStore, SeriesStoreError
from broker.contract.errors import ContractError
from broker.contract.series import Point, SeriesKey
from broker.contract.topics import parse

_LOG = logging.getLogger(__name__)

ROWS = 500
"""Journal rows read at once."""

POINTS = 5_000
"""Points written at once, about: what InfluxDB likes best and SQLite takes in 20 ms."""


class Lag(NamedTuple):
    """How far the series store is behind: rows, and the age of the oldest of them in seconds."""

    rows: int
    seconds: float


class Forwarder:
    """Forwards one journal."""

    def __init__(self, journal: JournalReader, cursors: Cursors, store: SeriesStore) -> None:
        self._journal, self._cursors, self._store = journal, cursors, store
        self._position = cursors.position(journal.id)
        self.points = 0
        """Forwarded since the start."""
        self.too_old = 0
        """Points since the start that are older than the store keeps."""
        self.skipped = 0
        """Rows since the start that the store refuses, or that cannot be read by this version."""

    def step(self) -> bool:
        """Forward the next rows; True while more may be waiting.

        Raises:
            SeriesStoreError: the store is away; nothing is skipped.
            sqlite3.Error: a file is; nothing is skipped.
        """
        rows = self._journal.after(self._position, ROWS)
        for batch in _batches([(row, self._points(row)) for row in rows]):
            self._write(batch)
            self._position = batch[-1][0].id
            self._cursors.save(self._journal.id, self._position)
        return len(rows) == ROWS

    def lag(self, now_ms: int) -> Lag:
        """How much waits. Raises sqlite3.Error."""
        rows, since_ms = self._journal.behind(self._position)
        return Lag(rows, max(0, now_ms - since_ms) / 1000 if rows else 0.0)

    def prune(self, before_ms: int, limit: int) -> bool:
        """Delete up to `limit` rows that were forwarded and received before that time; True while there are more.

        Raises:
            sqlite3.Error: try again later.
        """
        return self._journal.prune(self._position, before_ms, limit) == limit

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()

    def _points(self, row: Stored) -> list[Point]:
        try:
            return points_of(row)
        except ContractError as error:  # ingest took it in, so it was good for another version
            _LOG.error("journal row %d on %s cannot be read and is passed over: %s", row.id, row.topic, error)
            self.skipped += 1
            return []

    def _write(self, batch: Sequence[tuple[Stored, list[Point]]]) -> None:
        points = [point for _, of_row in batch for point in of_row]
        if not points:
            return
        try:
            self._put(points)
        except (SeriesStoreError, ValueError) as error:
            if getattr(error, "retryable", False):
                raise
            self._one_by_one(batch, error)

    def _put(self, points: Sequence[Point]) -> None:
        left_out = self._store.write(points)
        self.points += len(points) - left_out
        if left_out:
            self.too_old += left_out
            _LOG.warning("%d readings are older than the series store keeps ([retention] raw_days)", left_out)

    def _one_by_one(self, batch: Sequence[tuple[Stored, list[Point]]], error: Exception) -> None:
        """Find the rows that the store will never take, so that they hold up no other.

        When it takes none of several the fault is the store's (a wrong token, a schema): then nothing is passed over.
        """
        refused: list[tuple[Stored, str]] = []
        for row, points in batch:
            try:
                self._put(points)
            except (SeriesStoreError, ValueError) as refusal:
                if getattr(refusal, "retryable", False):
                    raise
                refused.append((row, str(refusal)))
        if len(refused) == len(batch):
            raise SeriesStoreError(f"the series store takes nothing: {error}", retryable=True) from error
        for row, why in refused:
            _LOG.error("journal row %d on %s is passed over: %s", row.id, row.topic, why)
        self.skipped += len(refused)


def points_of(row: Stored) -> list[Point]:
    """The good readings of a journal row as points. Raises ContractError when it cannot be read."""
    records, clock = readings_of(row.topic, row.payload)
    good, _ = screen(records, clock, row.received_ms)
    return [
        Point(
            _key(row.topic, reading.sensor, reading.quantity),
            reading.at_ms,
            reading.value,
            reading.quality,
            reading.interval_ms,
        )
        for reading in good
    ]


@lru_cache(maxsize=65_536)
def _key(topic: str, sensor: str, quantity: str) -> SeriesKey:
    address = parse(topic)
    return SeriesKey(address.site, address.device, sensor, quantity)


def _batches(rows: Sequence[tuple[Stored, list[Point]]]) -> Iterator[list[tuple[Stored, list[Point]]]]:
    """Rows in order, cut where a batch has points enough."""
    batch: list[tuple[Stored, list[Point]]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row[1])
        if size >= POINTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
