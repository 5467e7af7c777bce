"""Which readings are good, with which flag (promises P4 and P5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ingest import screening
from api.ingest.screening import AHEAD_MS, EARLIEST_MS, Screened, screen
from broker.contract import senml
from broker.contract.errors import Reason
from broker.contract.messages import Clock, Record
from broker.contract.quantities import QUANTITIES
from broker.contract.senml import Reading, Refusal
from broker.contract.series import Quality
from tests.unit.api.ingest.messages import NOW_MS

T = NOW_MS / 1000


def good(records: list[Record], clock: Clock = Clock.SYNCED) -> list[Screened]:
    kept, refused = screen(records, clock, NOW_MS)
    assert refused == []
    return kept


def test_a_plausible_value_is_not_yet_judged() -> None:
    assert good([Record(bt=T, n="sds/pm2_5", v=12.5, ut=60)]) == [
        Screened("sds", "pm2_5", NOW_MS, 12.5, 60_000, Quality.NOT_EVALUATED)
    ]


@pytest.mark.parametrize("clock", list(Clock))
def test_a_value_outside_the_plausible_range_fails_whatever_the_clock(clock: Clock) -> None:
    """P5: it is kept, and says that it is none."""
    assert [value.quality for value in good([Record(bt=T, n="sds/pm2_5", v=-1)], clock)] == [Quality.FAIL]


@pytest.mark.parametrize(
    ("clock", "quality"),
    [
        (Clock.SYNCED, Quality.NOT_EVALUATED),
        (Clock.REPAIRED, Quality.NOT_EVALUATED),
        (Clock.UNTRUSTED, Quality.SUSPECT),
    ],
)
def test_a_reading_from_an_untrusted_clock_says_so(clock: Clock, quality: Quality) -> None:
    """P5."""
    assert [value.quality for value in good([Record(bt=T, n="sds/pm2_5", v=1)], clock)] == [quality]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record(n="sds/pm2_5", v=1, bt=EARLIEST_MS / 1000 - 1), Reason.TIME_PAST),
        (Record(n="sds/pm2_5", v=1, bt=T + AHEAD_MS / 1000 + 1), Reason.TIME_FUTURE),
        (Record(n="sds/pm2_5", v=1, bt=4_102_444_800), Reason.TIME_FUTURE),
        (Record(n="sds/pm2_5", v=1, bt=1e306), Reason.NOT_A_NUMBER),
        (Record(n="sds/pm2_5", vs="high", bt=T), Reason.NOT_A_NUMBER),
        (Record(n="sds/love", v=1, bt=T), Reason.UNKNOWN_QUANTITY),
        (Record(n="'; DROP TABLE journal; --", v=1, bt=T), Reason.UNKNOWN_QUANTITY),
        (Record(n="s" * 60_000, v=1, bt=T), Reason.UNKNOWN_QUANTITY),
        (Record(n="sds/pm2_5", v=1, u="lx", bt=T), Reason.WRONG_UNIT),
        (Record(n="sds/pm2_5", v=1e308, u="kg/m3", bt=T), Reason.NOT_A_NUMBER),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_bad_record_is_refused_and_the_others_are_kept(record: Record, reason: Reason) -> None:
    """P4."""
    records = [Record(n="sds/pm10", bt=T, v=1), record, Record(n="sds/temperature", bt=T, v=20)]
    kept, refused = screen(records, Clock.SYNCED, NOW_MS)
    assert [value.quantity for value in kept] == ["pm10", "temperature"]
    assert [refusal.reason for refusal in refused] == [reason]


def test_the_window_is_open_at_both_ends() -> None:
    edges = [Record(n="a/noise", v=1, bt=EARLIEST_MS / 1000), Record(n="a/noise", v=1, bt=(NOW_MS + AHEAD_MS) / 1000)]
    assert [value.at_ms for value in good(edges)] == [EARLIEST_MS, NOW_MS + AHEAD_MS]


def test_a_relative_time_counts_from_the_receipt() -> None:
    assert [value.at_ms for value in good([Record(n="noise", v=50), Record(n="noise", v=50, t=-5)])] == [
        NOW_MS,
        NOW_MS - 5000,
    ]


names = st.sampled_from(["sds/pm2_5", "sds/pm10", "pm2_5", "bme/temperature", "x/love", "", "a/b/c"])
numbers = st.one_of(st.floats(-100, 3000), st.sampled_from([0.0, -0.0, 1e308, -1e308, 2000.0, 2000.0001]))
times = st.one_of(st.floats(T - 1e6, T + 700), st.sampled_from([0.0, -3.5, 1e9, EARLIEST_MS / 1000, T + 600, 1e306]))
units = st.sampled_from([None, None, "ug/m3", "Cel", "K", "kg/m3", ""])


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.none(), st.none(), strategy)


records = st.builds(
    Record, bn=maybe(names), bt=maybe(times), bu=maybe(units), bv=maybe(numbers), n=st.one_of(names, maybe(names)),
    u=units, v=st.one_of(numbers, maybe(numbers)), vs=maybe(st.just("x")), t=maybe(st.floats(-1e6, 1e6)),
    ut=maybe(st.floats(-1, 1e9)),
)  # fmt: skip


def by_the_book(pack: list[Record], clock: Clock) -> list[Screened]:
    """Every reading that resolves and lies in the window, flagged by the rules, one at a time."""
    kept = []
    for reading in senml.resolve(pack, NOW_MS):
        if isinstance(reading, Refusal) or not EARLIEST_MS <= reading.at_ms <= NOW_MS + AHEAD_MS:
            continue
        limits = QUANTITIES[reading.quantity]
        quality = Quality.SUSPECT if clock is Clock.UNTRUSTED else Quality.NOT_EVALUATED
        if not limits.low <= reading.value <= limits.high:
            quality = Quality.FAIL
        kept.append(Screened(*reading, quality=quality))
    return kept


@given(st.lists(records, max_size=6), st.sampled_from(Clock))
def test_the_fast_way_gives_the_same_answer(pack: list[Record], clock: Clock) -> None:
    """What ingest and forwarder see of a stored message never differs, met before or not."""
    screen([Record(n="sds/pm2_5", bt=T, v=1), Record(n="bme/temperature", bt=T, v=1)], clock, NOW_MS)
    good, refused = screen(pack, clock, NOW_MS)
    again, refused_again = screen(pack, clock, NOW_MS)
    assert good == again == by_the_book(pack, clock)
    assert list(map(str, refused)) == list(map(str, refused_again))


def test_an_ordinary_pack_takes_the_fast_way() -> None:
    pack = senml.pack([Reading("sds", "pm2_5", NOW_MS - n, 1.5 + n, 60_000) for n in range(20)])
    expected = screen(pack, Clock.SYNCED, NOW_MS)[0]
    assert screening._plain(pack, Quality.NOT_EVALUATED, NOW_MS) == expected
