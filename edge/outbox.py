"""Store-and-forward: what `append` returned for is on disk, survives a kill and a power cut, and is owed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from broker.contract.seqset import Range
from edge.outbox_file import PAGE_BYTES, OutboxFile
from edge.ports import BootClock, Entry, Numbers, OutboxCounters, OutboxFull, Row
from edge.reserve import Reserve, suitable_bytes

BOOTS_KEPT = 20
"""Boots whose clock is remembered."""

EVICT_AT_ONCE = 64
"""Rows given up in one statement when a cap is reached."""

FORGET_AT_ONCE = 500
"""Rows deleted in one transaction at the most; it takes a page of each until it is folded in."""

_KEPT = "SELECT * FROM row INDEXED BY kept WHERE seq > ? AND keep ORDER BY seq LIMIT ?"
_NOT_KEPT = (
    "SELECT * FROM row WHERE seq > ? AND NOT keep AND (boot = '' OR boot <> ? OR clock <> 'untrusted')"
    " ORDER BY seq LIMIT ?"
)
_OLDEST = "SELECT seq, at_ms FROM row WHERE NOT keep ORDER BY seq LIMIT ?"
_OLDEST_SURE = "SELECT seq, at_ms FROM row WHERE NOT keep AND clock <> 'untrusted' ORDER BY seq LIMIT ?"
_OLDEST_OF_ALL = "SELECT at_ms, iif(clock = 'untrusted', boot, '') FROM row ORDER BY seq LIMIT 1"
_DELETE = "DELETE FROM row WHERE seq IN (SELECT seq FROM row WHERE seq BETWEEN ? AND ? LIMIT ?)"
_USED_BYTES = (
    "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)
_COUNT_UP = "INSERT INTO counter VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET count = count + 1 RETURNING count"
_REMEMBER_BOOT = (
    "INSERT INTO boot (id, offset_ms, synchronised) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
    " SET offset_ms = excluded.offset_ms, synchronised = excluded.synchronised"
)
_T = TypeVar("_T")


class _Old(NamedTuple):
    """A reading that may be given up: its number, and when it was accepted."""

    seq: int
    at_ms: int


class SqliteOutbox:
    """The Outbox port over a file that this process alone writes; used from one thread."""

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        reserve_bytes: int | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        """Open the file, or make it; a damaged one is moved aside and logged.

        Args:
            path: of the file; its directory exists.
            max_bytes: of the file; the oldest readings are given up for new ones above it, presses never.
            reserve_bytes: kept free on the disk for presses and receipts when it is full; None for what suits it.
            trace: called with each SQL statement before it runs.

        Raises:
            OutboxFull: the disk would not take it.
        """
        size = suitable_bytes(path.parent) if reserve_bytes is None else reserve_bytes
        self._reserve = Reserve(path.with_name(f"{path.name}.reserve"), size)
        self._file = self._essential(lambda: OutboxFile(path, trace, size // 2))
        self._forget_at_once = min(FORGET_AT_ONCE, size // 4 // PAGE_BYTES) or FORGET_AT_ONCE
        self._max_bytes = max_bytes
        self._refused = 0

    @property
    def epoch(self) -> str:
        return self._file.tally.epoch

    @property
    def last_seq(self) -> int:
        return self._file.tally.last_seq

    @property
    def depth(self) -> int:
        return self._file.tally.depth

    @property
    def wall_ms(self) -> int:
        return self._file.tally.wall_ms

    def append(
        self, entries: Sequence[Entry], *, positions: Iterable[tuple[str, str]] = (), forget: Sequence[Range] = ()
    ) -> list[Row]:
        places = list(positions)

        def action() -> list[Row]:
            refused = self._refused
            with self._file.transaction():
                self._delete(forget)
                self._file.tally = replace(self._file.tally, refused=self._file.tally.refused + refused)
                rows = [row for entry in entries if (row := self._insert(entry)) is not None]
                self._file.connection.executemany("INSERT OR REPLACE INTO position VALUES (?, ?)", places)
            self._refused -= refused
            return rows

        if any(entry.keep for entry in entries):
            return self._essential(lambda: self._file.safely(action))
        if not self._reserve.take():
            raise OutboxFull("the disk is full but for presses")
        return self._file.safely(action)

    def refuse(self, messages: int) -> None:
        self._refused += messages

    def position(self, recorder: str) -> str | None:
        found = self._select("SELECT position FROM position WHERE recorder = ?", (recorder,))
        return found[0][0] if found else None

    def rows(self, seqs: Sequence[int]) -> list[Row]:
        return [row for seq in sorted(seqs) for row in self._rows("SELECT * FROM row WHERE seq = ?", (seq,))]

    def after(self, seq: int, limit: int, *, keep: bool, without_boot: str = "") -> list[Row]:
        if keep:
            return self._rows(_KEPT, (seq, limit))
        return self._rows(_NOT_KEPT, (seq, without_boot, limit))

    def forget(self, ranges: Sequence[Range]) -> int:
        def action() -> int:
            with self._file.transaction():
                return self._delete(ranges, self._forget_at_once)

        forgotten = 0
        while True:
            gone = self._essential(lambda: self._file.safely(action))
            forgotten += gone
            if gone < self._forget_at_once:
                return forgotten

    def expire(self, before_ms: int) -> int:
        def action() -> int:
            oldest = [_Old(*row) for row in self._file.connection.execute(_OLDEST_SURE, (EVICT_AT_ONCE,)).fetchall()]
            old = list(takewhile(lambda row: row.at_ms < before_ms, oldest))
            if old:
                with self._file.transaction():
                    self._evict(old)
            return len(old)

        return self._file.safely(action)

    def boot(self, boot: str) -> BootClock | None:
        found = self._select("SELECT offset_ms, synchronised FROM boot WHERE id = ?", (boot,))
        return BootClock(found[0][0], bool(found[0][1])) if found else None

    def remember_boot(self, boot: str, clock: BootClock) -> None:
        def action() -> None:
            with self._file.transaction():
                self._file.connection.execute(_REMEMBER_BOOT, (boot, *clock))
                self._file.connection.execute(
                    "DELETE FROM boot WHERE number <= (SELECT max(number) FROM boot) - ?", (BOOTS_KEPT,)
                )

        self._file.safely(action)

    def counters(self) -> OutboxCounters:
        oldest = self._select(_OLDEST_OF_ALL)
        oldest_ms, oldest_boot = oldest[0] if oldest else (None, "")
        tally = self._file.tally
        return OutboxCounters(
            depth=tally.depth,
            bytes=self._select(_USED_BYTES)[0][0],
            oldest_ms=oldest_ms,
            oldest_boot=oldest_boot,
            evicted=tally.evicted,
            refused=tally.refused + self._refused,
            last_seq=tally.last_seq,
        )

    def close(self) -> None:
        """Close the file; a commit that returned is safe without it."""
        self._file.connection.close()

    def _insert(self, entry: Entry) -> Row | None:
        """Number and store one entry; None when only presses are left to make room and it is none."""
        counted = self._count_up(entry.counter) if entry.counter else 0
        tally = self._file.tally
        seq = tally.last_seq + 1
        payload = entry.encode(Numbers(tally.epoch, seq, counted))
        if not entry.keep and not self._make_room(len(payload)):
            self._file.tally = replace(self._file.tally, refused=self._file.tally.refused + 1)
            return None
        self._file.connection.execute(
            "INSERT INTO row VALUES (?, ?, ?, ?, ?, ?, ?)",
            (seq, entry.kind, entry.keep, entry.at_ms, entry.boot, entry.clock, payload),
        )
        tally = self._file.tally
        self._file.tally = replace(tally, last_seq=seq, depth=tally.depth + 1, wall_ms=entry.at_ms)
        return Row(seq, entry.kind, entry.keep, entry.boot, entry.clock, payload)

    def _count_up(self, counter: str) -> int:
        counted: int = self._file.connection.execute(_COUNT_UP, (counter,)).fetchone()[0]
        return counted

    def _make_room(self, size: int) -> bool:
        while self._file.connection.execute(_USED_BYTES).fetchone()[0] + size > self._max_bytes:
            oldest = self._oldest()
            if not oldest:
                return False
            self._evict(oldest)
        return True

    def _oldest(self) -> list[_Old]:
        """The readings to give up first."""
        return [_Old(*row) for row in self._file.connection.execute(_OLDEST, (EVICT_AT_ONCE,)).fetchall()]

    def _evict(self, oldest: Sequence[_Old]) -> None:
        gone = self._delete((row.seq, row.seq) for row in oldest)
        self._file.tally = replace(self._file.tally, evicted=self._file.tally.evicted + gone)

    def _delete(self, ranges: Iterable[Range], most: int = 2**31) -> int:
        gone = 0
        for first, last in ranges:
            gone += self._file.connection.execute(_DELETE, (first, last, most - gone)).rowcount
        self._file.tally = replace(self._file.tally, depth=self._file.tally.depth - gone)
        return gone

    def _rows(self, statement: str, values: Sequence[object]) -> list[Row]:
        return [
            Row(seq, kind, bool(keep), boot, clock, payload)
            for seq, kind, keep, _, boot, clock, payload in self._select(statement, values)
        ]

    def _essential(self, action: Callable[[], _T]) -> _T:
        """Do it, if need be with the reserve's room."""
        try:
            return action()
        except OutboxFull:
            if not self._reserve.give_up():
                raise
            return action()

    def _select(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        return self._file.safely(lambda: self._file.connection.execute(statement, values).fetchall())
