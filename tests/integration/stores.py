"""The stores of an ingest process on a directory, for tests."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from api import db
from api.ingest.contact_rows import ContactRows
from api.ingest.facts import Facts
from api.ingest.intake import Intake
from api.ingest.journal import Journal, JournalReader, path_for
from api.ingest.metrics import IngestMetrics
from api.services import handlers
from api.spec import Handler
from tests.unit.api.ingest.messages import DEVICE


def facts_engine(directory: Path, url: str | None = None, *, busy_ms: int = 50) -> Engine:
    """The facts, with every table; on SQLite a lock is waited for a moment only."""
    engine = db.open_engine(url or f"sqlite:///{directory / 'facts.db'}")
    if url is None:
        event.listen(engine, "connect", lambda connection, _: connection.execute(f"PRAGMA busy_timeout={busy_ms}"))
    db.Base.metadata.create_all(engine)
    return engine


class Stores:
    """An intake and what lies under it."""

    def __init__(
        self, directory: Path, by_kind: Mapping[str, Sequence[Handler]] | None = None, url: str | None = None
    ) -> None:
        self.directory = directory
        self.engine = facts_engine(directory, url)
        self.journal = Journal(path_for(directory, "ingest"))
        self.registry = CollectorRegistry()
        self._facts = Facts(self.engine, by_kind or handlers())
        metrics = IngestMetrics(self.registry)
        self.intake = Intake(self.journal, self._facts, ContactRows(self.engine), metrics, time.monotonic)

    def close(self) -> None:
        """End without storing anything more, as a kill would."""
        self._facts.close()
        self.journal.close()
        self.engine.dispose()

    def rows(self) -> list[bytes]:
        """The payloads in the journal."""
        reader = JournalReader(path_for(self.directory, "ingest"))
        try:
            return [row.payload for row in reader.after(0, 1_000_000)]
        finally:
            reader.close()

    def facts(self, entity: type[Any]) -> list[Any]:
        """Every row of a table."""
        with Session(self.engine) as session:
            return list(session.scalars(select(entity)))

    def received(self, epoch: str, device: str = DEVICE) -> list[tuple[int, int]]:
        """The committed numbers, as the journal has them."""
        held = self.journal.ledger().received.get((device, epoch))
        return held.ranges() if held else []


def fill_up(connection: sqlite3.Connection) -> None:
    """Let the file not grow any more, as on a full disk."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def make_room(connection: sqlite3.Connection) -> None:
    """Undo `fill_up`."""
    connection.execute("PRAGMA max_page_count = 1000000000")
