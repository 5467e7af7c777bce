"""The series file: who may open it, and the connections to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from api.ports import SeriesStoreError
from api.series.sqlite import schema
from api.series.sqlite.faults import translated

WRITER_CACHE_KIB = 16_384
READER_CACHE_KIB = 4_096

WAL_PAGES = 1_000
"""A checkpoint after this many pages (4 MB), which an SD card copies within half a second."""


class State(NamedTuple):
    """The file's own facts.

    Attributes:
        day_offset_ms: where its days begin.
        raw_floor_ms, hour_floor_ms: what is before them no longer exists for a reader.
        drain_run: runs up to this one may hold what is before them; nothing is deleted until they have been moved.
    """

    day_offset_ms: int
    raw_floor_ms: int
    hour_floor_ms: int
    drain_run: int


class WriterLock:
    """The right to write: one process at a time, given back by the kernel however that process ends."""

    def __init__(self, path: Path) -> None:
        """Take it for the series file at `path`. Raises SeriesStoreError (retryable) when another has it."""
        self._path = path.with_name(path.name + ".lock")
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SeriesStoreError(
                f"{path}: cannot be written: check that {path.parent} exists and is writable ({error.strerror})",
                retryable=False,
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise SeriesStoreError(
                f"{path}: process {holder} is writing to it already: stop that one, or open it read_only",
                retryable=True,
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Give it back."""
        os.close(self._descriptor)


def open_writer(path: Path, day_offset_ms: int, busy_s: float) -> sqlite3.Connection:
    """The one connection that writes; makes the file when there is none.

    Every commit survives a power cut (WAL with synchronous=FULL). Raises SeriesStoreError.
    """
    with translated(path):
        connection = _connect(path, "rwc", busy_s, WRITER_CACHE_KIB)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = OFF")  # zeroing freed pages would write them twice
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
            with transaction(connection):
                if not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
                    schema.create(connection, day_offset_ms)
            check(connection, path, day_offset_ms)
        except BaseException:
            connection.close()
            raise
    return connection


class ReaderPool:
    """Connections that only read, handed out to one thread at a time."""

    def __init__(self, path: Path, day_offset_ms: int, busy_s: float) -> None:
        self._path, self._day_offset_ms, self._busy_s = path, day_offset_ms, busy_s
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment of the file for as long as it is held. Raises SeriesStoreError."""
        connection = self._take()
        try:
            with translated(self._path):
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)

    def close(self) -> None:
        """Close idle connections now and the others when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise SeriesStoreError(f"{self._path}: this store has been closed", retryable=False)
            if self._idle:
                return self._idle.pop()
        if not self._path.exists():
            raise SeriesStoreError(
                f"{self._path}: not there yet: the worker makes it, start `python -m api worker`", retryable=True
            )
        with translated(self._path):
            connection = _connect(self._path, "rw", self._busy_s, READER_CACHE_KIB)
            try:
                connection.execute("PRAGMA query_only = ON")
                check(connection, self._path, self._day_offset_ms)
            except BaseException:
                connection.close()
                raise
            return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Committed at the end, rolled back on any error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def read_state(connection: sqlite3.Connection) -> State:
    """The file's own facts as of the connection's snapshot."""
    row = connection.execute("SELECT day_offset_ms, raw_floor_ms, hour_floor_ms, drain_run FROM state").fetchone()
    return State(*row)


def write_state(connection: sqlite3.Connection, state: State) -> None:
    """Replace the file's own facts, within the caller's transaction."""
    connection.execute("UPDATE state SET day_offset_ms = ?, raw_floor_ms = ?, hour_floor_ms = ?, drain_run = ?", state)


def check(connection: sqlite3.Connection, path: Path, day_offset_ms: int) -> None:
    """Raises SeriesStoreError when the file is not ours, is of another version, or has days that begin elsewhere."""
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if mark == 0 and version == 0 and not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        raise SeriesStoreError(f"{path}: being made by the worker at this moment", retryable=True)
    if mark != schema.APPLICATION_ID:
        raise SeriesStoreError(
            f"{path}: a database of something else: point [series] url at another path", retryable=False
        )
    if version != schema.VERSION:
        raise SeriesStoreError(
            f"{path}: made by another version (layout {version}, this one reads {schema.VERSION}): run that version",
            retryable=False,
        )
    found = read_state(connection).day_offset_ms
    if found != day_offset_ms:
        raise SeriesStoreError(
            f"{path}: its days begin at UTC offset {found // 60_000} min, those of the settings at "
            f"{day_offset_ms // 60_000} min: set zone back, or start a new file and write the history again",
            retryable=False,
        )


def _connect(path: Path, mode: str, busy_s: float, cache_kib: int) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=busy_s,
        check_same_thread=False,
    )
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    connection.execute("PRAGMA temp_store = MEMORY")
    schema.add_functions(connection)
    return connection
