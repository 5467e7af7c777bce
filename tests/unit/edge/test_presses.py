"""P3 begins here: one press of a bouncing contact is one press, and none is swallowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.presses import LOCKOUT_MS, MIN_OPEN_MS, MS, Debouncer, Edge

MINUTE_MS = 60_000

quick = settings(deadline=None, max_examples=60)


def presses(edges: Iterable[Edge], debouncer: Debouncer | None = None) -> list[int]:
    """The presses in `edges`, as milliseconds."""
    debouncer = debouncer or Debouncer()
    return [at // MS for edge in edges if (at := debouncer.edge(edge)) is not None]


def train(start_ms: float, *gaps_ms: float) -> list[Edge]:
    """Edges that alternate from a closing at `start_ms`, so many milliseconds apart."""
    at, edges = start_ms, [Edge(round(start_ms * MS), closed=True)]
    for number, gap in enumerate(gaps_ms):
        at += gap
        edges.append(Edge(round(at * MS), closed=number % 2 == 1))
    return edges


BOUNCE = st.lists(st.floats(0.01, 3), max_size=12).filter(lambda gaps: len(gaps) % 2 == 0)
"""Gaps of a train that ends as it began, each far below MIN_OPEN_MS."""
HELD = st.one_of(st.floats(0.1, 15), st.floats(15, 5000))
REST = st.floats(MIN_OPEN_MS + 0.01, 2000)


@st.composite
def pressings(draw: st.DrawFn) -> list[list[Edge]]:
    """Real presses, each as all of its edges, by the documented minimum apart."""
    drawn: list[list[Edge]] = []
    start_ms, free_ms = draw(st.floats(0, 1000)), 0.0
    for _ in range(draw(st.integers(0, 12))):
        start_ms = max(start_ms, free_ms)
        edges = train(start_ms, *draw(BOUNCE), draw(HELD), *draw(BOUNCE))
        drawn.append(edges)
        free_ms = max(start_ms + LOCKOUT_MS + 0.01, edges[-1].at_ns / MS + draw(REST))
    return drawn


@quick
@given(pressings())
def test_p3_every_real_press_counts_once_at_its_first_closing_however_it_bounces(drawn: list[list[Edge]]) -> None:
    counted = presses(edge for press in drawn for edge in press)

    assert counted == [press[0].at_ns // MS for press in drawn]


@quick
@given(pressings(), st.data())
def test_p2_edges_that_the_kernel_repeats_change_nothing(drawn: list[list[Edge]], data: st.DataObject) -> None:
    edges = [edge for press in drawn for edge in press]
    repeated = [edge for edge in edges for _ in range(data.draw(st.integers(1, 3)))]

    assert presses(repeated) == presses(edges)


@quick
@given(pressings(), st.data())
def test_p1_lost_edges_lose_no_press_whose_first_closing_arrives(drawn: list[list[Edge]], data: st.DataObject) -> None:
    _each_press_counts(drawn, data, keep=lambda _press: {0})


@quick
@given(pressings(), st.data())
def test_p1_lost_edges_lose_no_press_when_a_closing_and_the_end_of_each_arrive(
    drawn: list[list[Edge]], data: st.DataObject
) -> None:
    _each_press_counts(
        drawn, data, keep=lambda press: {data.draw(st.sampled_from(range(0, len(press), 2))), len(press) - 1}
    )


def _each_press_counts(drawn: list[list[Edge]], data: st.DataObject, keep: Callable[[list[Edge]], set[int]]) -> None:
    """Lose any edges but those that `keep` names; the presses stand further apart by what a late count may cost."""
    debouncer, counted, lost_openings = Debouncer(), 0, 0
    presses(train(-1000, 50), debouncer)
    for number, press in enumerate(drawn):
        kept = keep(press) | data.draw(st.sets(st.integers(0, len(press) - 1)))
        late_ns = number * LOCKOUT_MS * MS
        seen = presses((Edge(press[i].at_ns + late_ns, press[i].closed) for i in sorted(kept)), debouncer)

        assert seen, "the press was swallowed"
        counted += len(seen)
        lost_openings += sum(not edge.closed for i, edge in enumerate(press) if i not in kept)

    assert counted <= len(drawn) + lost_openings


def test_p1_a_press_shorter_than_its_bounce_does_not_swallow_the_next_one() -> None:
    short = train(0, 0.3, 0.4, 2)
    next_one = train(LOCKOUT_MS, 0.2, 0.1, 400)

    assert presses(short + next_one) == [0, LOCKOUT_MS]


def test_a_contact_that_flickers_while_it_is_held_makes_no_second_press() -> None:
    assert presses(train(0, 5000, MIN_OPEN_MS - 1, 5000)) == [0]


def test_a_press_within_the_lockout_is_the_same_press() -> None:
    assert presses(train(0, 10) + train(LOCKOUT_MS - 1, 10) + train(3 * LOCKOUT_MS, 10)) == [0, 3 * LOCKOUT_MS]


def test_the_lockout_counts_from_the_last_press_and_not_from_the_swallowed_one() -> None:
    debouncer = Debouncer(lockout_ms=1000)

    edges = [edge for at in range(0, 5000, 400) for edge in train(at, 50)]

    assert presses(edges, debouncer) == [0, 1200, 2400, 3600, 4800]


def test_two_closings_in_a_row_are_two_presses_when_the_contact_can_have_rested_between() -> None:
    assert presses([Edge(0, closed=True), Edge(LOCKOUT_MS * MS, closed=True)]) == [0, LOCKOUT_MS]


def test_chatter_of_which_only_closings_arrive_is_one_press() -> None:
    assert presses(Edge(at_ms * MS, closed=True) for at_ms in range(0, 1000, MIN_OPEN_MS - 1)) == [0]


def test_two_openings_in_a_row_are_no_press() -> None:
    spike = [Edge(1000 * MS, closed=False), Edge(1000 * MS + 20_000, closed=False)]

    assert presses([*train(0, 50), *spike]) == [0]


def test_a_press_whose_first_closing_is_lost_counts_at_its_next_one() -> None:
    assert presses([*train(0, 50), *train(1000, 1, 1, 100)[1:]]) == [0, 1002]


def test_a_button_held_at_the_start_is_no_press_when_it_is_let_go() -> None:
    assert presses([Edge(0, closed=False), *train(1, 1), *train(500, 50)]) == [500]


def test_an_edge_that_comes_late_and_out_of_order_makes_no_press() -> None:
    assert presses([*train(1000, 50), Edge(900 * MS, closed=True), Edge(1060 * MS, closed=False)]) == [1000]


def test_an_hour_of_chatter_is_one_press() -> None:
    assert presses(train(0, *[MIN_OPEN_MS - 1] * (3_600_000 // MIN_OPEN_MS))) == [0]


def test_a_million_quick_presses_count_as_no_more_than_one_in_each_lockout() -> None:
    debouncer, counted = Debouncer(), 0
    for at_ms in range(0, 25_000_000, 25):
        counted += debouncer.edge(Edge(at_ms * MS, closed=True)) is not None
        debouncer.edge(Edge(at_ms * MS + MS, closed=False))

    assert counted == 25_000_000 // 100, "every fourth one is the first after the lockout of 80 ms"


def test_edges_are_counted_from_the_press_on() -> None:
    debouncer = Debouncer()
    assert debouncer.edges == 0

    seen: list[int] = []
    for edge in train(0, 1, 1, 300, 1, 1):
        debouncer.edge(edge)
        seen.append(debouncer.edges)
    debouncer.edge(Edge(MINUTE_MS * MS, closed=True))

    assert seen == [1, 2, 3, 4, 5, 6]
    assert debouncer.edges == 1
