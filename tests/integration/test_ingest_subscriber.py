"""The subscriber against a scripted broker: what is acknowledged, where, and when (promise P1)."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from api.db import Press
from api.ingest.metrics import IngestMetrics
from api.ingest.outcome import Incoming
from api.ingest.subscriber import Subscriber
from api.stop import Stop
from broker.client import Login
from broker.contract.topics import RECEIPT, topic
from tests.clients import LET_IN, publish
from tests.integration.stores import Stores
from tests.integration.test_broker_serve import certificates
from tests.unit.api.ingest.messages import DEVICE, SITE, press, readings

__all__ = ["certificates"]

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, DISCONNECT = 1, 3, 4, 8, 14


class Connection:
    """The broker's end of one connection."""

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        self.socket, _ = listener.accept()
        self.socket.settimeout(10)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        assert self.read()[0] == CONNECT
        self.socket.sendall(LET_IN)
        kind, body = self.read()
        assert kind == SUBSCRIBE
        filters = body[2:].count(b"\x01")
        self.socket.sendall(bytes((0x90, 2 + filters)) + body[:2] + b"\x01" * filters)

    def read(self) -> tuple[int, bytes]:
        """The next packet: its type and its body."""
        first = self._bytes(1)[0]
        length = shift = 0
        while True:
            digit = self._bytes(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return first >> 4, self._bytes(length)

    def answer(self) -> tuple[str, int]:
        """The next acknowledgement or receipt; state is passed over."""
        while True:
            kind, body = self.read()
            if kind == PUBACK:
                return "ack", int.from_bytes(body)
            if kind == PUBLISH and topic(SITE, DEVICE, RECEIPT).encode() in body:
                return "receipt", int(body.rpartition(b",")[2].rstrip(b"]}"))

    def silent(self) -> bool:
        """Whether nothing is acknowledged and nothing receipted for a while."""
        self.socket.settimeout(0.4)
        try:
            self.answer()
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(10)
        return False

    def deliver(self, message: Incoming, number: int) -> None:
        self.socket.sendall(publish(message.topic, message.payload, number=number))

    def _bytes(self, count: int) -> bytes:
        held = b""
        while len(held) < count:
            piece = self.socket.recv(count - len(held))
            assert piece, "the subscriber closed the connection"
            held += piece
        return held


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    opened = Stores(tmp_path)
    yield opened
    opened.close()


def play(
    stores: Stores, script: Callable[[socket.socket], None], ca_file: Path | None = None, **options: float
) -> None:
    """Run the subscriber on this thread against the script on another, until the script ends."""
    stop = Stop()
    failed: list[BaseException] = []

    def act() -> None:
        try:
            script(listener)
        except BaseException as error:  # noqa: BLE001 reported on the main thread
            failed.append(error)
        finally:
            stop.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        actor = threading.Thread(target=act)
        actor.start()
        login = Login("127.0.0.1", listener.getsockname()[1], "ingest", "secret", ca_file)
        Subscriber(login, stores.intake, IngestMetrics(CollectorRegistry()), stop, **options).run()
        actor.join()
    if failed:
        raise failed[0]


@contextlib.contextmanager
def locked(stores: Stores) -> Iterator[None]:
    """Another process holds the facts."""
    blocker = sqlite3.connect(stores.directory / "facts.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    yield
    blocker.execute("ROLLBACK")
    blocker.close()


def test_a_message_is_acknowledged_and_receipted_after_it_is_stored(stores: Stores) -> None:
    def script(listener: socket.socket) -> None:
        broker = Connection(listener)
        with locked(stores):
            broker.deliver(press(1), 7)
            assert broker.silent()
        assert {broker.answer(), broker.answer()} == {("ack", 7), ("receipt", 1)}

    play(stores, script)
    assert len(stores.facts(Press)) == 1


def test_readings_are_acknowledged_while_a_press_waits_for_the_facts_store(stores: Stores) -> None:
    def script(listener: socket.socket) -> None:
        broker = Connection(listener)
        with locked(stores):
            broker.deliver(press(1), 7)
            broker.deliver(readings(2), 8)
            assert {broker.answer(), broker.answer()} == {("ack", 8), ("receipt", 2)}
        assert {broker.answer(), broker.answer()} == {("ack", 7), ("receipt", 2)}

    play(stores, script)


def test_what_came_on_an_earlier_connection_is_never_acknowledged_on_a_later_one(stores: Stores) -> None:
    """The same packet id would be another message's there, which would be lost."""

    def script(listener: socket.socket) -> None:
        first = Connection(listener)
        with locked(stores):
            first.deliver(press(1), 7)
            assert first.silent()
            first.socket.close()
            second = Connection(listener)
        assert second.answer() == ("receipt", 1)
        assert second.silent()
        second.deliver(press(1), 9)
        assert {second.answer(), second.answer()} == {("ack", 9), ("receipt", 1)}

    play(stores, script)
    assert len(stores.facts(Press)) == 1


def test_a_stop_stores_and_acknowledges_what_has_come_and_says_goodbye(stores: Stores) -> None:
    def script(listener: socket.socket) -> None:
        broker = Connection(listener)
        for number in range(1, 51):
            broker.deliver(readings(number), number)
        acknowledged = set()
        while acknowledged != set(range(1, 51)):
            what, number = broker.answer()
            if what == "ack":
                acknowledged.add(number)

    play(stores, script)
    assert len(stores.rows()) == 50


def test_what_tls_has_already_decrypted_is_read_without_waiting_for_more(stores: Stores, certificates: Path) -> None:
    """A batch that ends early leaves messages of a record behind, and the socket is not readable any more."""
    count = 50
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")

    def script(listener: socket.socket) -> None:
        broker = Connection(listener, tls)
        packets = [
            publish(one.topic, one.payload, number=seq) for seq in range(1, count + 1) for one in (readings(seq),)
        ]
        broker.socket.sendall(b"".join(packets))
        waiting = set(range(1, count + 1))
        while waiting:
            what, number = broker.answer()
            if what == "ack":
                waiting.discard(number)

    play(stores, script, certificates / "ca.pem", read_s=0.0)
    assert len(stores.rows()) == count


def test_a_subscription_that_is_refused_is_tried_again(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    def script(listener: socket.socket) -> None:
        refused, _ = listener.accept()
        refused.settimeout(10)
        refused.recv(4096)
        refused.sendall(LET_IN)
        asked = refused.recv(4096)
        refused.sendall(bytes((0x90, 7)) + asked[2:4] + b"\x80" * 5)
        Connection(listener)

    play(stores, script)
    assert caplog.text.count("is its role ingest?") == 1
