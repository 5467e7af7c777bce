"""The outbox's SQLite file: how it is made, changed all or nothing, and replaced when it is damaged."""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from itertools import count
from pathlib import Path
from typing import TypeVar

from edge.ports import OutboxFull

log = logging.getLogger(__name__)

PAGE_BYTES = 4096
LOG_BYTES = 1000 * PAGE_BYTES
"""SQLite's own limit of a write-ahead log."""

_SCHEMA = """
CREATE TABLE row (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, keep INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    boot TEXT NOT NULL, clock TEXT NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE INDEX kept ON row (seq) WHERE keep;
CREATE TABLE counter (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE position (recorder TEXT PRIMARY KEY, position TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE boot (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, offset_ms INTEGER NOT NULL, synchronised INTEGER NOT NULL
) STRICT;
CREATE TABLE tally (
    epoch TEXT NOT NULL, last_seq INTEGER NOT NULL, depth INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
    evicted INTEGER NOT NULL, refused INTEGER NOT NULL
) STRICT
"""
_UPDATE_TALLY = "UPDATE tally SET epoch = ?, last_seq = ?, depth = ?, wall_ms = ?, evicted = ?, refused = ?"
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -1024",
)
_WILL_NOT_TAKE_IT = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    }
)
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Tally:
    """The outbox in numbers, in the file as in memory.

    Attributes:
        epoch: made with the file.
        last_seq: the newest number given out.
        depth: rows that are there.
        wall_ms: when the newest one was accepted.
        evicted, refused: messages of readings that were dropped, or not taken.
    """

    epoch: str
    last_seq: int = 0
    depth: int = 0
    wall_ms: int = 0
    evicted: int = 0
    refused: int = 0


class OutboxFile:
    """One open file, used from one thread. `tally` is changed inside `transaction` alone."""

    def __init__(self, path: Path, trace: Callable[[str], None] | None = None, log_bytes: int = 0) -> None:
        """Open the file, or make it; a damaged one is moved aside and logged.

        Args:
            path: of the file; its directory exists.
            trace: called with each SQL statement before it runs.
            log_bytes: what the write-ahead log may grow to before it is folded in; 0 for SQLite's own limit.

        Raises:
            OutboxFull: the disk would not take it.
        """
        self.path = path
        self._trace = trace
        self._log_bytes = log_bytes or LOG_BYTES
        try:
            self.connection, self.tally = self._connect()
        except sqlite3.DatabaseError as error:
            if _code(error) not in _DAMAGED:
                raise OutboxFull(f"{path}: {error}") from error
            _put_aside(path, error)
            self.connection, self.tally = self._connect()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, the tally in memory included."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        before = self.tally
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute(_UPDATE_TALLY, astuple(self.tally))
            self.connection.execute("COMMIT")
        except BaseException:
            self.tally = before
            with suppress(sqlite3.Error):
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
            raise

    def safely(self, action: Callable[[], _T]) -> _T:
        """Do it. A disk that is full or broken becomes OutboxFull; a damaged file is replaced and it is done again."""
        try:
            return action()
        except sqlite3.DatabaseError as error:
            if _code(error) in _WILL_NOT_TAKE_IT:
                raise OutboxFull(f"{self.path}: {error}") from error
            if _code(error) not in _DAMAGED:
                raise
            self.connection.close()
            _put_aside(self.path, error)
            self.connection, self.tally = self._connect()
            return action()

    def _connect(self) -> tuple[sqlite3.Connection, Tally]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.set_trace_callback(self._trace)
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            connection.execute(f"PRAGMA wal_autocheckpoint = {max(1, self._log_bytes // PAGE_BYTES)}")
            connection.execute(f"PRAGMA journal_size_limit = {self._log_bytes}")
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'tally'").fetchone() is None:
                _create(connection)
            return connection, Tally(*connection.execute("SELECT * FROM tally").fetchone())
        except BaseException:
            connection.close()
            raise


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO tally VALUES (?, ?, ?, ?, ?, ?)", astuple(Tally(secrets.token_hex(6))))
    connection.execute("COMMIT")


def _put_aside(path: Path, why: Exception) -> None:
    """Move the file out of the way; its write-ahead log follows under the same new name."""
    aside = next(name for number in count(1) if not (name := path.with_name(f"{path.name}.damaged-{number}")).exists())
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    log.error(
        "the outbox %s is damaged (%s): moved to %s, and a new one begun with a new epoch; what was not yet sent is in"
        " the old file",
        path,
        why,
        aside,
    )


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 when Python raised the error by itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
