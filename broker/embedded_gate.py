"""The door of the embedded broker: what a connection must be before amqtt hears of it, and how long it stays.

amqtt looks at name and password only after it has dropped the session of the client id that a connection claims, and
it takes over, forgets or changes sessions of others on the way; it announces any last will; it notices neither a client
that is silent nor one that does not read; and it reads a packet of any size. So every connection is read here packet
by packet, and amqtt gets those that belong to an account, one an account.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connack import BAD_USERNAME_PASSWORD, IDENTIFIER_REJECTED, NOT_AUTHORIZED, UNACCEPTABLE_PROTOCOL_VERSION
from amqtt.mqtt.connect import ConnectPacket

from broker.contract import codec
from broker.contract.access import Action
from broker.embedded_access import Table

CONNECT_S = 10
"""A connection that has not said who it is by then is closed."""

STALLED_S = 10
"""A client that has not read for so long is cut, so that its messages do not fill the memory."""

LEAVE_S = 5
"""Time for amqtt to let go of a connection that was cut, before it is made to."""

_CONNECT, _PUBLISH, _DISCONNECT = 1, 3, 14
_KEEPALIVE_AT = 7
"""Offset of the keep-alive in the variable header of CONNECT: after the name MQTT, the level and the flags."""

_log = logging.getLogger(__name__)


class Refused(Exception):
    """A connection is not let in.

    Args:
        code: return code of CONNACK, None when not even that is due.
        why: for the log; never a password.
    """

    def __init__(self, code: int | None, why: str) -> None:
        super().__init__(why)
        self.code = code


class Packet(NamedTuple):
    """One whole MQTT packet.

    Attributes:
        kind: its type, 1 to 14.
        header: bytes of the fixed header.
        raw: all of it, header included.
    """

    kind: int
    header: int
    raw: bytes


async def read_packet(reader: asyncio.StreamReader) -> Packet:
    """The next packet.

    Raises:
        ConnectionError: the end, a length that MQTT does not know, or more than MAX_PACKET bytes.
    """
    try:
        head = bytearray(await reader.readexactly(2))
        while head[-1] & 0x80:
            if len(head) == 5:
                raise ConnectionResetError("a remaining length of more than four bytes")
            head += await reader.readexactly(1)
        length = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(head[1:]))
        if len(head) + length > codec.MAX_PACKET:
            raise ConnectionResetError(f"a packet of {len(head) + length} bytes where {codec.MAX_PACKET} are taken")
        body = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise ConnectionResetError("the other side left") from None
    return Packet(head[0] >> 4, len(head), bytes(head) + body)


class PacketReader(ReaderAdapter):  # type: ignore[misc]  # amqtt is untyped
    """What amqtt reads from: whole packets, each within one and a half keep-alives of the last (MQTT 3.1.1, 3.1.2.10).

    Args:
        reader: the connection.
        first: its CONNECT, read already.
        silence_s: the longest wait for the next packet, None for any.
    """

    def __init__(self, reader: asyncio.StreamReader, first: bytes, silence_s: float | None) -> None:
        self._reader = reader
        self._buffer, self._at = first, 0
        self._silence_s = silence_s
        self._over = False

    async def read(self, n: int = -1) -> bytes:
        """`n` bytes of the present packet, or of the next when it is used up.

        Raises:
            ConnectionResetError: the connection is over, or more is asked for than the packet holds.
        """
        if self._over:
            raise ConnectionResetError("the connection is over")
        if self._at == len(self._buffer) and n != 0:
            await self._next()
        if n < 0:
            n = len(self._buffer) - self._at
        piece = self._buffer[self._at : self._at + n]
        if len(piece) < n:
            self._over = True
            raise ConnectionResetError("a packet that is shorter than its content")
        self._at += n
        return piece

    def feed_eof(self) -> None:
        """Nothing more is read."""
        self._over = True

    async def _next(self) -> None:
        await asyncio.sleep(0)  # amqtt first acts on the last packet, a DISCONNECT too, and others have their turn
        try:
            async with asyncio.timeout(self._silence_s):
                packet = await read_packet(self._reader)
        except (OSError, TimeoutError) as error:
            self._over = True
            raise ConnectionResetError(str(error) or "silent for longer than its keep-alive") from None
        if packet.kind == _PUBLISH and not _names_one_topic(packet):
            self._over = True
            raise ConnectionResetError("a publish to what is no topic")
        self._buffer, self._at = packet.raw, 0


class PacketWriter(WriterAdapter):  # type: ignore[misc]  # amqtt is untyped
    """What amqtt writes to; a client that does not read for `stalled_s` is cut."""

    def __init__(self, writer: asyncio.StreamWriter, stalled_s: float = STALLED_S) -> None:
        self._writer = writer
        self._stalled_s = stalled_s

    def write(self, data: bytes) -> None:
        """Take bytes for the client."""
        if not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        """Wait until the client has taken most of it. Raises ConnectionResetError when it does not."""
        if self._writer.is_closing() or not self._writer.transport.get_write_buffer_size():
            return
        try:
            async with asyncio.timeout(self._stalled_s):
                await self._writer.drain()
        except (OSError, TimeoutError):
            self._writer.transport.abort()
            raise ConnectionResetError("the client does not read") from None

    def get_peer_info(self) -> tuple[str, int]:
        """Address and port of the client."""
        host, port, *_ = self._writer.get_extra_info("peername") or ("", 0)
        return host, port

    def get_ssl_info(self) -> Any:
        """The TLS object, None without TLS."""
        return self._writer.get_extra_info("ssl_object")

    async def close(self) -> None:
        """Close at once: what the client has not taken by now it may not take at all."""
        if self._writer.transport.get_write_buffer_size():
            self._writer.transport.abort()
        else:
            self._writer.close()


class _Link(NamedTuple):
    """A connection that is let in, and the task that serves it."""

    writer: asyncio.StreamWriter
    task: asyncio.Task[None] | None
    gone: asyncio.Event


class Gate:
    """Lets connections in to amqtt, one an account, and cuts them.

    Args:
        table: who may come.
        enter: serves a connection to its end; amqtt's `external_connected`.
    """

    def __init__(self, table: Table, enter: Callable[[PacketReader, PacketWriter], Awaitable[None]]) -> None:
        self._table = table
        self._enter = enter
        self._links: dict[str, _Link] = {}

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection from its first byte to its last. Never raises."""
        with contextlib.suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            name, packets = await self._let_in(reader)
            await self._serve(name, packets, writer)
        except Refused as refusal:
            peer = writer.get_extra_info("peername") or ("?",)
            _log.warning("a connection from %s is refused: %s", peer[0], refusal)
            if refusal.code is not None:
                writer.write(bytes((0x20, 2, 0, refusal.code)))
        except Exception:  # noqa: BLE001 - one connection's fault is logged and touches no other
            _log.exception("a connection ended by a fault of the broker")
        finally:
            writer.close()

    async def cut(self, name: str) -> None:
        """End the connection of an account, if it has one, and wait until amqtt has let go of it."""
        link = self._links.get(name)
        if link is None:
            return
        link.writer.transport.abort()
        try:
            await asyncio.wait_for(link.gone.wait(), LEAVE_S)
        except TimeoutError:
            _log.error("amqtt did not let go of %s and is made to", name)
            if link.task is not None:
                link.task.cancel()
            await asyncio.wait_for(link.gone.wait(), LEAVE_S)

    async def close(self) -> None:
        """End every connection."""
        await asyncio.gather(*(self.cut(name) for name in tuple(self._links)))

    async def _let_in(self, reader: asyncio.StreamReader) -> tuple[str, PacketReader]:
        """The account a connection proves to be, and what amqtt is to read. Raises Refused."""
        try:
            async with asyncio.timeout(CONNECT_S):
                packet = await read_packet(reader)
        except (OSError, TimeoutError) as error:
            raise Refused(None, str(error) or "it did not say who it is") from None
        connect = await _parse(packet)
        name = self._checked(connect)
        at = packet.header + 1 + _KEEPALIVE_AT
        raw = packet.raw[:at] + b"\0\0" + packet.raw[at + 2 :]  # the gate keeps the time, amqtt must not
        return name, PacketReader(reader, raw, 1.5 * connect.keep_alive or None)

    def _checked(self, connect: ConnectPacket) -> str:
        name = connect.username
        if not self._table.knows(name, connect.password):
            raise Refused(BAD_USERNAME_PASSWORD, f"name or password of {str(name)[:64]!r} is wrong")
        if connect.client_id != name:
            raise Refused(
                IDENTIFIER_REJECTED, f"client id {str(connect.client_id)[:64]!r} is not the user name {name!r}"
            )
        if connect.variable_header.will_flag and not self._table.may(name, Action.PUBLISH, connect.will_topic or ""):
            raise Refused(NOT_AUTHORIZED, f"{name} may not publish its last will to {str(connect.will_topic)[:128]!r}")
        return str(name)

    async def _serve(self, name: str, packets: PacketReader, writer: asyncio.StreamWriter) -> None:
        """One connection an account: the newest one stays (MQTT 3.1.1, 3.1.4-2)."""
        while name in self._links:
            await self.cut(name)
        link = self._links[name] = _Link(writer, asyncio.current_task(), asyncio.Event())
        try:
            await self._enter(packets, PacketWriter(writer))
        finally:
            del self._links[name]
            link.gone.set()


async def _parse(packet: Packet) -> ConnectPacket:
    """The CONNECT in a packet, by amqtt's own parser, so that the gate and amqtt never read it differently."""
    if packet.kind != _CONNECT:
        raise Refused(None, "its first packet is not CONNECT")
    try:
        connect = await ConnectPacket.from_stream(PacketReader(asyncio.StreamReader(), packet.raw, None))
    except (AMQTTError, MQTTError, NoDataError, OSError, ValueError) as error:
        raise Refused(None, f"its CONNECT is malformed: {error}") from None
    if connect.proto_name != "MQTT" or connect.proto_level != 4:
        raise Refused(UNACCEPTABLE_PROTOCOL_VERSION, "it does not speak MQTT 3.1.1")
    return connect


def _names_one_topic(packet: Packet) -> bool:
    """Whether a PUBLISH names a topic that may be published to (MQTT 3.1.1, 4.7)."""
    at = packet.header
    length = int.from_bytes(packet.raw[at : at + 2], "big")
    topic = packet.raw[at + 2 : at + 2 + length]
    return 0 < length == len(topic) and not topic.startswith(b"$") and not any(byte in b"#+\0" for byte in topic)
