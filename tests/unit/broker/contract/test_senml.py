from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract import codec, senml
from broker.contract.errors import Reason
from broker.contract.ids import SENSOR
from broker.contract.messages import Clock, Readings, Record
from broker.contract.quantities import QUANTITIES
from broker.contract.senml import Reading, Refusal
from broker.contract.topics import READINGS

NOW_MS = 1_751_500_800_000
FIRST_MS, LAST_MS = 946_684_800_000, 4_102_444_800_000  # the years 2000 to 2100

READING = st.builds(
    Reading,
    sensor=st.from_regex(re.compile(SENSOR), fullmatch=True),
    quantity=st.sampled_from(sorted(QUANTITIES)),
    at_ms=st.integers(FIRST_MS, LAST_MS),
    value=st.floats(allow_nan=False, allow_infinity=False),
    interval_ms=st.integers(0, 86_400_000),
)


def resolve(*records: Record, now_ms: int = NOW_MS) -> list[Reading | Refusal]:
    return list(senml.resolve(records, now_ms))


@given(st.lists(READING, min_size=1, max_size=50))
def test_what_is_packed_is_read_back_to_the_millisecond_also_through_json(readings: list[Reading]) -> None:
    message = Readings(v=1, epoch="0" * 12, seq=1, boot="0" * 8, clock=Clock.SYNCED, e=senml.pack(readings))
    sent = codec.decode_as(Readings, READINGS, codec.encode(message))
    assert list(senml.resolve(sent.e, NOW_MS)) == readings


@given(st.lists(READING, min_size=1, max_size=20), st.integers(-(10**9), 10**9))
def test_a_shifted_pack_is_the_same_readings_at_another_time(readings: list[Reading], by_ms: int) -> None:
    shifted = resolve(*senml.shift(senml.pack(readings), by_ms / 1000))
    assert shifted == [reading._replace(at_ms=reading.at_ms + by_ms) for reading in readings]


def test_an_empty_pack_is_refused() -> None:
    with pytest.raises(ValueError, match="says nothing"):
        senml.pack([])


def test_base_fields_hold_until_they_are_said_again() -> None:
    assert resolve(
        Record(bn="roof/", bt=1_751_500_000.0, bu="K", n="temperature", v=293.15),
        Record(n="dew_point", v=283.15, t=60.0),
        Record(bn="cellar/", bu="Cel"),
        Record(n="temperature", v=12.5, t=0.25),
        Record(bt=1_751_500_100.0, bv=1.0, n="temperature", v=12.5),
        Record(n="humidity", u="%RH", v=70.0),
    ) == [
        Reading("roof", "temperature", 1_751_500_000_000, 20.0),
        Reading("roof", "dew_point", 1_751_500_060_000, pytest.approx(10.0)),
        Reading("cellar", "temperature", 1_751_500_000_250, 12.5),
        Reading("cellar", "temperature", 1_751_500_100_000, 13.5),
        Reading("cellar", "humidity", 1_751_500_100_000, 71.0),
    ]


def test_the_unit_of_a_record_comes_before_the_base_unit_and_none_means_ours() -> None:
    assert [
        reading.value
        for reading in resolve(
            Record(bu="Pa", n="pressure", u="hPa", v=1013.25),
            Record(n="pressure", v=101_325.0),
        )
    ] == [1013.25, 1013.25]
    assert resolve(Record(n="pressure", v=1013.25)) == [Reading("main", "pressure", NOW_MS, 1013.25)]


def test_a_small_time_is_relative_to_now_and_a_large_one_is_absolute() -> None:
    """RFC 8428, section 4.5.3."""
    at = [
        reading.at_ms
        for reading in resolve(
            Record(n="co2", v=1.0),
            Record(n="co2", v=1.0, t=-5.5),
            Record(n="co2", v=1.0, t=senml.RELATIVE_BELOW_S - 1),
            Record(n="co2", v=1.0, t=senml.RELATIVE_BELOW_S),
        )
        if isinstance(reading, Reading)
    ]
    assert at == [NOW_MS, NOW_MS - 5500, NOW_MS + 1000 * (2**28 - 1), 1000 * 2**28]


