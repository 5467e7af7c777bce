"""The homes of readings behind the SeriesStore port, opened by URL."""

from __future__ import annotations

from pathlib import Path

from api.ports import SeriesStore, SeriesStoreError
from api.series.sqlite import SqliteSeriesStore

SQLITE = "sqlite:///"


def open_store(
    url: str, *, raw_days: int, hourly_days: int, day_offset_ms: int, read_only: bool = False
) -> SeriesStore:
    """The store that `url` names.

    Args:
        url: `sqlite:///relative/path` or `sqlite:////absolute/path`.
        raw_days: days that samples are kept, at least 1.
        hourly_days: days that hourly figures are kept, at least `raw_days`; daily figures are kept for ever.
        day_offset_ms: the zone's offset from UTC, whole minutes; a day begins at local midnight. One file, one offset.
        read_only: for the processes that only read; they may open it before the writer has made the file, and are
            answered with a retryable error until it is there.

    Raises:
        SeriesStoreError: unknown scheme, bad settings, a second writer, a file that cannot be opened or is not ours.
    """
    path = url.removeprefix(SQLITE)
    if path == url or not path or path.startswith(":memory:"):
        raise SeriesStoreError(
            f"{_shown(url)} is no series store that this version knows: set [series] url to sqlite:///<path of a file>",
            retryable=False,
        )
    return SqliteSeriesStore(
        Path(path), raw_days=raw_days, hourly_days=hourly_days, day_offset_ms=day_offset_ms, read_only=read_only
    )


def _shown(url: str) -> str:
    """The URL's scheme alone: the rest may hold a password."""
    scheme, found, _ = url.partition("://")
    return f"{scheme[:32]}://…" if found else "a URL without a scheme"
