"""The embedded store with sizes so small that every move and every deletion takes many slices (promises P2 and P5)."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, settings

from api.series.sqlite import SqliteSeriesStore
from api.series.sqlite.tuning import Tuning
from tests.conformance.series_machine import SeriesMachine

SMALL = Tuning(run_fill=4, run_rows=8, move_per_series=4, move_least=6, move_most=40, chunk_rows=5)


def _open(directory: Path, **settings: int) -> SqliteSeriesStore:
    return SqliteSeriesStore(directory / "series.db", tuning=SMALL, **settings)


class SmallSlices(SeriesMachine):
    open_store = staticmethod(_open)


SmallSlices.TestCase.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)

TestRandomLivesInSmallSlicesEqualTheOracle = SmallSlices.TestCase