@pytest.mark.parametrize(
    ("said", "interval_ms"), [(None, 0), (60.0, 60_000), (0.0, 0), (-1.0, 0), (1e300, 0), (0.25, 250)]
)
def test_the_update_time_is_the_interval_when_it_is_one(said: float | None, interval_ms: int) -> None:
    assert resolve(Record(n="co2", v=1.0, ut=said)) == [Reading("main", "co2", NOW_MS, 1.0, interval_ms)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record(n="happiness", v=1.0), Reason.UNKNOWN_QUANTITY),
        (Record(v=1.0), Reason.UNKNOWN_QUANTITY),
        (Record(bn="a/b/", n="co2", v=1.0), Reason.UNKNOWN_QUANTITY),
        (Record(n="Roof/co2", v=1.0), Reason.UNKNOWN_QUANTITY),
        (Record(n="roof/co2\n", v=1.0), Reason.UNKNOWN_QUANTITY),
        (Record(n="x'; DROP TABLE reading;--/co2", v=1.0), Reason.UNKNOWN_QUANTITY),
        (Record(n="y" * 10_000, v=1.0), Reason.UNKNOWN_QUANTITY),
        (Record(n="temperature", u="degF", v=1.0), Reason.WRONG_UNIT),
        (Record(n="temperature", u="Pa", v=1.0), Reason.WRONG_UNIT),
        (Record(n="temperature", u="", v=1.0), Reason.WRONG_UNIT),
        (Record(n="temperature", u="z" * 10_000, v=1.0), Reason.WRONG_UNIT),
        (Record(n="temperature", vs="warm"), Reason.NOT_A_NUMBER),
        (Record(n="temperature", vb=True), Reason.NOT_A_NUMBER),
        (Record(n="temperature"), Reason.NOT_A_NUMBER),
        (Record(n="temperature", v=math.inf), Reason.NOT_A_NUMBER),
        (Record(n="temperature", v=math.nan), Reason.NOT_A_NUMBER),
        (Record(n="temperature", v=1e308, bv=1e308), Reason.NOT_A_NUMBER),
        (Record(n="temperature", v=1.0, t=math.inf), Reason.NOT_A_NUMBER),
        (Record(n="temperature", v=1.0, t=math.nan), Reason.NOT_A_NUMBER),
    ],
)
def test_p4_a_bad_record_is_put_aside_with_its_place_and_reason_and_spoils_no_other(
    record: Record, reason: Reason
) -> None:
    good = Record(bn="", bv=0.0, n="main/co2", u="ppm", v=415.0)
    first, second, third = resolve(good, record, good)
    assert first == third == Reading("main", "co2", NOW_MS, 415.0)
    assert isinstance(second, Refusal)
    assert (second.record, second.reason) == (1, reason)
    assert 0 < len(second.detail) < 200


RECORD = st.builds(
    Record,
    bn=st.none() | st.text(max_size=5),
    bt=st.none() | st.floats(),
    bu=st.none() | st.text(max_size=3),
    bv=st.none() | st.floats(),
    n=st.none() | st.text(max_size=5) | st.sampled_from(sorted(QUANTITIES)),
    u=st.none() | st.text(max_size=3),
    v=st.none() | st.floats(),
    vs=st.none() | st.text(max_size=3),
    vb=st.none() | st.booleans(),
    t=st.none() | st.floats(),
    ut=st.none() | st.floats(),
)


@given(st.lists(RECORD, max_size=8))
def test_p4_whatever_a_third_party_sends_becomes_readings_and_refusals_and_never_an_error(
    records: list[Record],
) -> None:
    for one in resolve(*records):
        assert isinstance(one, Reading | Refusal)
        if isinstance(one, Reading):
            assert math.isfinite(one.value)
            assert one.quantity in QUANTITIES
            assert one.interval_ms >= 0
