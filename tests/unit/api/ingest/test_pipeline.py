"""Decode, dedupe, route (promises P1, P2, P4)."""

from __future__ import annotations

import pytest

from api.ingest.outcome import Incoming, Ledger, Outcome
from api.ingest.pipeline import sort
from broker.contract.codec import MAX_PACKET, MAX_PAYLOAD
from broker.contract.errors import Reason
from broker.contract.messages import Clock, Press, Record
from broker.contract.senml import Reading
from broker.contract.seqset import SeqSet
from broker.contract.topics import HEARTBEAT, PRESS, READINGS, SENML, STATUS
from tests.unit.api.ingest.messages import (
    DEVICE,
    EPOCH,
    NOW_MS,
    SITE,
    altered,
    at,
    bare,
    birth,
    envelope,
    heartbeat,
    press,
    readings,
    will,
)

T = NOW_MS / 1000


def ledger(*seqs: int) -> Ledger:
    return Ledger({(DEVICE, EPOCH): SeqSet((seq, seq) for seq in seqs)}, {DEVICE: EPOCH})


def run(*batch: Incoming, known: Ledger | None = None) -> Outcome:
    return sort(batch, known or Ledger({}, {}))


def receipted(outcome: Outcome) -> list[tuple[int, int]]:
    return outcome.receipted[SITE, DEVICE, EPOCH].ranges()


def test_readings_go_to_the_journal_as_they_came() -> None:
    message = readings(1, Reading("sds", "pm2_5", NOW_MS, 12.0), Reading("sds", "pm10", NOW_MS, 20.0))
    outcome = run(message)
    assert outcome.rows == [(NOW_MS, message.topic, message.payload)]
    assert (outcome.readings, outcome.facts, outcome.aside) == (2, [], [])
    assert receipted(outcome) == [(1, 1)]
    assert {name: value.value for name, value in outcome.news[DEVICE].latest.items()} == {
        ("sds", "pm2_5"): 12.0,
        ("sds", "pm10"): 20.0,
    }


def test_a_press_becomes_a_fact() -> None:
    outcome = run(press(7))
    (fact,) = outcome.facts
    assert (fact.identity, fact.kind, fact.site) == ((DEVICE, EPOCH, 7), "press", SITE)
    assert (outcome.rows, receipted(outcome)) == ([], [(7, 7)])


def test_a_message_that_came_before_has_no_effect_and_is_receipted_again() -> None:
    """P2, and P1: its first receipt may have been lost."""
    outcome = run(readings(1), press(2), readings(3), known=ledger(1, 2))
    assert (len(outcome.rows), outcome.facts) == (1, [])
    assert receipted(outcome) == [(1, 3)]
    assert outcome.fresh == {(DEVICE, EPOCH): SeqSet([(3, 3)])}
    assert outcome.duplicates == {DEVICE: 2}


def test_a_message_twice_in_one_batch_takes_effect_once() -> None:
    """P2."""
    outcome = run(press(1), press(1), readings(2), readings(2))
    assert (len(outcome.facts), len(outcome.rows), outcome.duplicates[DEVICE]) == (1, 1, 2)


def test_the_same_number_of_another_epoch_or_device_is_another_message() -> None:
    outcome = run(readings(1, epoch="ffffffffffff"), readings(1, device="gate"), known=ledger(1))
    assert len(outcome.rows) == 2


def test_sorting_changes_nothing_it_was_given() -> None:
    known = ledger(1)
    assert sort([readings(2)], known).rows == sort([readings(2)], known).rows
    assert known.received == {(DEVICE, EPOCH): SeqSet([(1, 1)])}


