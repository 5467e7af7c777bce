"""The embedded series store: one SQLite file, one writer, any number of readers in other processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from api.ports import Bucket, Sample, SeriesInfo, SeriesStoreError
from api.series.sqlite import reader
from api.series.sqlite.file import ReaderPool
from api.series.sqlite.tuning import Tuning
from api.series.sqlite.writer import Writer
from broker.contract.series import Point

MINUTE_MS = 60_000

LAST_ID = 2**63 - 1
"""SQLite's largest integer; no series has it, and no answer is longer."""


class SqliteSeriesStore:
    """SeriesStore on a file of its own; may be used from several threads.

    A second writer on the same file is refused while the first lives. Readers see a point as soon as write() has
    returned, and each call sees one moment of the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        raw_days: int,
        hourly_days: int,
        day_offset_ms: int,
        read_only: bool = False,
        tuning: Tuning | None = None,
    ) -> None:
        """Open the file, or make it; a reader opens it when it is first asked.

        Args:
            path: of the file.
            raw_days, hourly_days, day_offset_ms, read_only: as `open_store` says.
            tuning: sizes and patience.

        Raises:
            SeriesStoreError: bad settings, a second writer (retryable), a file that cannot be opened or is not ours.
        """
        _check_settings(raw_days, hourly_days, day_offset_ms)
        tuning = tuning or Tuning()
        self._path = path
        self._writer = (
            None
            if read_only
            else Writer(path, raw_days=raw_days, hourly_days=hourly_days, day_offset_ms=day_offset_ms, tuning=tuning)
        )
        self._readers = ReaderPool(path, day_offset_ms, tuning.busy_s)

    def write(self, points: Sequence[Point]) -> int:
        """As the port says."""
        return self._need_writer().write(points)

    def maintain(self, now_ms: int, budget_ms: int = 50) -> bool:
        """As the port says."""
        return self._need_writer().maintain(now_ms, budget_ms)

    def series(
        self,
        *,
        site: str | None = None,
        device: str | None = None,
        quantity: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[SeriesInfo]:
        """As the port says."""
        with self._readers.snapshot() as connection:
            return reader.series(connection, site, device, quantity, min(after, LAST_ID), min(limit, LAST_ID))

    def find(self, ids: Sequence[int]) -> dict[int, SeriesInfo]:
        """As the port says."""
        with self._readers.snapshot() as connection:
            return reader.find(connection, ids)

    def latest(self, ids: Sequence[int]) -> dict[int, Sample]:
        """As the port says."""
        with self._readers.snapshot() as connection:
            return reader.latest(connection, ids)

    def samples(self, id: int, start_ms: int, end_ms: int, *, limit: int) -> list[Sample]:
        """As the port says."""
        with self._readers.snapshot() as connection:
            return reader.samples(connection, min(id, LAST_ID), start_ms, end_ms, min(limit, LAST_ID))

    def buckets(
        self, id: int, start_ms: int, end_ms: int, width_ms: int, *, offset_ms: int = 0, limit: int
    ) -> list[Bucket]:
        """As the port says."""
        if not 0 < width_ms <= reader.LAST_MS:
            raise ValueError(f"a bucket is not {width_ms} ms wide")
        with self._readers.snapshot() as connection:
            return reader.buckets(connection, min(id, LAST_ID), start_ms, end_ms, width_ms, offset_ms, limit)

    def close(self) -> None:
        """As the port says."""
        self._readers.close()
        if self._writer is not None:
            self._writer.close()

    def _need_writer(self) -> Writer:
        if self._writer is None:
            raise SeriesStoreError(f"{self._path}: opened read_only", retryable=False)
        return self._writer


def _check_settings(raw_days: int, hourly_days: int, day_offset_ms: int) -> None:
    if not 1 <= raw_days <= hourly_days:
        raise SeriesStoreError(
            f"[retention] raw_days = {raw_days}, hourly_days = {hourly_days}: raw_days is at least 1 and hourly_days "
            "not less than raw_days",
            retryable=False,
        )
    if day_offset_ms % MINUTE_MS or abs(day_offset_ms) > 24 * 60 * MINUTE_MS:
        raise SeriesStoreError(
            f"day_offset_ms = {day_offset_ms}: the zone's offset is whole minutes within a day", retryable=False
        )
