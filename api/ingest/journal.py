"""The journal: an append-only SQLite file of what was received, and of which numbers, in one transaction.

One ingest process writes it; the forwarder of another process reads it by id. A number is in `received` exactly when
its message has taken effect (promise P2), so a restarted ingest knows what it may not do twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from api.ingest.outcome import Ledger, Row, Snapshot, Stream
from broker.contract.seqset import Range, SeqSet

_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (id INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, topic TEXT NOT NULL,
    payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS received (device TEXT, epoch TEXT, first INTEGER, last INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL, PRIMARY KEY (device, epoch, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS duplicate (device TEXT PRIMARY KEY, total INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (device TEXT PRIMARY KEY, site TEXT NOT NULL, newest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

_WAL_BYTES = 16 * 1024 * 1024
"""Size the write-ahead file is cut back to after a burst."""


class JournalError(Exception):
    """The journal cannot take it now (disk full, locked); nothing of the call is stored, the same call may succeed."""

    retryable = True


class JournalDamagedError(Exception):
    """The file cannot be used; the text says what to do."""

    retryable = False


class Stored(NamedTuple):
    """A journal row with its id; ids grow in the order of commits."""

    id: int
    received_ms: int
    topic: str
    payload: bytes


def path_for(data_dir: Path, account: str) -> Path:
    """The journal of the ingest process with that account."""
    return data_dir / f"journal-{account}.db"


class Journal:
    """The writer's side; one process at a time, which a lock file sees to."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            JournalDamagedError: another process writes it, or it is no sound SQLite file.
            JournalError: the disk is full; it may be opened later.
        """
        self._lock = _lock(path)
        try:
            self._db = _open(path)
            self._db.executescript(f"BEGIN; {_SCHEMA} COMMIT")
            self._db.execute("INSERT OR IGNORE INTO about VALUES ('id', ?)", (secrets.token_hex(8),))
            self._check()
        except sqlite3.DatabaseError as error:
            self._lock.close()
            if isinstance(error, sqlite3.OperationalError):
                raise JournalError(f"{path}: cannot be opened: {error}; is the disk full?") from error
            raise _damaged(path, error) from error

    def ledger(self) -> Ledger:
        """Which numbers are committed."""
        received: dict[Stream, SeqSet] = {}
        newest: dict[str, tuple[int, str]] = {}
        rows = self._db.execute("SELECT device, epoch, first, last, updated_ms FROM received")
        for device, epoch, first, last, updated_ms in rows:
            received.setdefault((device, epoch), SeqSet()).add_range(first, last)
            newest[device] = max(newest.get(device, (0, "")), (updated_ms, epoch))
        return Ledger(received, {device: epoch for device, (_, epoch) in newest.items()})

    def duplicates(self) -> dict[str, int]:
        """Messages that came again, by device."""
        return dict(self._db.execute("SELECT device, total FROM duplicate"))

    def append(
        self,
        rows: Sequence[Row],
        received: Iterable[tuple[Stream, Sequence[Range]]],
        duplicates: Mapping[str, int],
        now_ms: int,
    ) -> None:
        """Store rows, the ranges that the received numbers now form, and counts, durably and all or nothing.

        Raises:
            JournalError: nothing is stored.
        """
        ranges = [(*stream, first, last) for stream, spans in received for first, last in spans]
        with self._transaction():
            self._db.executemany("INSERT INTO journal (received_ms, topic, payload) VALUES (?, ?, ?)", rows)
            self._db.executemany(
                "DELETE FROM received WHERE device = ? AND epoch = ? AND first BETWEEN ? AND ?", ranges
            )
            self._db.executemany(
                "INSERT INTO received (device, epoch, first, last, updated_ms) VALUES (?, ?, ?, ?, ?)",
                [(*span, now_ms) for span in ranges],
            )
            self._db.executemany(
                "INSERT INTO duplicate VALUES (?, ?) ON CONFLICT DO UPDATE SET total = total + excluded.total",
                duplicates.items(),
            )

    def save_latest(self, snapshots: Mapping[str, Snapshot]) -> None:
        """Keep devices' newest values, true for every row appended so far. Raises JournalError."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO latest VALUES (?, ?, ?)",
                [(device, *snapshot) for device, snapshot in snapshots.items()],
            )
            self._db.execute(
                "INSERT OR REPLACE INTO about SELECT 'latest', CAST(coalesce(max(id), 0) AS TEXT) FROM journal"
            )

    def latest(self) -> tuple[dict[str, Snapshot], Iterator[Stored]]:
        """The newest values as last kept, and the rows appended since."""
        kept = {device: Snapshot(*rest) for device, *rest in self._db.execute("SELECT * FROM latest")}
        until = self._db.execute("SELECT value FROM about WHERE key = 'latest'").fetchone()
        since = int(until[0]) if until else 0
        query = "SELECT id, received_ms, topic, payload FROM journal WHERE id > ? ORDER BY id"
        return kept, (Stored(*row) for row in self._db.execute(query, (since,)))

    def close(self) -> None:
        """Let go of the file and of the lock."""
        self._db.close()
        self._lock.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise JournalError(f"the journal takes nothing: {error}; is the disk full?") from error

    def _check(self) -> None:
        """Read the small tables whole and both ends of the large one: a node must be back within a second."""
        for table in ("received", "duplicate", "latest", "about"):
            (verdict,) = self._db.execute(f"PRAGMA quick_check('{table}')").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
        self._db.execute("SELECT * FROM journal ORDER BY id LIMIT 1").fetchone()
        self._db.execute("SELECT * FROM journal ORDER BY id DESC LIMIT 1").fetchone()


