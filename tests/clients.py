"""MQTT clients for tests: one that remembers what it received, and one that speaks bare bytes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Self

from paho.mqtt.client import Client as Paho
from paho.mqtt.client import MQTTMessage

from broker.client import Login, new_client

PATIENCE_S = 10


class Client:
    """A connected client on its own thread; use as a context manager.

    Attributes:
        received: (topic, payload, retained) of everything so far, in order.
        connects, refused, lost, failed: how often it was let in, was not, lost its connection, and got none.
    """

    def __init__(
        self, login: Login, *, clean: bool = True, keepalive_s: int = 20, will: tuple[str, bytes] | None = None
    ) -> None:
        self.received: list[tuple[str, bytes, bool]] = []
        self.refused = 0
        self.lost = 0
        self.failed = 0
        self.connects = 0
        self._up = False
        self._changed = threading.Condition()
        self._granted: dict[int, list[int]] = {}
        self._keepalive_s = keepalive_s
        self._login = login
        self.paho: Paho = new_client(login, clean=clean)
        self.paho.reconnect_delay_set(1, 1)
        if will is not None:
            self.paho.will_set(*will, qos=1, retain=True)
        self.paho.on_message = self._on_message
        self.paho.on_connect = self._on_connect
        self.paho.on_disconnect = self._on_disconnect
        self.paho.on_subscribe = self._on_subscribe

    def __enter__(self) -> Self:
        self.begin()
        self.wait(lambda: self.connects > 0, "connecting")
        return self

    def __exit__(self, *_: object) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()

    def begin(self) -> None:
        """Connect without waiting for the answer."""
        self.paho.connect(self._login.host, self._login.port, self._keepalive_s)
        self.paho.loop_start()

    def subscribe(self, *filters: str) -> list[int]:
        """Subscribe at QoS 1 and wait for the answer: the granted QoS, or 128, of each."""
        code, number = self.paho.subscribe([(one, 1) for one in filters])
        assert code == 0
        assert number is not None
        self.wait(lambda: number in self._granted, f"SUBACK of {filters}")
        return self._granted[number]

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish and wait until the broker has acknowledged."""
        self.paho.publish(topic, payload, qos, retain).wait_for_publish(PATIENCE_S)

    def payloads(self, topic: str) -> list[bytes]:
        """What came on one topic."""
        return [payload for name, payload, _ in list(self.received) if name == topic]

    def wait_for(self, topic: str, payload: bytes) -> None:
        """Wait until that message has come."""
        self.wait(lambda: payload in self.payloads(topic), f"{payload!r} on {topic}")

    def wait(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until something about this client is so."""
        with self._changed:
            assert self._changed.wait_for(condition, patience_s), f"{self._login} waited in vain for: {what}"

    def drop(self) -> None:
        """Close the connection under the client without a DISCONNECT, and do not come back."""
        self.paho.loop_stop()
        self.paho.socket().close()

    def _on_message(self, _client: Paho, _userdata: Any, message: MQTTMessage) -> None:
        with self._changed:
            self.received.append((message.topic, message.payload, message.retain))
            self._changed.notify_all()

    def _on_connect(self, _client: Paho, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        with self._changed:
            self.refused += reason.is_failure
            self._up = not reason.is_failure
            self.connects += self._up
            self._changed.notify_all()

    def _on_disconnect(self, *_: Any) -> None:
        with self._changed:
            self.lost += self._up
            self.failed += not self._up
            self._up = False
            self._changed.notify_all()

    def _on_subscribe(self, _client: Paho, _userdata: Any, number: int, reasons: Any, _properties: Any) -> None:
        with self._changed:
            self._granted[number] = [reason.value for reason in reasons]
            self._changed.notify_all()


def text(content: str | bytes) -> bytes:
    """A length-prefixed string of MQTT."""
    content = content.encode() if isinstance(content, str) else content
    return len(content).to_bytes(2, "big") + content


def packet(first: int, body: bytes, length: int | None = None) -> bytes:
    """A packet of MQTT; `length` may lie."""
    left = len(body) if length is None else length
    head = bytearray((first,))
    while True:
        left, low = left >> 7, left & 0x7F
        head.append(low | 0x80 if left else low)
        if not left:
            return bytes(head) + body


def connect(
    client_id: str,
    name: str | None,
    password: str | None,
    *,
    keepalive_s: int = 60,
    clean: bool = True,
    will: tuple[str, bytes] | None = None,
) -> bytes:
    """A CONNECT packet of MQTT 3.1.1."""
    flags = (
        2 * clean | (0x2C if will else 0) | (0x80 if name is not None else 0) | (0x40 if password is not None else 0)
    )
    body = text("MQTT") + bytes((4, flags)) + keepalive_s.to_bytes(2, "big") + text(client_id)
    if will is not None:
        body += text(will[0]) + text(will[1])
    return packet(0x10, body + b"".join(text(one) for one in (name, password) if one is not None))


def publish(topic: str, payload: bytes, *, number: int = 1, retain: bool = False) -> bytes:
    """A PUBLISH packet at QoS 1."""
    return packet(0x32 | retain, text(topic) + number.to_bytes(2, "big") + payload)


def subscribe(filters: Iterable[str], *, number: int = 1) -> bytes:
    """A SUBSCRIBE packet at QoS 1."""
    return packet(0x82, number.to_bytes(2, "big") + b"".join(text(one) + b"\1" for one in filters))


LET_IN = b"\x20\x02\x00\x00"
"""The CONNACK of a new session that is accepted."""

PUBACK_1 = b"\x40\x02\x00\x01"
"""The acknowledgement of packet 1."""


class Raw:
    """A TCP connection to a broker."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, content: bytes) -> None:
        """Send, whether or not the other side still listens."""
        try:
            self.socket.sendall(content)
        except OSError:
            return

    def expect(self, answer: bytes) -> None:
        """Read exactly that answer."""
        heard = b""
        while len(heard) < len(answer):
            piece = self.socket.recv(len(answer) - len(heard))
            assert piece, f"closed after {heard!r} where {answer!r} was due"
            heard += piece
        assert heard == answer

    def until_closed(self, patience_s: float = PATIENCE_S) -> bytes:
        """Everything that comes until the broker closes the connection."""
        self.socket.settimeout(patience_s)
        heard = b""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            try:
                piece = self.socket.recv(65536)
            except ConnectionError:
                return heard
            if not piece:
                return heard
            heard += piece
        raise AssertionError(f"the broker kept the connection open, after {heard[:40]!r}")
