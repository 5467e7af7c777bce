"""A batch on real stores: one effect each, and what cannot be stored now is not lost (promises P1, P2, P4)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.orm import Session

from api.db import Contact, Inbox, Press, Quarantine, QuarantineCount
from api.ingest.facts import Facts
from api.ingest.intake import SNAPSHOT_MS, Taken
from api.ingest.journal import JournalError
from api.services import handlers
from api.spec import Arrival
from broker.contract import codec
from broker.contract.messages import Latest, Receipt
from broker.contract.senml import Reading
from broker.contract.topics import LATEST, RECEIPT, topic
from tests.integration.stores import Stores, fill_up, make_room
from tests.unit.api.ingest.messages import (
    DEVICE,
    EPOCH,
    NOW_MS,
    SITE,
    altered,
    at,
    birth,
    heartbeat,
    press,
    readings,
)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    opened = Stores(tmp_path)
    yield opened
    opened.close()


def receipt(taken: Taken) -> list[tuple[int, int]]:
    ((name, payload),) = taken.receipts
    assert name == topic(SITE, DEVICE, RECEIPT)
    message = codec.decode_as(Receipt, RECEIPT, payload)
    assert message.epoch == EPOCH
    return list(message.ranges)


def test_a_mixed_batch_is_stored_and_receipted(stores: Stores) -> None:
    batch = [readings(1), press(2), altered(readings(3), e="poison"), heartbeat(), birth("aaaaaaaaaaaa")]
    taken = stores.intake.take(batch, NOW_MS)
    assert receipt(taken) == [(1, 3)]
    assert stores.rows() == [batch[0].payload]
    assert [(one.button, one.at_ms, one.count) for one in stores.facts(Press)] == [("a", NOW_MS, 2)]
    assert [(one.reason, one.payload, one.size) for one in stores.facts(Quarantine)] == [
        ("bad_body", batch[2].payload, len(batch[2].payload))
    ]
    assert {(one.seq, one.kind) for one in stores.facts(Inbox)} == {(2, "press"), (3, "readings")}
    assert stores.received(EPOCH) == [(1, 3)]


def test_messages_that_come_again_have_no_effect_and_are_receipted_again(stores: Stores) -> None:
    """P2, in the same process and after a restart."""
    batch = [readings(1), press(2), altered(readings(3), e="poison")]
    for _ in range(2):
        assert receipt(stores.intake.take(batch, NOW_MS)) == [(1, 3)]
    stores.close()
    again = Stores(stores.directory)
    assert receipt(again.intake.take(batch, NOW_MS)) == [(1, 3)]
    assert (len(again.rows()), len(again.facts(Press)), len(again.facts(Quarantine))) == (1, 1, 1)
    assert [(one.device, one.reason, one.total) for one in again.facts(QuarantineCount)] == [(DEVICE, "bad_body", 1)]
    assert again.intake.contacts.state(DEVICE).duplicates == 6
    again.close()


def test_a_kill_between_the_two_commits_leaves_one_effect(stores: Stores) -> None:
    """P2: the journal does not know the numbers, the inbox does."""
    batch = [readings(1), press(2), altered(readings(3), e="poison")]
    fill_up(stores.journal._db)
    big = readings(4, *[Reading(f"s{n}", "noise", NOW_MS, 50.0) for n in range(900)])
    with pytest.raises(JournalError):
        stores.intake.take([*batch, big], NOW_MS)
    assert (len(stores.facts(Press)), stores.rows()) == (1, [])
    make_room(stores.journal._db)
    assert receipt(stores.intake.take([*batch, big], NOW_MS)) == [(1, 4)]
    assert (len(stores.rows()), len(stores.facts(Press)), len(stores.facts(Quarantine))) == (2, 1, 1)


def test_readings_go_on_while_the_facts_store_is_locked(stores: Stores) -> None:
    """What needs it waits, is not receipted, and is stored when it is back."""
    blocker = sqlite3.connect(stores.directory / "facts.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    batch = [readings(1), press(2), press(2), altered(readings(3), e="poison"), readings(4)]
    taken = stores.intake.take(batch, NOW_MS)
    assert taken.held == {1, 2, 3}
    assert receipt(taken) == [(1, 1), (4, 4)]
    assert len(stores.rows()) == 2
    held = [batch[place] for place in sorted(taken.held)]
    assert stores.intake.take(held, NOW_MS, ask_facts=False).held == {0, 1, 2}
    blocker.execute("ROLLBACK")
    blocker.close()
    assert receipt(stores.intake.take(held, NOW_MS)) == [(1, 4)]
    assert (len(stores.facts(Press)), len(stores.facts(Quarantine))) == (1, 1)


class Refused(ValueError):
    """What a service raises that cannot take a message."""


def picky(session: Session, arrival: Arrival) -> None:
    """Keeps presses, but cannot stand some buttons."""
    match arrival.message.button:
        case "refused":
            session.add(_press(arrival))
            session.flush()
            raise Refused("no such counter")
        case "bug":
            raise TypeError("secret content")
        case "null":
            session.add(Press(site="x"))
        case _:
            session.add(_press(arrival))


def _press(arrival: Arrival) -> Press:
    return Press(
        site=arrival.site, device=arrival.device, button=arrival.message.button, at_ms=1, received_ms=1,
        count=arrival.message.count, clock="synced",
    )  # fmt: skip


@pytest.mark.parametrize("button", ["refused", "bug", "null"])
def test_a_press_that_a_service_cannot_take_is_put_aside_and_the_others_are_kept(tmp_path: Path, button: str) -> None:
    """P4; nothing of the refused one stays, and P7: the text of an unforeseen error is not shown."""
    stores = Stores(tmp_path, {"press": [picky]})
    batch = [press(1), press(2, button=button), press(3), readings(4)]
    for _ in range(2):
        assert receipt(stores.intake.take(batch, NOW_MS)) == [(1, 4)]
    assert [one.count for one in stores.facts(Press)] == [1, 3]
    (entry,) = stores.facts(Quarantine)
    assert (entry.reason, entry.payload) == ("bad_body", batch[1].payload)
    assert "secret" not in entry.detail
    stores.close()


def test_a_kind_that_no_service_takes_stops_ingest_at_the_start(stores: Stores) -> None:
    """P1: its messages would be receipted and lost."""
    with pytest.raises(LookupError, match="no service takes press"):
        Facts(stores.engine, {})


def test_what_comes_from_a_bad_topic_fits_the_quarantine(stores: Stores) -> None:
    taken = stores.intake.take([readings(1)._replace(topic="city/" + "x" * 60_000 + "/roof/up/readings")], NOW_MS)
    (entry,) = stores.facts(Quarantine)
    assert (taken.receipts, entry.reason, len(entry.site), len(entry.topic)) == ([], "bad_topic", 48, 200)


def test_a_payload_beyond_all_bounds_is_kept_in_part_with_its_size(stores: Stores) -> None:
    message = altered(readings(1), pad="x" * 200_000)
    stores.intake.take([message], NOW_MS)
    (entry,) = stores.facts(Quarantine)
    assert (entry.reason, entry.size, len(entry.payload)) == ("too_large", len(message.payload), codec.MAX_PAYLOAD)


def test_many_bad_readings_of_one_message_make_one_entry(stores: Stores) -> None:
    """A thousand copies of the same payload would fill the disk."""
    pack = [{"n": "a/love", "v": 1}] * 1000
    stores.intake.take([altered(readings(1), e=pack)], NOW_MS)
    (entry,) = stores.facts(Quarantine)
    assert entry.detail.startswith("1000 of 1000 records")


def test_contacts_are_stored_and_known_after_a_restart(stores: Stores) -> None:
    stores.intake.take([birth("aaaaaaaaaaaa"), heartbeat(), readings(1), readings(4), at(LATEST, b"")], NOW_MS)
    stores.intake.tend(NOW_MS)
    (row,) = stores.facts(Contact)
    assert (row.device, row.site, row.online, row.contact_ms) == (DEVICE, SITE, True, NOW_MS)
    assert (row.received, row.missing) == (2, 2)
    assert msgspec.json.decode(row.heartbeat)["interval_s"] == 30
    stores.close()
    again = Stores(stores.directory)
    again.intake.tend(NOW_MS)
    state = again.intake.contacts.state(DEVICE)
    assert (state.online, state.contact, state.received, state.missing) == (True, NOW_MS / 1000, 2, 2)
    assert state.status is not None
    again.close()


@pytest.mark.parametrize("snapshot_first", [True, False])
def test_the_newest_values_are_known_after_a_kill(stores: Stores, snapshot_first: bool) -> None:
    """P5: a restart makes no sensor vanish, and what came after the last copy is read from the journal."""
    stores.intake.take([readings(1, Reading("bme", "humidity", NOW_MS, 50.0))], NOW_MS)
    if snapshot_first:
        stores.intake.tend(NOW_MS + SNAPSHOT_MS)
    stores.intake.take([readings(2, Reading("sds", "pm2_5", NOW_MS, 7.0))], NOW_MS)
    stores.close()
    again = Stores(stores.directory)
    told = dict(again.intake.contacts.messages(NOW_MS))
    latest = codec.decode_as(Latest, LATEST, told[topic(SITE, DEVICE, LATEST)])
    assert [(value.quantity, value.value) for value in latest.values] == [("humidity", 50.0), ("pm2_5", 7.0)]
    again.close()


def test_contacts_wait_for_a_facts_store_that_is_away(stores: Stores) -> None:
    blocker = sqlite3.connect(stores.directory / "facts.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    stores.intake.take([heartbeat()], NOW_MS)
    stores.intake.tend(NOW_MS)
    blocker.execute("ROLLBACK")
    blocker.close()
    stores.intake.tend(NOW_MS + 1000)
    assert stores.facts(Contact) == []
    stores.intake.tend(NOW_MS + 6000)
    assert [one.device for one in stores.facts(Contact)] == [DEVICE]


def test_every_fact_of_the_contract_has_a_service(stores: Stores) -> None:
    Facts(stores.engine, handlers())
