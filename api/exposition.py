"""The metrics of processes that answer no HTTP otherwise: on a port of this machine alone, when one is set."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, start_http_server

from api.config import ConfigError


def expose(registry: CollectorRegistry, port: int) -> None:
    """Answer Prometheus on 127.0.0.1:`port` from a thread; 0 for not at all.

    Raises:
        ConfigError: the port is taken.
    """
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    if port == 0:
        return
    try:
        start_http_server(port, "127.0.0.1", registry)
    except OSError as error:
        raise ConfigError(f"metrics: port {port} cannot be opened ({error.strerror}); set another, or 0") from None