BAD_WITH_IDENTITY = [
    (altered(readings(5), e=[]), Reason.BAD_BODY),
    (altered(readings(5), e=None), Reason.BAD_BODY),
    (altered(readings(5), boot=None), Reason.BAD_BODY),
    (altered(readings(5), clock="sundial"), Reason.BAD_BODY),
    (altered(readings(5), v=2), Reason.UNKNOWN_VERSION),
    (altered(readings(5), v=2, e="another shape"), Reason.UNKNOWN_VERSION),
    (altered(readings(5), pad="x" * MAX_PAYLOAD), Reason.TOO_LARGE),
    (altered(press(5), button="../../etc"), Reason.BAD_BODY),
    (altered(press(5), at="noon"), Reason.BAD_BODY),
    (press(5, at_ms=946_684_800_000), Reason.TIME_PAST),
    (press(5, at_ms=4_102_444_800_000), Reason.TIME_FUTURE),
    (envelope(5, (Record(n="a/pm2_5", v=1, bt=4e9),)), Reason.TIME_FUTURE),
    (envelope(5, (Record(n="a/love", v=1, bt=T),)), Reason.UNKNOWN_QUANTITY),
]


@pytest.mark.parametrize(("message", "reason"), BAD_WITH_IDENTITY, ids=lambda value: str(value)[:20])
def test_poison_with_an_identity_is_put_aside_and_receipted_once(message: Incoming, reason: Reason) -> None:
    """P4: it is never sent again, and it is where a person sees it; P2: once."""
    outcome = run(message, message, readings(6))
    (entry,) = outcome.aside
    assert (entry.reason, entry.identity, entry.source) == (reason, (DEVICE, EPOCH, 5), message)
    assert (entry.site, entry.device) == (SITE, DEVICE)
    assert receipted(outcome) == [(5, 6)]
    assert len(outcome.rows) == 1
    assert outcome.duplicates[DEVICE] == 1


BAD_WITHOUT_IDENTITY = [
    (at(READINGS, b""), Reason.BAD_ENVELOPE),
    (at(READINGS, b"\xff\xfe\x00"), Reason.BAD_ENVELOPE),
    (at(READINGS, b"[" * 60_000), Reason.BAD_ENVELOPE),
    (at(READINGS, b"null"), Reason.BAD_ENVELOPE),
    (at(READINGS, readings(1).payload.replace(b'"seq":1', b'"seq":NaN')), Reason.BAD_ENVELOPE),
    (altered(readings(5), seq=None), Reason.BAD_ENVELOPE),
    (altered(readings(5), seq=0), Reason.BAD_ENVELOPE),
    (altered(readings(5), seq=2**60), Reason.BAD_ENVELOPE),
    (altered(readings(5), epoch="'; DROP TABLE"), Reason.BAD_ENVELOPE),
    (at(READINGS, b"{" + b" " * MAX_PACKET), Reason.TOO_LARGE),
    (at(SENML, b"{}"), Reason.BAD_BODY),
    (at(SENML, b"[{]"), Reason.BAD_BODY),
    (bare(Record(n="love", v=1)), Reason.UNKNOWN_QUANTITY),
    (at(STATUS, b"{}"), Reason.BAD_BODY),
    (at(HEARTBEAT, b"\x00"), Reason.BAD_BODY),
    (Incoming("city/rsud/roof/up/love", b"x", NOW_MS), Reason.BAD_TOPIC),
    (Incoming("city/rsud/roof/down/receipt", b"x", NOW_MS), Reason.BAD_TOPIC),
    (Incoming("city/rsud/roof", b"x", NOW_MS), Reason.BAD_TOPIC),
    (Incoming("", b"x", NOW_MS), Reason.BAD_TOPIC),
    (Incoming("city/RSUD/roof/up/press", b"x", NOW_MS), Reason.BAD_TOPIC),
]


@pytest.mark.parametrize(("message", "reason"), BAD_WITHOUT_IDENTITY, ids=lambda value: str(value)[:20])
def test_poison_without_an_identity_is_put_aside_and_the_line_goes_on(message: Incoming, reason: Reason) -> None:
    """P4: nothing can be receipted."""
    outcome = run(message, readings(1))
    (entry,) = outcome.aside
    assert (entry.reason, entry.identity, entry.source) == (reason, None, message)
    assert receipted(outcome) == [(1, 1)]
    assert len(outcome.rows) == 1


def test_a_number_beyond_all_floats_spoils_its_message_only() -> None:
    outcome = run(at(READINGS, readings(4).payload.replace(b'"v":4.0', b'"v":1e999')), readings(5))
    assert (len(outcome.aside), len(outcome.rows), receipted(outcome)) == (1, 1, [(4, 5)])


