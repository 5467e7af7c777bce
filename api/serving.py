"""`python -m api serve`: the application on its port, until it is told to stop."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from api.app import create_app
from api.config import ConfigError, Settings

STOP_S = 2
"""How long open requests may take once the process is told to stop; live streams are ended at once."""

_log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """uvicorn, which tells of the signal to stop before it waits for open requests."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called on the event loop's thread at SIGTERM and SIGINT."""
        self._stopping()
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> None:
    """Answer until SIGTERM or SIGINT. Raises ConfigError when it cannot begin, naming the setting that helps."""
    listening = listen(settings)
    try:
        app = create_app(settings)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.http.proxy),
            forwarded_allow_ips=settings.http.proxy or None,
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=32_768,
        )
        host, port = listening.getsockname()[:2]
        _log.info("serving at http://%s:%d", f"[{host}]" if ":" in host else host, port)
        Server(config, app.state.hub.close).run(sockets=[listening])
    finally:
        listening.close()


def listen(settings: Settings) -> socket.socket:
    """A socket bound to [http] host and port. Raises ConfigError."""
    host, port = settings.http.host, settings.http.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ConfigError(f"http.host: {host!r} is no address of this machine ({error.strerror})") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} of {host} is taken by another process; set [http] port to a free one, or stop the other"
            ) from None
        raise ConfigError(f"no listening on {host} port {port}: {error.strerror}; change [http] host or port") from None
    return listening
