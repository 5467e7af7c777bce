"""Ingest's and the worker's facts on PostgreSQL (promises P1, P2, P4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from api.db import Contact, Inbox, Press, Quarantine, QuarantineCount
from api.series import open_store
from api.worker.press_counts import PressCounts
from api.worker.upkeep import QuarantineLimit
from tests.integration.stores import Stores
from tests.integration.test_ingest_intake import picky, receipt
from tests.postgres import Postgres, postgres
from tests.unit.api.ingest.messages import DEVICE, NOW_MS, altered, birth, heartbeat, press, readings

__all__ = ["postgres"]

pytestmark = pytest.mark.postgresql


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.database()


@pytest.fixture
def stores(tmp_path: Path, url: str) -> Iterator[Stores]:
    opened = Stores(tmp_path, url=url)
    yield opened
    opened.close()


def test_every_message_has_one_effect(stores: Stores, url: str) -> None:
    """P2, also after a restart whose journal lost its memory."""
    batch = [readings(1), press(2), press(2), altered(readings(3), e="poison"), heartbeat(), birth("aaaaaaaaaaaa")]
    for _ in range(2):
        assert receipt(stores.intake.take(batch, NOW_MS)) == [(1, 3)]
    stores.close()
    (stores.directory / "journal-ingest.db").unlink()
    again = Stores(stores.directory, url=url)
    assert receipt(again.intake.take(batch, NOW_MS)) == [(1, 3)]
    assert [one.count for one in again.facts(Press)] == [2]
    assert [one.payload for one in again.facts(Quarantine)] == [batch[3].payload]
    assert [(one.reason, one.total) for one in again.facts(QuarantineCount)] == [("bad_body", 1)]
    assert sorted(one.seq for one in again.facts(Inbox)) == [2, 3]
    again.close()


@pytest.mark.parametrize("button", ["refused", "bug", "null"])
def test_a_press_that_a_service_cannot_take_is_put_aside(tmp_path: Path, url: str, button: str) -> None:
    """P4: PostgreSQL would refuse the rest of a transaction after an error."""
    stores = Stores(tmp_path, {"press": [picky]}, url)
    assert receipt(stores.intake.take([press(1), press(2, button=button), press(3)], NOW_MS)) == [(1, 3)]
    assert sorted(one.count for one in stores.facts(Press)) == [1, 3]
    assert len(stores.facts(Quarantine)) == 1
    stores.close()


def test_a_connection_that_was_cut_holds_presses_back_until_there_is_another(stores: Stores) -> None:
    """P1."""
    stores.intake.take([press(1)], NOW_MS)
    with stores.engine.connect() as other:
        others = "pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
        other.execute(text(f"SELECT pg_terminate_backend(pid) FROM {others}"))
    batch = [press(2), readings(3)]
    taken = stores.intake.take(batch, NOW_MS)
    assert (taken.held, receipt(taken)) == ({0}, [(3, 3)])
    assert receipt(stores.intake.take([batch[0]], NOW_MS)) == [(1, 3)]
    assert sorted(one.count for one in stores.facts(Press)) == [1, 2]


def test_contacts_are_renewed_and_learnt(stores: Stores, url: str) -> None:
    stores.intake.take([heartbeat(), readings(1)], NOW_MS)
    stores.intake.tend(NOW_MS)
    stores.intake.take([birth("aaaaaaaaaaaa")], NOW_MS + 5000)
    stores.intake.tend(NOW_MS + 5000)
    (row,) = stores.facts(Contact)
    assert (row.device, row.online, row.received) == (DEVICE, True, 1)
    stores.close()
    again = Stores(stores.directory, url=url)
    again.intake.tend(NOW_MS)
    assert again.intake.contacts.state(DEVICE).online
    again.close()


def test_presses_are_counted_and_the_quarantine_is_limited(stores: Stores) -> None:
    stores.intake.take([press(1), press(2), *(altered(readings(seq), e="poison") for seq in range(3, 9))], NOW_MS)
    store = open_store(
        f"sqlite:///{stores.directory / 'series.db'}", raw_days=1, hourly_days=2, day_offset_ms=0
    )  # fmt: skip
    PressCounts(stores.engine, store).step()
    (info,) = store.series()
    assert [sample.value for sample in store.samples(info.id, 0, NOW_MS * 2, limit=9)] == [2]
    store.close()
    limit = QuarantineLimit(stores.engine, keep=2)
    while limit.step():
        pass
    assert (len(stores.facts(Quarantine)), limit.deleted) == (2, 4)