class JournalReader:
    """The forwarder's side, in another process than the writer's."""

    def __init__(self, path: Path) -> None:
        """Open an existing file.

        Raises:
            JournalDamagedError: it is no journal, or not yet: ingest is just making it.
        """
        try:
            self._db = _open(path)
            row = self._db.execute("SELECT value FROM about WHERE key = 'id'").fetchone()
        except sqlite3.DatabaseError as error:
            raise _damaged(path, error) from error
        if row is None:
            raise _damaged(path, sqlite3.DatabaseError("it is not finished"))
        self.id: str = row[0]
        """Made with the file: a cursor belongs to a file, not to its name."""

    def after(self, position: int, limit: int) -> list[Stored]:
        """The first `limit` rows above `position`. Raises sqlite3.Error."""
        query = "SELECT id, received_ms, topic, payload FROM journal WHERE id > ? ORDER BY id LIMIT ?"
        return [Stored(*row) for row in self._db.execute(query, (position, limit))]

    def behind(self, position: int) -> tuple[int, int]:
        """How many rows are above `position`, and when the first of them was received (0 when there is none)."""
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()
        query = "SELECT received_ms FROM journal WHERE id > ? ORDER BY id LIMIT 1"
        first = self._db.execute(query, (position,)).fetchone()
        return (last - position, first[0]) if first else (0, 0)

    def prune(self, position: int, before_ms: int, limit: int) -> int:
        """Delete at most `limit` of the oldest rows that are below `position` and older than `before_ms`.

        The row at `position` stays, so that no id is given out twice. Raises sqlite3.Error.
        """
        query = """DELETE FROM journal WHERE id IN (SELECT id FROM
            (SELECT id, received_ms FROM journal ORDER BY id LIMIT ?) WHERE id < ? AND received_ms < ?)"""
        return self._db.execute(query, (limit, position, before_ms)).rowcount

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")
    return db


def _lock(path: Path) -> BinaryIO:
    """The right to write, given back by the kernel however the process ends."""
    try:
        lock = path.with_suffix(".lock").open("ab")
    except OSError as error:
        raise JournalDamagedError(f"{path}: {error.strerror}; check data_dir and its permissions") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise JournalDamagedError(f"{path}: another ingest process writes it; one account is one process") from None
    return lock


def _damaged(path: Path, error: Exception) -> JournalDamagedError:
    return JournalDamagedError(
        f"{path}: cannot be used as a journal ({error}). Stop ingest and worker, move the file away with its -wal and "
        "-shm, and start again: devices send what was not receipted. `sqlite3 <file> .recover` saves what was not yet "
        "forwarded."
    )
