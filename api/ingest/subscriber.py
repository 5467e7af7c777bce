"""The connection to the broker: read what has come, commit it, acknowledge, send receipts; one thread, one loop.

paho's own loop reads one packet for each select; this one reads until nothing is left. Acknowledgements and receipts of
a batch leave in one segment.
"""

from __future__ import annotations

import contextlib
import logging
import random
import select
import socket
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from api.clock import now_ms
from api.ingest.intake import Intake
from api.ingest.journal import JournalError
from api.ingest.metrics import IngestMetrics
from api.ingest.outcome import Incoming
from api.ingest.screening import EARLIEST_MS
from api.stop import Stop
from broker.client import KEEPALIVE_S, RECONNECT_S, Login, new_client
from broker.contract.topics import KINDS, PRESS, Direction, Kind, Role, topic

_LOG = logging.getLogger(__name__)

READ_S = 0.02
"""Bounds a batch in time: at most this is added to what a message waits, and to what a kill makes come again."""

BATCH = 1000
"""Messages a batch; no more than this come unacknowledged anyway (MAX_INFLIGHT)."""

WAITING_MOST = 10_000
"""Uncommitted messages beyond which nothing is read: then the broker and the outboxes hold them."""

TICK_S = 0.25
"""The loop turns at least this often, for keepalive and for state that is due."""

TELL_S = 0.05
"""State that is due is looked for no more often than this."""

RETRY_S = (0.1, 5.0)
"""First and longest wait before a store that was away is asked again."""


URGENT = f"/{PRESS.direction}/{PRESS.name}"
"""How the topic ends of what somebody is waiting for."""


class Delivery(NamedTuple):
    """A message and what acknowledging it takes: packet ids mean something on their own connection only."""

    message: Incoming
    number: int
    qos: int
    connection: int


