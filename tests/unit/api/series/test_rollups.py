"""The arithmetic of buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.series.rollups import HOUR_MS, Tally, bucket, ceil, expected, floor, merge, regroup


def tally(*values: float, failed: int = 0, sine: float = 0.0, cosine: float = 0.0) -> Tally:
    low, high = min(values, default=None), max(values, default=None)
    return Tally(len(values), failed, sum(values), low, high, len(values), 60_000 * len(values), sine, cosine)


def test_merging_loses_nothing() -> None:
    assert merge([tally(1.0, 5.0), tally(failed=2), tally(-3.0)]) == tally(1.0, 5.0, -3.0, failed=2)


def test_nothing_cannot_be_merged() -> None:
    with pytest.raises(ValueError, match="nothing"):
        merge([])


def test_parts_are_regrouped_by_where_their_bucket_begins() -> None:
    parts = [(hour * HOUR_MS, tally(float(hour))) for hour in (0, 2, 3, 9)]
    assert list(regroup(parts, 3 * HOUR_MS, HOUR_MS)) == [
        (-HOUR_MS, tally(0.0)),
        (2 * HOUR_MS, tally(2.0, 3.0)),
        (8 * HOUR_MS, tally(9.0)),
    ]


@given(st.integers(-(2**53), 2**53), st.integers(1, 10**9), st.integers(-(10**8), 10**8))
def test_a_time_lies_between_its_floor_and_the_next_beginning(at_ms: int, width_ms: int, offset_ms: int) -> None:
    begin, after = floor(at_ms, width_ms, offset_ms), ceil(at_ms, width_ms, offset_ms)
    assert (begin + offset_ms) % width_ms == (after + offset_ms) % width_ms == 0
    assert begin <= at_ms < begin + width_ms
    assert at_ms <= after < at_ms + width_ms


@pytest.mark.parametrize(
    ("known", "covered_ms", "owed"),
    [(0, 0, None), (60, 3_600_000, 60), (3, 7_200_000, 2), (2, 4_800_000, 2), (1, 86_400_000, 1), (1, 1, 3_600_000)],
)
def test_an_hour_owes_its_width_over_the_mean_interval(known: int, covered_ms: int, owed: int | None) -> None:
    assert expected(HOUR_MS, known, covered_ms) == owed


def test_the_mean_lies_between_its_extremes_in_spite_of_rounding() -> None:
    assert bucket(0, HOUR_MS, tally(0.1, 0.1, 0.1), circular=False).mean == 0.1


def test_a_direction_a_hair_west_of_north_is_north_not_a_full_turn() -> None:
    found = bucket(0, HOUR_MS, tally(0.0, sine=-1e-17, cosine=1.0), circular=True)
    assert found.mean == 0.0


def test_directions_that_cancel_out_have_no_mean() -> None:
    found = bucket(0, HOUR_MS, tally(0.0, 180.0, sine=1.2e-16, cosine=0.0), circular=True)
    assert (found.count, found.mean) == (2, None)
