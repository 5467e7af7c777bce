"""What operators see of an API process: request counts and times, and the state of the node, for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from api.db import Contact, Device, QuarantineCount, reading

_BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_log = logging.getLogger(__name__)


class Metrics:
    """One process's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = Counter(
            "simpul_http_requests", "HTTP requests", ["method", "path", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "simpul_http_request_seconds",
            "Time to the beginning of the answer",
            ["path"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one request; `path` is a resource, never what a caller made up."""
        self._requests.labels(method, path, status).inc()
        self._seconds.labels(path).observe(seconds)


class NodeCollector(Collector):
    """The state of the node, asked for at each scrape.

    Args:
        engine: the facts.
        now: milliseconds since 1970 UTC.
        watchers: live streams open in this process.
        connected: whether this process follows the broker.
    """

    def __init__(
        self, engine: Engine, now: Callable[[], int], watchers: Callable[[], int], connected: Callable[[], bool]
    ) -> None:
        self._engine = engine
        self._now = now
        self._watchers = watchers
        self._connected = connected

    def collect(self) -> Iterator[Any]:
        """All families; those of the facts are left out while the facts cannot be read."""
        yield GaugeMetricFamily("simpul_live_clients", "Live streams open in this process", self._watchers())
        yield GaugeMetricFamily("simpul_mqtt_connected", "1: this process follows the broker", int(self._connected()))
        try:
            yield from self._of_facts()
        except SQLAlchemyError:
            _log.exception("metrics without the facts")

    def describe(self) -> Iterator[Any]:
        """Nothing beforehand: registering must not ask the database."""
        return iter(())

    def _of_facts(self) -> Iterator[Any]:
        with reading(self._engine) as session:
            totals = session.execute(
                select(QuarantineCount.device, QuarantineCount.reason, QuarantineCount.total)
            ).all()
            query = select(Contact).join(Device, Device.id == Contact.device).where(Device.revoked_ms.is_(None))
            contacts = session.scalars(query).all()
        put_aside = CounterMetricFamily(
            "simpul_quarantined", "Messages and readings ever put aside", labels=["device", "reason"]
        )
        for device, reason, total in totals:
            put_aside.add_metric([device, reason], total)
        yield put_aside
        age = GaugeMetricFamily("simpul_device_contact_age_seconds", "Since anything of it arrived", labels=["device"])
        online = GaugeMetricFamily("simpul_device_online", "1: by birth and last will", labels=["device"])
        missing = GaugeMetricFamily("simpul_device_messages_missing", "Numbers not yet received", labels=["device"])
        for contact in contacts:
            age.add_metric([contact.device], max(0, self._now() - contact.contact_ms) / 1000)
            online.add_metric([contact.device], int(contact.online))
            missing.add_metric([contact.device], contact.missing)
        yield from (age, online, missing)
