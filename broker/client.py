"""A paho client as every process of ours sets it up; the one home of paho-mqtt."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

__all__ = ["KEEPALIVE_S", "MAX_INFLIGHT", "RECONNECT_S", "Client", "Login", "new_client"]

KEEPALIVE_S = 20
"""A half-open connection is noticed by both sides after about one and a half of these."""

RECONNECT_S = (1, 15)
"""First and longest wait before connecting again; paho doubles it in between, and `jitter` spreads a city's agents."""

MAX_INFLIGHT = 1000
"""QoS 1 messages on their way at once; Mosquitto is told the same."""


@dataclass(frozen=True, slots=True)
class Login:
    """Where the broker is and who we are there.

    Attributes:
        host, port: of the broker.
        account: user name and client id in one; one account is one process.
        password: of the account.
        ca_file: certificate authority that vouches for the broker; None for a plain connection, which only a broker on
            this machine or inside a container network should be asked for.
    """

    host: str
    port: int
    account: str
    password: str
    ca_file: Path | None = None

    def __repr__(self) -> str:
        return f"Login({self.account} at {self.host}:{self.port})"


def new_client(login: Login, *, clean: bool, manual_ack: bool = False) -> Client:
    """An unconnected MQTT 3.1.1 client with TCP_NODELAY, TLS where asked, and reconnecting with backoff.

    Args:
        login: broker and account.
        clean: forget the session at the broker when the connection ends.
        manual_ack: the caller acknowledges each message itself, after storing it.
    """
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=login.account,
        clean_session=clean,
        protocol=MQTTProtocolVersion.MQTTv311,
        manual_ack=manual_ack,
    )
    client.username_pw_set(login.account, login.password)
    client.max_inflight_messages_set(MAX_INFLIGHT)
    client.reconnect_delay_set(RECONNECT_S[0], RECONNECT_S[1] + random.randrange(5))  # noqa: S311 jitter, no secret
    client.on_socket_open = _nodelay
    if login.ca_file is not None:
        context = ssl.create_default_context(cafile=str(login.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        client.tls_set_context(context)
    return client


def _nodelay(_client: Client, _userdata: Any, sock: Any) -> None:
    """Without it a small round trip waits 40 ms for a delayed acknowledgement (Nagle, RFC 896)."""
    with contextlib.suppress(OSError, AttributeError):  # a socket pair or a websocket has none
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
