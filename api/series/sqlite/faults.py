"""What SQLite says went wrong, as the port's error with cause and remedy."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from api.ports import SeriesStoreError

_FAULTS = {
    sqlite3.SQLITE_FULL: ("the disk is full: free space on it", True),
    sqlite3.SQLITE_BUSY: ("another program holds it locked: close that program", True),
    sqlite3.SQLITE_LOCKED: ("another program holds it locked: close that program", True),
    sqlite3.SQLITE_IOERR: ("the disk reports an error: look at the kernel log and at the free space", True),
    sqlite3.SQLITE_NOMEM: ("memory is exhausted", True),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged: stop the worker and put back a backup", False),
    sqlite3.SQLITE_NOTADB: ("this is no SQLite file: point [series] url at another path", False),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened: check that its directory exists and is writable", False),
    sqlite3.SQLITE_READONLY: ("it cannot be written: check the owner and the permissions", False),
    sqlite3.SQLITE_PERM: ("it cannot be written: check the owner and the permissions", False),
}
"""Primary result code -> (cause and remedy, retryable)."""


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Within, an error of SQLite on the file at `path` is raised as SeriesStoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise fault(path, error) from error


def fault(path: Path, error: sqlite3.Error) -> SeriesStoreError:
    """The port's error for `error`, which happened on the file at `path`."""
    code = getattr(error, "sqlite_errorcode", None)  # missing on errors of the Python module itself
    what, retryable = _FAULTS.get(code & 0xFF if code is not None else -1, ("the store failed", False))
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return SeriesStoreError(f"{path}: {what} ({name}: {error})", retryable=retryable)
