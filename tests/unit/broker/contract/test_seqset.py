"""A SeqSet is a plain set of numbers that is kept small."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract.seqset import Range, SeqSet

NUMBERS = st.integers(1, 40)
RANGES = st.tuples(NUMBERS, st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def spread(ranges: list[Range]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


def check(ours: SeqSet, plain: set[int]) -> None:
    assert list(ours) == sorted(plain)
    assert len(ours) == len(plain)
    assert {number for number in range(-1, 60) if number in ours} == plain
    for (_, last), (first, _) in itertools.pairwise(ours.ranges()):
        assert first > last + 1, "ranges are sorted, apart and never adjacent"
    assert spread(ours.gaps()) == (set(range(min(plain), max(plain))) - plain if plain else set())


@given(st.lists(st.one_of(NUMBERS, RANGES)))
def test_it_holds_what_a_plain_set_holds_after_every_step(steps: list[int | Range]) -> None:
    ours, plain = SeqSet(), set[int]()
    for step in steps:
        if isinstance(step, int):
            assert ours.add(step) is (step not in plain)
            plain.add(step)
        else:
            ours.add_range(*step)
            plain |= spread([step])
        check(ours, plain)


@given(st.lists(RANGES))
def test_it_is_built_from_ranges_in_any_order_and_says_them_back(ranges: list[Range]) -> None:
    ours = SeqSet(ranges)
    check(ours, spread(ranges))
    assert SeqSet(reversed(ranges)) == ours
    assert SeqSet(ours.ranges()).ranges() == ours.ranges()


def test_numbers_in_order_are_one_range_however_many() -> None:
    ours = SeqSet()
    for number in range(1, 100_001):
        assert ours.add(number)
    assert ours.ranges() == [(1, 100_000)]
    assert ours.gaps() == []
    assert not ours.add(1)


def test_the_largest_numbers_of_the_contract_cost_nothing() -> None:
    ours = SeqSet([(1, 2**53 - 3), (2**53 - 1, 2**53 - 1)])
    assert ours.gaps() == [(2**53 - 2, 2**53 - 2)]
    assert ours.add(2**53 - 2)
    assert ours.ranges() == [(1, 2**53 - 1)]


def test_a_range_that_runs_down_is_refused_and_changes_nothing() -> None:
    ours = SeqSet([(5, 7)])
    with pytest.raises(ValueError, match="from 3 to 2"):
        ours.add_range(3, 2)
    assert ours.ranges() == [(5, 7)]


def test_it_differs_from_other_sets_and_other_things() -> None:
    assert SeqSet([(1, 2)]) != SeqSet([(1, 3)])
    assert SeqSet([(1, 2)]) != {1, 2}
    assert repr(SeqSet([(1, 2)])) == "SeqSet([(1, 2)])"
