"""How the store divides its work; the figures are measured by tests/bench/bench_series.py."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Sizes and patience.

    Attributes:
        run_fill: small writes share a run of the log up to this many rows, so that a series is found in few runs.
        run_rows: a larger write is divided into runs of this many rows, so that each is deleted quickly.
        move_per_series: the log is moved when it holds this many rows for each of its series: a page of `sample` holds
            about 130 rows, and each move writes at least one page a series.
        move_least, move_most: … but never fewer rows than the one, and always when there are more than the other.
        chunk_rows: rows that are moved or deleted between two looks at the clock.
        busy_s: how long to wait for another program's lock on the file.
    """

    run_fill: int = 512
    run_rows: int = 4_096
    move_per_series: int = 256
    move_least: int = 8_192
    move_most: int = 262_144
    chunk_rows: int = 2_048
    busy_s: float = 5.0
