"""What the gate of the embedded broker lets through, on bytes in memory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract import codec
from broker.embedded_gate import Packet, PacketReader, PacketWriter, read_packet
from tests.clients import packet, publish, subscribe

T = TypeVar("T")


def fed(*pieces: bytes, ended: bool = True) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    for piece in pieces:
        reader.feed_data(piece)
    if ended:
        reader.feed_eof()
    return reader


def run(what: Coroutine[None, None, T]) -> T:
    return asyncio.run(what)


@given(st.integers(1, 14), st.integers(0, 15), st.integers(0, 70_000))
def test_a_packet_is_read_whole_whatever_its_length(kind: int, flags: int, length: int) -> None:
    sent = packet(kind << 4 | flags, bytes(length))

    async def read() -> tuple[Packet, bytes]:
        reader = fed(sent, b"next")
        return await read_packet(reader), await reader.read()

    found, rest = run(read())
    assert (found.kind, found.raw, len(found.raw) - found.header) == (kind, sent, length)
    assert rest == b"next"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x05abcd",
        b"\x30\xff\xff\xff\xff\x01",
        packet(0x30, b"", codec.MAX_PACKET),
        packet(0x30, b"", 2**28 - 1),
    ],
)
def test_a_packet_that_is_cut_off_or_too_large_is_the_end_before_it_takes_memory(sent: bytes) -> None:
    async def read() -> None:
        await read_packet(fed(sent))

    with pytest.raises(ConnectionError):
        run(read())


def test_the_largest_packet_is_read() -> None:
    sent = packet(0x30, bytes(codec.MAX_PACKET - 4))
    assert len(sent) == codec.MAX_PACKET

    async def read() -> Packet:
        return await read_packet(fed(sent))

    assert run(read()).raw == sent


def test_a_read_never_reaches_from_one_packet_into_the_next() -> None:
    first, second = subscribe(["a"]), publish("city", b"x")

    async def read() -> None:
        reader = PacketReader(fed(second), first, None)
        assert await reader.read(len(first) - 1) == first[:-1]
        with pytest.raises(ConnectionResetError, match="shorter than its content"):
            await reader.read(2)
        with pytest.raises(ConnectionResetError, match="over"):
            await reader.read(len(second))

    run(read())


def test_packets_are_read_one_after_the_other_in_pieces_of_any_size() -> None:
    sent = [subscribe(["a"]), publish("city", b"x" * 500), packet(0xC0, b"")]

    async def read() -> bytes:
        reader = PacketReader(fed(*sent[1:]), sent[0], None)
        heard = b""
        for one in sent:
            heard += await reader.read(1)
            heard += await reader.read(-1)
            assert heard.endswith(one)
        with pytest.raises(ConnectionResetError, match="left"):
            await reader.read(1)
        return heard

    assert run(read()) == b"".join(sent)


@pytest.mark.parametrize("topic", ["", "#", "city/+/x", "city/#", "$SYS/x", "a\0b"])
def test_p6_a_publish_to_what_is_no_topic_is_the_end(topic: str) -> None:
    async def read() -> None:
        await PacketReader(fed(publish(topic, b"x"), ended=False), b"", None).read(1)

    with pytest.raises(ConnectionResetError, match="no topic"):
        run(read())


def test_a_silent_client_is_given_up() -> None:
    async def read() -> None:
        await PacketReader(fed(b"\x30\x05ab", ended=False), b"", 0.01).read(1)

    with pytest.raises(ConnectionResetError, match="silent for longer than its keep-alive"):
        run(read())


def test_a_goodbye_is_acted_on_before_the_end_of_the_stream_is_seen() -> None:
    """amqtt handles each packet in a task of its own, which the end of the stream would cancel: a will for nothing."""

    async def read() -> list[str]:
        reader, acted = PacketReader(fed(), packet(0xE0, b""), None), list[str]()

        async def act() -> None:
            acted.append("goodbye")

        await reader.read(2)
        handling = asyncio.create_task(act())
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        handling.cancel()
        return acted

    assert run(read()) == ["goodbye"]


def test_a_client_that_does_not_read_is_cut_and_holds_nobody_up() -> None:
    async def write() -> None:
        ours, theirs = socket.socketpair()
        _, stream = await asyncio.open_connection(sock=ours)
        writer = PacketWriter(stream, stalled_s=0.01)
        writer.write(b"x" * 10_000_000)
        with pytest.raises(ConnectionResetError, match="does not read"):
            await writer.drain()
        writer.write(b"more")
        await asyncio.wait_for(writer.close(), 1)
        theirs.close()

    run(write())


def test_nothing_is_read_after_the_end_was_said() -> None:
    async def read() -> None:
        reader = PacketReader(fed(publish("city", b"x")), b"", None)
        reader.feed_eof()
        await reader.read(1)

    with pytest.raises(ConnectionResetError, match="over"):
        run(read())
