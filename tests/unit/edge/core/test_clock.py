"""P5: a time that nobody vouches for says so, is put right when it can be, and never runs back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.contract.messages import Clock
from edge.core.clock import Timeline, estimated_offset_ms

S = 1_000_000_000
MONOTONIC = 50 * S
JUNE_2024 = 1_717_200_000_000


def begun(estimate_ms: int = JUNE_2024, *, trusted: bool = False, patience_s: int = 300) -> Timeline:
    return Timeline(estimate_ms=estimate_ms, trusted=trusted, patience_ends_ns=MONOTONIC + patience_s * S)


def test_a_clock_at_1970_starts_from_the_last_time_that_is_known_to_have_passed() -> None:
    offset_ms = estimated_offset_ms(monotonic_ns=MONOTONIC, wall_ms=50_000, not_before_ms=JUNE_2024)
    assert begun(offset_ms).at_ms(MONOTONIC) == JUNE_2024


def test_a_clock_that_is_ahead_of_what_is_known_is_believed_as_an_estimate() -> None:
    offset_ms = estimated_offset_ms(monotonic_ns=MONOTONIC, wall_ms=JUNE_2024 + 9, not_before_ms=JUNE_2024)
    assert begun(offset_ms).at_ms(MONOTONIC) == JUNE_2024 + 9


def test_p5_times_before_synchronisation_stand_on_one_estimate_whatever_the_system_clock_does() -> None:
    timeline = begun()
    timeline.observe(monotonic_ns=MONOTONIC, wall_ms=JUNE_2024 * 2, synchronised=False)
    assert timeline.at_ms(MONOTONIC) == JUNE_2024 + 50_000
    assert timeline.clock is Clock.UNTRUSTED
    assert timeline.repair_ms is None


def test_p5_synchronisation_gives_the_true_time_and_what_to_add_to_what_was_stamped_before() -> None:
    timeline = begun(estimate_ms=0)
    stamped = timeline.at_ms(MONOTONIC)
    assert timeline.observe(monotonic_ns=MONOTONIC + 10 * S, wall_ms=JUNE_2024 + 10_000, synchronised=True)
    assert timeline.clock is Clock.SYNCED
    assert timeline.repair_ms is not None
    assert stamped + timeline.repair_ms == JUNE_2024
    assert timeline.at_ms(MONOTONIC + 11 * S) == JUNE_2024 + 11_000


def test_the_moment_of_synchronisation_is_told_once_and_lasts_for_the_boot() -> None:
    timeline = begun()
    assert timeline.observe(monotonic_ns=MONOTONIC, wall_ms=JUNE_2024, synchronised=True)
    assert not timeline.observe(monotonic_ns=MONOTONIC + S, wall_ms=JUNE_2024 + 1000, synchronised=False)
    assert timeline.clock is Clock.SYNCED
    assert not timeline.observe(monotonic_ns=MONOTONIC + S, wall_ms=JUNE_2024 + 1000, synchronised=True)


def test_a_start_later_in_a_synchronised_boot_is_trusted_and_can_still_repair() -> None:
    timeline = begun(estimate_ms=1000, trusted=True)
    timeline.observe(monotonic_ns=MONOTONIC, wall_ms=JUNE_2024 + 50_000, synchronised=False)
    assert timeline.clock is Clock.SYNCED
    assert timeline.repair_ms == JUNE_2024 - 1000


def test_readings_wait_until_synchronisation_or_until_patience_ends() -> None:
    timeline = begun(patience_s=300)
    assert timeline.waiting(MONOTONIC)
    assert timeline.waiting(MONOTONIC + 299 * S)
    assert not timeline.waiting(MONOTONIC + 300 * S)
    timeline.observe(monotonic_ns=MONOTONIC, wall_ms=JUNE_2024, synchronised=True)
    assert not timeline.waiting(MONOTONIC)


@given(st.lists(st.tuples(st.integers(0, 4 * 10**12), st.integers(1, 10**6)), min_size=1, max_size=8))
def test_p5_estimated_times_never_run_back_from_boot_to_boot(boots: list[tuple[int, int]]) -> None:
    last_ms = 0
    for wall_ms, runs_s in boots:
        timeline = begun(estimated_offset_ms(monotonic_ns=0, wall_ms=wall_ms, not_before_ms=last_ms))
        assert timeline.at_ms(0) >= last_ms
        last_ms = timeline.at_ms(runs_s * S)
