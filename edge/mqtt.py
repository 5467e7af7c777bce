"""The agent's connection to the broker, by paho: it holds nothing that the outbox does not hold as well."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Any

from broker.client import KEEPALIVE_S, MAX_INFLIGHT, Client, Login, new_client
from broker.contract import codec
from broker.contract.errors import ContractError
from broker.contract.messages import Receipt
from broker.contract.topics import KINDS, RECEIPT, STATUS, Direction, topic
from edge.events import Connected, Disconnected, Event, Received

log = logging.getLogger(__name__)

GOODBYE_S = 1.0
"""The longest that `stop` waits for the broker to take the last words."""

DENIED_PAUSE_S = 30.0
"""How long after a denied subscription it is tried again, on a new connection."""

DENIED = 128
"""MQTT 3.1.1 section 3.9.3: the broker did not subscribe us."""


class Connection:
    """The Publisher port. Connections come and go on paho's thread and are told of by `emit`, numbered.

    A connection begins with the subscription to receipts and the birth, and its last will is the birth's counterpart.
    paho would keep what was not acknowledged and send it again on the next connection; it is made to forget that,
    because the outbox does it.
    """

    def __init__(self, login: Login, *, site: str, emit: Callable[[Event], None]) -> None:
        """Prepare; nothing is connected before `start`.

        Args:
            login: of the device; its account is the device's id.
            site: where it stands.
            emit: takes events, from paho's thread.
        """
        self._login, self._site = login, site
        self._emit = emit
        self._topics = {
            name: topic(site, login.account, kind) for (way, name), kind in KINDS.items() if way is Direction.UP
        }
        self._lock = threading.Lock()
        self._number = 0
        self._up = False
        self._on_the_way = 0
        self._session = ""
        self._last_trouble = ""
        self._gone = threading.Event()
        self._thread: threading.Thread | None = None
        self._client = self._prepare()

    def start(self, status: Callable[[str, bool], bytes]) -> None:
        """Connect, and connect again whenever the connection is lost, until `stop`.

        Args:
            status: (session, online) -> payload of `up/status`; called from paho's thread.
        """
        self._status = status
        self._client.connect_async(self._login.host, self._login.port, KEEPALIVE_S)
        self._client.loop_start()

    def tend(self) -> None:
        """Begin again when paho's thread has died of an error; to be called now and then."""
        if self._thread is None or self._thread.is_alive():
            return
        log.error("the connection's thread has died; a new one begins")
        self._thread = None
        self._on_disconnect(self._client, None, None, "thread died", None)
        self._client = self._prepare()
        self.start(self._status)

    def stop(self) -> None:
        """Say goodbye where there is a connection, for GOODBYE_S at the longest."""
        with self._lock:
            up, self._up = self._up, False
        if up:
            farewell = self._client.publish(
                self._topics[STATUS.name], self._status(self._session, False), STATUS.qos, STATUS.retained
            )
            farewell.wait_for_publish(GOODBYE_S)
        self._gone.clear()
        self._client.disconnect()
        if up:
            self._gone.wait(GOODBYE_S)

    def publish(self, connection: int, kind: str, payload: bytes) -> bool:
        of = KINDS[Direction.UP, kind]
        with self._lock:
            if not self._up or connection != self._number or self._on_the_way >= MAX_INFLIGHT:
                return False
            self._on_the_way += 1
        return self._client.publish(self._topics[kind], payload, of.qos, of.retained).rc == 0

    def _prepare(self) -> Client:
        client = new_client(self._login, clean=True)
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _on_pre_connect(self, client: Client, _userdata: Any) -> None:
        client.drop_out_messages()
        self._thread = threading.current_thread()
        with self._lock:
            self._on_the_way = 1
        self._session = secrets.token_hex(6)
        client.will_set(
            self._topics[STATUS.name], self._status(self._session, False), STATUS.qos, retain=STATUS.retained
        )

    def _on_connect(self, client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._trouble(
                f"refuses the account {self._login.account!r} ({reason}); check [mqtt] password_file and"
                " [agent] device, and that the server knows the device"
            )
        else:
            client.subscribe(topic(self._site, self._login.account, RECEIPT), RECEIPT.qos)

    def _on_connect_fail(self, _client: Client, _userdata: Any) -> None:
        self._trouble("cannot be reached; check [mqtt] host, port and ca_file if it stays so")

    def _on_subscribe(self, client: Client, _userdata: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if any(reason.value >= DENIED for reason in reasons):
            self._trouble("denies receipts to this device, so nothing is sent; check its site and role at the server")
            again = threading.Timer(DENIED_PAUSE_S, _drop, [client.socket()])
            again.daemon = True
            again.start()
            return
        with self._lock:
            self._number += 1
            self._up = True
        log.info("connected to the broker at %s:%s", self._login.host, self._login.port)
        self._last_trouble = ""
        client.publish(self._topics[STATUS.name], self._status(self._session, True), STATUS.qos, STATUS.retained)
        self._emit(Connected(self._number))

    def _on_publish(self, *_: Any) -> None:
        with self._lock:
            self._on_the_way -= 1

    def _on_message(self, _client: Client, _userdata: Any, message: Any) -> None:
        try:
            receipt = codec.decode_as(Receipt, RECEIPT, message.payload)
        except ContractError as error:
            log.warning("a receipt that cannot be read: %s", error)
            return
        self._emit(Received(receipt.epoch, receipt.ranges))

    def _on_disconnect(self, _client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        with self._lock:
            was_up, self._up = self._up, False
        self._gone.set()
        if was_up:
            log.warning("the connection to the broker is lost (%s); what is measured is kept and sent later", reason)
            self._emit(Disconnected(self._number))

    def _trouble(self, what: str) -> None:
        """Log once until it changes, or until a connection was up in between."""
        if what != self._last_trouble:
            self._last_trouble = what
            log.warning("the broker at %s:%s %s", self._login.host, self._login.port, what)


def _drop(sock: Any) -> None:
    """End a connection so that paho makes a new one."""
    with contextlib.suppress(OSError, AttributeError):
        sock.shutdown(socket.SHUT_RDWR)
