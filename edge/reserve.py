"""Disk space that is kept for the day the disk is full: deleting rows and storing presses takes some, too."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

RESERVE_BYTES = 8 * 1024 * 1024
"""Twice what SQLite's write-ahead log may grow to before it is folded into the file."""

SHARE = 8
"""On a small disk the reserve is one part in this many."""


def suitable_bytes(directory: Path) -> int:
    """How much to keep on the disk that `directory` is on."""
    disk = os.statvfs(directory)
    return min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // SHARE)


class Reserve:
    """A file of that size, given up when nothing else is left and taken again when there is room."""

    def __init__(self, path: Path, size: int) -> None:
        """Take it, if there is room; a size of 0 is no reserve at all, always held."""
        self._path, self._size = path, size
        self.held = False
        self.take()

    def take(self) -> bool:
        """Whether it is held now; it is tried if it was not."""
        if not self.held:
            self.held = self._size == 0 or self._allocate()
        return self.held

    def give_up(self) -> bool:
        """Make its room free; False when there was none to free."""
        if not self.held or self._size == 0:
            return False
        self.held = False
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the reserve %s cannot be given up: %s", self._path, error)
            return False
        log.warning("the disk is full: gave up the reserve of %d bytes for presses and receipts", self._size)
        return True

    def _allocate(self) -> bool:
        try:
            with self._path.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError:
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                log.debug("the reserve %s: %s", self._path, error)
            return False
        return True