def test_a_pack_with_bad_readings_keeps_the_good_ones() -> None:
    """P4: one entry for each reason, which names the first record and how many are to blame."""
    pack = (
        Record(n="a/pm2_5", v=1, bt=T), Record(n="a/love", v=1), Record(n="a/hate", v=1),
        Record(n="a/pm10", v=2, t=9e5), Record(n="a/noise", v=50),
    )  # fmt: skip
    outcome = run(envelope(1, pack))
    assert (len(outcome.rows), outcome.readings, receipted(outcome)) == (1, 2, [(1, 1)])
    assert {entry.reason: entry.detail for entry in outcome.aside} == {
        Reason.UNKNOWN_QUANTITY: "2 of 5 records, first: 'a/love' is no [sensor/]quantity of the contract",
        Reason.TIME_FUTURE: "1 of 5 records, first: a/pm10: 1790900000.000 s is 900000 s ahead of the server's clock",
    }
    assert outcome.needing_facts() == {0}


def test_a_press_of_a_clock_that_was_never_set_counts_at_the_time_of_receipt() -> None:
    """P1 and P5: it did happen, and its clock goes on saying that the time is none of its own."""
    (fact,) = run(press(1, at_ms=10_000, clock=Clock.UNTRUSTED)).facts
    assert isinstance(fact.message, Press)
    assert (fact.message.at, fact.message.clock) == (T, Clock.UNTRUSTED)


def test_bare_senml_is_journalled_without_receipt() -> None:
    outcome = run(bare(Record(n="noise", v=51.5)), bare(Record(n="noise", v=51.5)))
    assert (len(outcome.rows), outcome.receipted, outcome.fresh) == (2, {}, {})


def test_bare_senml_that_the_broker_repeats_is_void() -> None:
    """P5: its time is relative to now, and now is long after."""
    outcome = run(bare(Record(n="noise", v=51.5), retained=True))
    assert (outcome.rows, outcome.news) == ([], {})


@pytest.mark.parametrize(
    ("message", "contact_ms"),
    [
        (readings(1), NOW_MS),
        (press(1), NOW_MS),
        (heartbeat(), NOW_MS),
        (birth("aaaaaaaaaaaa"), NOW_MS),
        (bare(Record(n="noise", v=1)), NOW_MS),
        (at(PRESS, b"rubbish"), NOW_MS),
        (at(STATUS, b"rubbish"), NOW_MS),
        (will("aaaaaaaaaaaa"), 0),
        (heartbeat(retained=True), 0),
        (birth("aaaaaaaaaaaa", retained=True), 0),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_device_sends_now_is_contact_and_what_the_broker_repeats_is_not(
    message: Incoming, contact_ms: int
) -> None:
    """P5: a silent device never looks alive."""
    assert run(message).news[DEVICE].contact_ms == contact_ms


def test_a_retained_rubbish_status_is_not_put_aside_at_each_subscription() -> None:
    assert run(at(STATUS, b"rubbish", retained=True)).aside == []


def test_the_newest_value_is_the_newest_by_measurement_not_by_arrival() -> None:
    backfill = Reading("sds", "pm2_5", NOW_MS - 60_000, 1.0)
    outcome = run(readings(2, Reading("sds", "pm2_5", NOW_MS, 2.0)), readings(1, backfill))
    assert outcome.news[DEVICE].latest["sds", "pm2_5"].value == 2.0


def test_a_receipt_names_the_whole_range_around_its_numbers() -> None:
    known = ledger(1, 2, 3, 5, 9)
    assert known.joined((DEVICE, EPOCH), SeqSet([(4, 4), (10, 11)])) == [(1, 5), (9, 11)]
    assert known.joined((DEVICE, EPOCH), SeqSet([(6, 6), (8, 8)])) == [(5, 6), (8, 9)]
    assert known.joined(("gate", EPOCH), SeqSet([(4, 4)])) == [(4, 4)]


def test_progress_counts_the_present_epoch() -> None:
    known = ledger(1, 2, 5)
    assert known.progress(DEVICE) == (3, 2)
    known.take({(DEVICE, "ffffffffffff"): SeqSet([(1, 1)])})
    assert known.progress(DEVICE) == (1, 0)
    assert known.progress("gate") == (0, 0)
