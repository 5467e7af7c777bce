"""The worker's jobs on real stores, and the worker as a process (promises P1, P4)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from api.config import Retention, Settings
from api.db import Cursor, Press, Quarantine, QuarantineCount, Token, WebSession, transaction
from api.ports import SeriesStore, SeriesStoreError
from api.series import open_store
from api.worker.main import Worker
from api.worker.press_counts import JOB, PressCounts
from api.worker.upkeep import SLICE, EndedSessions, QuarantineLimit
from broker.contract.series import Quality, SeriesKey
from tests.brokers import Broker, device, servers
from tests.clients import Client
from tests.integration.nodes import Node, node, until
from tests.integration.stores import Stores, facts_engine
from tests.unit.api.ingest.messages import DEVICE, NOW_MS, SITE, readings

__all__ = ["node"]

MINUTE_MS = 60_000
START_MS = NOW_MS // MINUTE_MS * MINUTE_MS


@pytest.fixture
def engine_of_facts(tmp_path: Path) -> Iterator[Engine]:
    engine = facts_engine(tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SeriesStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'series.db'}", raw_days=400, hourly_days=3650, day_offset_ms=0)
    yield opened
    opened.close()


def pressed(engine: Engine, *at_ms: int, button: str = "a") -> None:
    options = {"site": SITE, "device": DEVICE, "button": button, "count": 1, "clock": "synced"}
    with transaction(engine) as session:
        session.add_all(Press(at_ms=one, received_ms=one, **options) for one in at_ms)


def counted(store: SeriesStore, button: str = "a") -> dict[int, float]:
    found = [info for info in store.series() if info.key == SeriesKey(SITE, DEVICE, button, "press_count")]
    samples = [one for info in found for one in store.samples(info.id, 0, NOW_MS * 2, limit=1000)]
    assert {one.quality for one in samples} <= {Quality.PASS}
    return {one.at_ms: one.value for one in samples}


def test_presses_are_counted_by_minute_and_button(engine_of_facts: Engine, store: SeriesStore) -> None:
    counts = PressCounts(engine_of_facts, store)
    assert counts.step() is False
    pressed(engine_of_facts, START_MS, START_MS + MINUTE_MS - 1, START_MS + MINUTE_MS)
    pressed(engine_of_facts, START_MS, button="b")
    assert counts.step() is False
    assert counted(store) == {START_MS: 2, START_MS + MINUTE_MS: 1}
    assert counted(store, "b") == {START_MS: 1}


def test_a_late_press_sets_its_minute_right(engine_of_facts: Engine, store: SeriesStore) -> None:
    counts = PressCounts(engine_of_facts, store)
    pressed(engine_of_facts, START_MS)
    counts.step()
    pressed(engine_of_facts, START_MS + 10 * MINUTE_MS, START_MS + 5)
    counts.step()
    assert counted(store) == {START_MS: 2, START_MS + 10 * MINUTE_MS: 1}


def test_counting_goes_on_after_a_restart_and_in_slices(engine_of_facts: Engine, store: SeriesStore) -> None:
    pressed(engine_of_facts, *(START_MS + n * 1000 for n in range(2500)))
    assert PressCounts(engine_of_facts, store).step() is True
    while PressCounts(engine_of_facts, store).step():
        pass
    assert sum(counted(store).values()) == 2500
    with transaction(engine_of_facts) as session:
        cursor = session.get(Cursor, JOB)
        assert cursor is not None
        assert cursor.position == 2500


def quarantined(engine: Engine, reason: str, count: int) -> None:
    with transaction(engine) as session:
        session.add(QuarantineCount(device=DEVICE, reason=reason, total=count))
        session.add_all(
            Quarantine(
                site=SITE, device=DEVICE, topic="t", reason=reason, detail=str(n), payload=b"x", size=1, received_ms=n
            )
            for n in range(count)
        )


def kept(engine: Engine, reason: str) -> list[int]:
    with transaction(engine) as session:
        return list(session.scalars(select(Quarantine.received_ms).where(Quarantine.reason == reason)))


def test_the_newest_of_each_reason_stay_and_the_count_goes_on(
    engine_of_facts: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """P4: what is deleted for its number is counted and said, never silently gone."""
    quarantined(engine_of_facts, "bad_body", SLICE + 25)
    quarantined(engine_of_facts, "time_past", 3)
    limit = QuarantineLimit(engine_of_facts, keep=5)
    with caplog.at_level("INFO"):
        while limit.step():
            pass
    assert kept(engine_of_facts, "bad_body") == list(range(SLICE + 20, SLICE + 25))
    assert kept(engine_of_facts, "time_past") == [0, 1, 2]
    assert limit.deleted == SLICE + 20
    assert f"the oldest {SLICE} of {SLICE + 25} rows" in caplog.text
    with transaction(engine_of_facts) as session:
        assert session.scalars(select(QuarantineCount.total).order_by(QuarantineCount.reason)).all() == [SLICE + 25, 3]


def test_ended_sessions_are_forgotten(engine_of_facts: Engine) -> None:
    with transaction(engine_of_facts) as session:
        session.add(Token(id="t", title="", secret_hash="", scopes="", created_ms=0))
        session.flush()
        for name, expires_ms in (("old", NOW_MS - 1), ("new", NOW_MS + 1)):
            session.add(WebSession(id_hash=name, token_id="t", created_ms=0, expires_ms=expires_ms))
    EndedSessions(engine_of_facts, lambda: NOW_MS).step()
    with transaction(engine_of_facts) as session:
        assert session.scalars(select(WebSession.id_hash)).all() == ["new"]


def test_every_job_of_a_worker_runs_on_a_node_that_has_data(tmp_path: Path, store: SeriesStore) -> None:
    stores = Stores(tmp_path)
    stores.intake.take([readings(1), readings(2)], NOW_MS)
    settings = Settings(data_dir=tmp_path, retention=Retention(journal_days=1))
    worker = Worker(settings, stores.engine, store)
    worker.jobs[0].run(0)
    for job in worker.jobs:
        job.run(0)
        assert job.failures == 0, job.name
    worker.metrics.measure(NOW_MS)
    (lag,) = worker.metrics._lags.values()
    names = {metric.name for metric in worker.metrics.collect()}
    assert (lag.rows, names) == (
        0,
        {
            "simpul_forward_lag_rows", "simpul_forward_lag_seconds", "simpul_forward_points", "simpul_forward_skipped",
            "simpul_forward_too_old",
            "simpul_worker_failures", "simpul_quarantine_deleted",
        },
    )  # fmt: skip
    worker.close()
    stores.close()


def test_a_damaged_journal_keeps_no_other_from_being_forwarded(tmp_path: Path, store: SeriesStore) -> None:
    (tmp_path / "journal-broken.db").write_bytes(b"no journal" * 1000)
    stores = Stores(tmp_path)
    stores.intake.take([readings(1)], NOW_MS)
    worker = Worker(Settings(data_dir=tmp_path), stores.engine, store)
    worker.jobs[0].run(0)
    assert [path.name for path in worker.forwarders] == ["journal-ingest.db"]
    assert worker.jobs[0].failures == 1
    worker.close()
    stores.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """The embedded broker: which one makes no difference to a worker."""
    running = Broker(tmp_path, "amqtt", [*servers(), device(SITE, DEVICE)]).start()
    yield running
    running.stop()


def test_a_worker_that_is_killed_goes_on_where_it_was(node: Node) -> None:
    """P1: everything that ingest took in reaches the series store."""
    node.listen()
    node.start("worker")
    reader = open_store(
        f"sqlite:///{node.directory / 'series.db'}", raw_days=400, hourly_days=3650, day_offset_ms=7 * 3_600_000,
        read_only=True,
    )  # fmt: skip
    now_s = time.time()

    def stored() -> set[float]:
        try:
            found = reader.series()
        except SeriesStoreError:  # the worker is just making it
            return set()
        return {sample.value for info in found for sample in reader.samples(info.id, 0, NOW_MS * 2, limit=99)}

    def send(client: Client, *seqs: int) -> None:
        for seq in seqs:
            message = readings(seq)
            payload = message.payload.replace(b'"bt":', b'"bt":%f,"ut":' % (now_s + seq))
            client.publish(message.topic, payload)

    with Client(node.broker.login(DEVICE)) as client:
        send(client, 1, 2)
        until(lambda: stored() == {1, 2}, "the first are stored")
        node.kill("worker")
        send(client, 3, 4)
        node.start("worker")
        until(lambda: stored() == {1, 2, 3, 4}, "all are stored")
    assert node.end("worker") == 0
    reader.close()
