"""A publisher that costs next to nothing: MQTT 3.1.1 packets, written in blocks, acknowledgements counted."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable

WINDOW = 500
"""QoS 1 packets on their way at once; below Mosquitto's max_inflight_messages of our configuration."""


def _length(count: int) -> bytes:
    out = bytearray()
    while True:
        count, digit = divmod(count, 128)
        out.append(digit | (0x80 if count else 0))
        if not count:
            return bytes(out)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data


def _connected(port: int, account: str, password: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = _text("MQTT") + bytes([4, 0b1100_0010]) + struct.pack("!H", 0) + _text(account)
    body += _text(account) + _text(password)
    sock.sendall(b"\x10" + _length(len(body)) + body)
    answer = sock.recv(4)
    if answer[:1] != b"\x20" or answer[3] != 0:
        raise ConnectionError(f"the broker answered {answer!r}")
    return sock


class Firehose:
    """One connected account that publishes QoS 1 as fast as the broker acknowledges."""

    def __init__(self, port: int, account: str, password: str) -> None:
        self._socket = _connected(port, account, password)
        self._number = 0
        self._unread = 0

    def publish(self, topic: str, payloads: Iterable[bytes]) -> int:
        """Publish all of them; returns how many when the last one is acknowledged."""
        head = _text(topic)
        sent = waiting = 0
        block = bytearray()
        for payload in payloads:
            self._number = self._number % 65_535 + 1
            body_length = len(head) + 2 + len(payload)
            block += b"\x32" + _length(body_length) + head + struct.pack("!H", self._number) + payload
            sent += 1
            waiting += 1
            if waiting >= WINDOW or len(block) > 60_000:
                self._socket.sendall(block)
                block.clear()
                while waiting > WINDOW // 2:
                    waiting -= self._acknowledged()
        self._socket.sendall(block)
        while waiting > 0:
            waiting -= self._acknowledged()
        return sent

    def close(self) -> None:
        self._socket.sendall(b"\xe0\x00")
        self._socket.close()

    def _acknowledged(self) -> int:
        piece = self._socket.recv(65_536)
        if not piece:
            raise ConnectionError("the broker closed the connection")
        whole, self._unread = divmod(self._unread + len(piece), 4)  # a PUBACK is four bytes
        return whole
