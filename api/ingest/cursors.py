"""How far each journal has been forwarded: a small file of the worker's own, so that it never waits for ingest.

A position is saved after the points are durable in the series store. Losing the last saves (the file is not synced at
each one) repeats points, which overwrite themselves; it never skips any.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path


class Cursors:
    """Positions by journal id; used from one thread."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises sqlite3.Error."""
        self._db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS cursor (journal TEXT PRIMARY KEY, position INTEGER NOT NULL)")

    def position(self, journal: str) -> int:
        """The last id that was forwarded, 0 at the beginning. Raises sqlite3.Error."""
        row = self._db.execute("SELECT position FROM cursor WHERE journal = ?", (journal,)).fetchone()
        return row[0] if row else 0

    def save(self, journal: str, position: int) -> None:
        """Everything up to `position` is in the series store. Raises sqlite3.Error."""
        self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (journal, position))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
