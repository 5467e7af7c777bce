"""What the worker says of itself at each scrape, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.ingest.forwarder import Forwarder, Lag
from api.worker.jobs import Job
from api.worker.upkeep import QuarantineLimit


class WorkerCollector(Collector):
    """Reads plain numbers only: a scrape runs on a thread of its own, and files are the worker's."""

    def __init__(self, forwarders: Mapping[Path, Forwarder], jobs: Sequence[Job], quarantine: QuarantineLimit) -> None:
        self._forwarders, self._jobs, self._quarantine = forwarders, jobs, quarantine
        self._lags: dict[Path, Lag] = {}

    def measure(self, now_ms: int) -> None:
        """Look how far behind each journal's forwarding is. Raises sqlite3.Error."""
        for path, forwarder in self._forwarders.items():
            self._lags[path] = forwarder.lag(now_ms)

    def collect(self) -> Iterator[Any]:
        """As prometheus_client asks for it."""
        rows = GaugeMetricFamily("simpul_forward_lag_rows", "Journal rows not yet forwarded", labels=["journal"])
        age = GaugeMetricFamily("simpul_forward_lag_seconds", "Age of the oldest of them", labels=["journal"])
        for path, lag in list(self._lags.items()):
            rows.add_metric([path.stem], lag.rows)
            age.add_metric([path.stem], lag.seconds)
        points = CounterMetricFamily("simpul_forward_points", "Points forwarded", labels=["journal"])
        too_old = CounterMetricFamily("simpul_forward_too_old", "Points older than is kept", labels=["journal"])
        skipped = CounterMetricFamily("simpul_forward_skipped", "Journal rows passed over", labels=["journal"])
        for path, forwarder in list(self._forwarders.items()):
            points.add_metric([path.stem], forwarder.points)
            too_old.add_metric([path.stem], forwarder.too_old)
            skipped.add_metric([path.stem], forwarder.skipped)
        failures = CounterMetricFamily("simpul_worker_failures", "Steps that failed", labels=["job"])
        for job in list(self._jobs):
            failures.add_metric([job.name], job.failures)
        deleted = CounterMetricFamily("simpul_quarantine_deleted", "Quarantine rows deleted for their number")
        deleted.add_metric([], self._quarantine.deleted)
        yield from (rows, age, points, too_old, skipped, failures, deleted)
