"""`python -m api ingest`: puts the ingest process together."""

from __future__ import annotations

import gc
import logging
import sys
import time
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import event

from api.clock import now_ms
from api.config import Settings
from api.db import open_engine
from api.exposition import expose
from api.ingest.contact_rows import ContactRows
from api.ingest.facts import Facts
from api.ingest.intake import Intake
from api.ingest.journal import Journal, JournalDamagedError, JournalError, path_for
from api.ingest.metrics import IngestMetrics
from api.ingest.subscriber import Subscriber
from api.services import handlers
from api.stop import Stop

_LOG = logging.getLogger(__name__)

BUSY_MS = 1_000
"""How long ingest waits for a lock of the facts file: far less than the broker waits for a sign of life, so that
readings go on while some other process holds it."""


def main(settings: Settings, stop: Stop | None = None) -> int:
    """Take in until SIGTERM; returns the exit status, 2 for what a restart does not mend.

    Raises:
        ConfigError: the account's password cannot be read.
    """
    account = settings.mqtt.ingest_account
    login = settings.login(account)
    if stop is None:
        stop = Stop()
        stop.on_signals()
    try:
        journal = Journal(path_for(settings.data_dir, account))
    except (JournalDamagedError, JournalError) as error:
        print(f"api: {error}", file=sys.stderr)  # noqa: T201 the last words of a process on its terminal
        return 1 if error.retryable else 2
    registry = CollectorRegistry()
    expose(registry, settings.metrics.ingest_port)
    metrics = IngestMetrics(registry)
    engine = open_engine(settings.facts_url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _patience)
    intake = Intake(journal, Facts(engine, handlers()), ContactRows(engine), metrics, time.monotonic)
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be looked at while a press waits
    _LOG.info("ingest of %r begins", login)
    try:
        Subscriber(login, intake, metrics, stop).run()
        intake.close(now_ms())
    finally:
        engine.dispose()
    return 0


def _patience(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