class Subscriber:
    """Feeds an intake from a broker until it is told to stop."""

    def __init__(
        self, login: Login, intake: Intake, metrics: IngestMetrics, stop: Stop, *, read_s: float = READ_S
    ) -> None:
        """Not yet connected; `read_s` is how long arriving messages may keep a batch open."""
        self._read_s = read_s
        self._login, self._intake, self._metrics, self._stop = login, intake, metrics, stop
        self._client = new_client(login, clean=False, manual_ack=True)
        self._client.connect_timeout = 5.0
        self._client.connect_async(login.host, login.port, KEEPALIVE_S)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_other
        self._client.on_socket_register_write = _leave_it  # with it, packets wait for loop_write
        self._connection = 0
        self._packets = 0
        self._arrived: list[Delivery] = []
        self._urgent = False
        self._held: list[Delivery] = []
        self._ready = False
        self._away = False
        self._connect_s = self._retry_s = self._tell_s = 0.0
        self._connect_wait_s: float = RECONNECT_S[0]
        self._retry_wait_s = RETRY_S[0]
        self._journal_away = False

    def run(self) -> None:
        """Work until stopped; then commit what has come, and leave."""
        while not self._stop.is_set():
            if self._client.socket() is None:
                self._connect()
            if self._wait():
                self._read()
            self._commit()
            self._tell()
            self._client.loop_misc()
        self._retry_s = 0.0
        self._commit()
        self._client.disconnect()
        self._flush()

    def _connect(self) -> None:
        now_s = time.monotonic()
        if now_s < self._connect_s:
            return
        self._connect_s = now_s + self._connect_wait_s * random.uniform(0.5, 1.0)  # noqa: S311 jitter, no secret
        self._connect_wait_s = min(self._connect_wait_s * 2, RECONNECT_S[1])
        if now_ms() < EARLIEST_MS:  # in 1970, every message would seem to come from the future and be put aside
            self._note_away("this machine's clock is not set")
            return
        self._connection += 1
        try:
            self._client.reconnect()
        except OSError as error:
            self._note_away(str(error))

    def _wait(self) -> bool:
        """Until there is something to read (then True), to write, to stop for, or the tick is over."""
        sock: Any = self._client.socket()
        if sock is None:
            select.select([self._stop], [], [], TICK_S)
            return False
        full = len(self._arrived) + len(self._held) >= WAITING_MOST
        if not full and getattr(sock, "pending", int)() > 0:  # TLS has read further than it gave out
            return True
        readers = [self._stop] if full else [self._stop, sock]
        readable, writable, _ = select.select(readers, [sock] if self._client.want_write() else [], [], TICK_S)
        if writable:
            self._client.loop_write()
        return sock in readable

    def _read(self) -> None:
        """Everything that has come, as long as it keeps coming, within the limits of a batch; a press ends it."""
        end_s = time.monotonic() + self._read_s
        before = -1
        while self._packets != before and len(self._arrived) < BATCH and self._client.socket() is not None:
            before = self._packets
            self._client.loop_read()
            if self._urgent or time.monotonic() > end_s:
                break

    def _commit(self) -> None:
        """Commit what has come, with what was held back when its time is there; acknowledge; send receipts."""
        retry = bool(self._held) and time.monotonic() >= self._retry_s
        batch = self._held + self._arrived if retry else self._arrived
        if not batch:
            return
        waiting = [] if retry else self._held
        self._arrived, self._urgent = [], False
        try:
            taken = self._intake.take(
                [delivery.message for delivery in batch], now_ms(), ask_facts=retry or not self._held
            )
        except JournalError as error:
            self._hold(waiting + batch, retry=retry)
            self._note_journal(error)
            return
        self._note_journal(None)
        self._hold(waiting + [batch[place] for place in sorted(taken.held)], retry=retry)
        for place, delivery in enumerate(batch):
            if delivery.qos and delivery.connection == self._connection and place not in taken.held:
                self._client.ack(delivery.number, delivery.qos)
        if self._ready:
            for name, payload in taken.receipts:
                self._client.publish(name, payload, qos=1)
        self._flush()

    def _hold(self, deliveries: list[Delivery], *, retry: bool) -> None:
        if deliveries and (retry or not self._held):
            self._retry_s = time.monotonic() + self._retry_wait_s
            self._retry_wait_s = min(self._retry_wait_s * 2, RETRY_S[1])
        if not deliveries:
            self._retry_wait_s = RETRY_S[0]
        self._held = deliveries

    def _tell(self) -> None:
        now_s = time.monotonic()
        if now_s < self._tell_s:
            return
        self._tell_s = now_s + TELL_S
        at_ms = now_ms()
        self._intake.tend(at_ms)
        if self._ready:
            for name, payload in self._intake.contacts.messages(at_ms):
                self._client.publish(name, payload, qos=0, retain=True)
            self._flush()

    def _flush(self) -> None:
        """Send what waits, in as few segments as it fits in: one wake-up of the broker instead of hundreds."""
        sock: Any = self._client.socket()
        if sock is None or not self._client.want_write():
            return
        with _corked(sock):
            self._client.loop_write()

    def _on_connect(self, client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._packets += 1
        if reason.is_failure:
            self._note_away(f"{reason}; does {self._login.account!r} have its present password?")
            return
        client.subscribe([(topic("+", "+", kind), kind.qos) for kind in KINDS.values() if _for_us(kind)])

    def _on_subscribe(self, client: Any, _userdata: Any, _number: int, reasons: Any, _properties: Any) -> None:
        self._packets += 1
        if any(reason.is_failure for reason in reasons):
            self._note_away(f"the broker lets {self._login.account!r} read nothing; is its role ingest?")
            client.disconnect()
            return
        _LOG.log(logging.WARNING if self._away else logging.INFO, "%r: ingest listens", self._login)
        self._away = False
        self._ready = True
        self._connect_wait_s = RECONNECT_S[0]
        self._metrics.connected(up=True)
        self._intake.contacts.all_due(now_ms())

    def _on_disconnect(self, _client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._packets += 1
        if not self._stop.is_set():
            self._note_away(str(reason))

    def _on_message(self, _client: Any, _userdata: Any, message: Any) -> None:
        self._packets += 1
        try:
            name = message.topic
        except UnicodeDecodeError:
            name = ""
        self._urgent = self._urgent or name.endswith(URGENT)
        incoming = Incoming(name, message.payload, now_ms(), message.retain)
        self._arrived.append(Delivery(incoming, message.mid, message.qos, self._connection))

    def _on_other(self, *_: Any) -> None:
        self._packets += 1

    def _note_away(self, why: str) -> None:
        if not self._away:
            _LOG.warning("%r: the broker is away, trying again: %s", self._login, why)
        self._away = True
        self._ready = False
        self._metrics.connected(up=False)

    def _note_journal(self, error: JournalError | None) -> None:
        if error is not None and not self._journal_away:
            _LOG.error("nothing is acknowledged: %s", error)
        elif error is None and self._journal_away:
            _LOG.warning("the journal takes rows again")
        self._journal_away = error is not None


def _leave_it(*_: Any) -> None:
    """The loop looks for itself whether there is something to write."""


def _for_us(kind: Kind) -> bool:
    return kind.direction is Direction.UP and Role.INGEST in kind.readers


@contextlib.contextmanager
def _corked(sock: Any) -> Iterator[None]:
    cork = getattr(socket, "TCP_CORK", None)
    if cork is None:
        yield
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, cork, 1)
    yield
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, cork, 0)
