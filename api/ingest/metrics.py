"""What ingest counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from api.ingest.outcome import Outcome

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class IngestMetrics:
    """Counters of one ingest process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._accepted = Counter("simpul_ingest_accepted", "New, good messages", ["kind"], registry=registry)
        self._readings = Counter("simpul_ingest_readings", "Good readings journalled", registry=registry)
        self._duplicates = Counter("simpul_ingest_duplicates", "Messages that came again", registry=registry)
        self._quarantined = Counter("simpul_ingest_quarantined", "Messages put aside", ["reason"], registry=registry)
        self._held = Counter("simpul_ingest_held", "Messages held back because a store was away", registry=registry)
        self._batch = Histogram("simpul_ingest_batch", "Messages a batch", buckets=_SIZES, registry=registry)
        self._commit_s = Histogram(
            "simpul_ingest_commit_seconds",
            "From a batch in memory to both commits",
            buckets=_SECONDS,
            registry=registry,
        )
        self._connected = Gauge("simpul_ingest_connected", "1 while the broker is there", registry=registry)
        self._devices = Gauge("simpul_ingest_devices", "Devices ever heard of", registry=registry)

    def committed(self, size: int, seconds: float, outcome: Outcome) -> None:
        """A batch of `size` messages took `seconds`."""
        self._batch.observe(size)
        self._commit_s.observe(seconds)
        self._readings.inc(outcome.readings)
        self._duplicates.inc(outcome.duplicates.total())
        for kind, count in outcome.accepted.items():
            self._accepted.labels(kind).inc(count)
        for entry in outcome.aside:
            self._quarantined.labels(entry.reason.value).inc()

    def held(self, count: int) -> None:
        """So many messages wait for a store."""
        self._held.inc(count)

    def connected(self, *, up: bool) -> None:
        """The broker came or went."""
        self._connected.set(up)

    def devices(self, count: Callable[[], int]) -> None:
        """Where to ask how many devices there are."""
        self._devices.set_function(count)
