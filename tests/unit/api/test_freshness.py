"""When a value is stale (promise P5)."""

from __future__ import annotations

import pytest

from api.freshness import stale_after_ms


@pytest.mark.parametrize(
    ("interval_ms", "stale_ms"),
    [(1000, 60_000), (20_000, 60_000), (20_001, 60_003), (60_000, 180_000), (3_600_000, 3 * 3_600_000)],
)
def test_a_value_is_stale_after_three_intervals_but_not_within_a_minute(interval_ms: int, stale_ms: int) -> None:
    assert stale_after_ms(interval_ms) == stale_ms


def test_without_an_interval_a_value_is_stale_after_a_quarter_of_an_hour() -> None:
    assert stale_after_ms(0) == 900_000
