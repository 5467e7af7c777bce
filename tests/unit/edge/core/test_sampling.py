"""Measurements become packs that the contract takes, unchanged; a repair moves times and nothing else."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract import codec, senml
from broker.contract.messages import Clock, Press, Readings
from broker.contract.quantities import QUANTITIES
from broker.contract.senml import Reading
from broker.contract.topics import PRESS, READINGS
from edge.core.clock import Timeline
from edge.core.sampling import (
    MOST,
    Batch,
    Stamp,
    fault,
    packets,
    press_payload,
    readings_payload,
    repaired,
)

S = 1_000_000_000
BASE_MS = 1_717_200_000_000
STAMP = Stamp("0123456789ab", 7, "0" * 32, Clock.UNTRUSTED)


def timeline() -> Timeline:
    return Timeline(estimate_ms=BASE_MS, trusted=False, patience_ends_ns=0)


def resolved(payload: bytes) -> list[Reading | senml.Refusal]:
    return list(senml.resolve(codec.decode_as(Readings, READINGS, payload).e, 0))


def test_readings_wait_together_for_commit_s_counted_from_the_first() -> None:
    batch = Batch(commit_s=1.0)
    assert batch.due_ns() is None
    batch.add("air", 5 * S, 1000, [("temperature", 27.1)], now_ns=5 * S)
    batch.add("sky", 5 * S + 9, 1000, [("noise", 61.0)], now_ns=5 * S + 9)
    assert batch.due_ns() == 6 * S
    assert [len(portion) for portion in batch.take(timeline())] == [2]
    assert batch.due_ns() is None


def test_a_full_batch_is_due_at_once_and_travels_in_messages_of_a_bounded_size() -> None:
    batch = Batch(commit_s=60)
    for number in range(MOST + 1):
        batch.add("air", number, 1000, [("temperature", 20.0)], now_ns=S)
    assert batch.due_ns() == 0
    assert [len(portion) for portion in batch.take(timeline())] == [MOST, 1]


def test_p5_values_travel_as_they_were_measured_with_their_time_and_interval() -> None:
    batch = Batch(commit_s=1.0)
    batch.add("air", 2 * S, 500, [("temperature", 27.123456789012345), ("humidity", 80.0)], now_ns=2 * S)
    (portion,) = batch.take(timeline())
    assert resolved(readings_payload(STAMP, portion)) == [
        Reading("air", "temperature", BASE_MS + 2000, 27.123456789012345, 500),
        Reading("air", "humidity", BASE_MS + 2000, 80.0, 500),
    ]


def test_the_longest_message_is_one_that_the_contract_takes() -> None:
    name = max(QUANTITIES, key=len)
    readings = [
        Reading("s" * 48, name, BASE_MS + i * 86_399_999, -1.2345678901234567e-300, 86_399_999) for i in range(MOST)
    ]
    assert len(readings_payload(STAMP, readings)) <= codec.MAX_PAYLOAD
    assert len(resolved(readings_payload(STAMP, readings))) == MOST


@pytest.mark.parametrize(
    ("quantity", "value", "says"),
    [
        ("temperature", math.nan, "not a number"),
        ("temperature", math.inf, "not a number"),
        ("temprature", 20.0, "'temprature'"),
    ],
)
def test_what_cannot_be_a_reading_is_a_fault_of_the_driver(quantity: str, value: float, says: str) -> None:
    assert says in fault(quantity, value)
    assert fault("temperature", 20.0) == ""


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.integers(-(10**12), 10**12))
def test_p5_a_repair_moves_every_time_and_no_value(values: list[float], by_ms: int) -> None:
    readings = [Reading("air", "temperature", BASE_MS + 10 * i, value, 1000) for i, value in enumerate(values)]
    after = repaired("readings", readings_payload(STAMP, readings), by_ms)
    message = codec.decode_as(Readings, READINGS, after)
    assert (message.epoch, message.seq, message.boot) == STAMP[:3]
    assert message.clock is Clock.REPAIRED
    assert list(senml.resolve(message.e, 0)) == [r._replace(at_ms=r.at_ms + by_ms) for r in readings]


def test_p5_a_press_is_repaired_likewise() -> None:
    payload = press_payload(STAMP, button="red", at_ms=BASE_MS, count=3)
    press = codec.decode_as(Press, PRESS, repaired("press", payload, 1500))
    assert press.at == (BASE_MS + 1500) / 1000
    assert (press.clock, press.button, press.count) == (Clock.REPAIRED, "red", 3)


def test_what_cannot_be_read_is_sent_as_it_is() -> None:
    assert repaired("readings", b"\xff", 1000) == b"\xff"


def test_no_readings_are_no_message() -> None:
    assert packets([]) == []
