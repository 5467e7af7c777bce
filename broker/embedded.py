"""The broker of a node without Mosquitto: amqtt in this process, behind `embedded_gate` and `embedded_access`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import ssl
from collections.abc import Callable, ItemsView, Iterator
from pathlib import Path
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.errors import ProtocolHandlerError
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.publish import PublishPacket
from amqtt.plugins.manager import PluginManager
from amqtt.session import OutgoingApplicationMessage, Session

from broker import accounts
from broker.contract.access import Action
from broker.embedded_access import AccessPlugin, Table
from broker.embedded_gate import Gate, PacketReader, PacketWriter
from broker.listener import Listener

WATCH_S = 0.5
"""How often the accounts are looked at; a revoked account is cut within this time."""

QUEUED_MESSAGES = 1000
"""Waiting at most for one client that is away; what does not fit is sent again by its outbox."""

STOP_S = 5
"""Time to end the connections after SIGTERM."""

_DOOR = "default"
_OF_A_CONNECTION = ("username", "password", "will_flag", "will_topic", "will_message", "will_qos", "will_retain")
"""What a kept session takes over from each new connection."""


class _Subscriptions(dict[str, list[tuple[Session, int]]]):
    """amqtt walks its subscriptions and pauses on the way; it walks over a copy, so that others may subscribe."""

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self.keys()))

    def items(self) -> ItemsView[str, list[tuple[Session, int]]]:  # type: ignore[override]  # a copy's serves as well
        return {key: list(value) for key, value in super().items()}.items()


class _Handler(BrokerProtocolHandler):  # type: ignore[misc]  # amqtt is untyped
    """A connection whose end is not missed: amqtt forgets the end of one that is over before it is served."""

    def __init__(self, plugins: PluginManager[Any]) -> None:
        super().__init__(plugins)
        self._over = asyncio.Event()
        self._goodbye: DisconnectPacket | None = None

    async def handle_disconnect(self, disconnect: DisconnectPacket | None) -> None:
        """It is over; `disconnect` when the client said so. The first word counts."""
        if not self._over.is_set():
            self._goodbye = disconnect
            self._over.set()

    async def handle_connect(self, _connect: ConnectPacket) -> None:
        """A second CONNECT ends the connection (MQTT 3.1.1, 3.1.0-2)."""
        await self.handle_disconnect(None)

    async def wait_disconnect(self) -> DisconnectPacket | None:
        """Wait for the end; the client's goodbye, None without."""
        await self._over.wait()
        return self._goodbye

    async def stop(self) -> None:
        """End it."""
        await self.handle_disconnect(None)
        await super().stop()

    async def mqtt_publish(self, *arguments: Any, **named: Any) -> OutgoingApplicationMessage | None:
        """Deliver a message; None when the client did not acknowledge it in amqtt's 5 s, or is gone."""
        try:
            return await super().mqtt_publish(*arguments, **named)
        except (TimeoutError, ProtocolHandlerError):
            return None

    async def _send_packet(self, packet: Any) -> None:
        """Send it, unless it is over: amqtt would wait for the acknowledgement of what it never sent."""
        if self._over.is_set():
            if isinstance(packet, PublishPacket) and self.session is not None:
                self.session.inflight_out.pop(packet.packet_id, None)
            raise ProtocolHandlerError("the connection is over")
        await super()._send_packet(packet)


class _Broker(Broker):  # type: ignore[misc]  # amqtt is untyped
    """What breaks our promises in amqtt 0.12, put right; its `external_connected` is the way in."""

    def __init__(self, table: Table) -> None:
        plugin = f"{AccessPlugin.__module__}.{AccessPlugin.__qualname__}"
        super().__init__(
            BrokerConfig(
                listeners={_DOOR: ListenerConfig(type=ListenerType.EXTERNAL)}, plugins={plugin: {"table": table}}
            )
        )
        self._subscriptions = _Subscriptions()
        self._table = table

    async def forget(self, name: str) -> None:
        """Drop the session of an account that is no longer in force."""
        await self._cleanup_session(name)

    async def _cleanup_session(self, client_id: str) -> None:
        """Drop a session that nobody uses; amqtt would end a client that comes back in that very moment."""
        session, _ = self._sessions.get(client_id, (None, None))
        if session is not None and session.transitions.state != "connected":
            await super()._cleanup_session(client_id)

    async def silence(self, name: str) -> None:
        """The last will of an account that is no longer in force is not announced."""
        session, _ = self._sessions.get(name, (None, None))
        if session is not None:
            session.will_flag = False

    async def _initialize_client_session(
        self, reader: PacketReader, writer: PacketWriter, *_: Any
    ) -> tuple[BrokerProtocolHandler, Session]:
        """The session of a connection: the one it had, when both kept it, else a new one.

        amqtt mixes a session that was kept with one that was not, and forgets whether a new will is to be retained.
        """
        _, fresh = await BrokerProtocolHandler.init_from_connect(reader, writer, self.plugins_manager)
        handler = _Handler(self.plugins_manager)
        known, _ = self._sessions.get(fresh.client_id, (None, None))
        if known is None or known.clean_session or fresh.clean_session:
            await self._delete_session(fresh.client_id)
            return handler, fresh
        for field in _OF_A_CONNECTION:
            setattr(known, field, getattr(fresh, field))
        known.parent = 1
        return handler, known

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Send what is kept for a subscription to who holds it; amqtt would send everybody's to whoever connects."""
        wanted, qos = subscription
        if any(holder is session for holder, _ in self._subscriptions.get(wanted, ())):
            for topic, kept in tuple(self._retained_messages.items()):
                if self._matches(topic, wanted) and self._table.may(session.username, Action.RECEIVE, topic):
                    self._deliver(session, topic, kept.data, min(qos, kept.qos or 0))

    async def _publish_session_retained_messages(self, session: Session) -> None:
        """Send what waited for a client that was away."""
        while not session.retained_messages.empty():
            waiting = session.retained_messages.get_nowait()
            self._deliver(session, waiting.topic, waiting.data, waiting.qos or 0, retain=False)

    def _deliver(self, session: Session, topic: str, data: bytes, qos: int, *, retain: bool = True) -> None:
        """Send a message in its turn; amqtt would stop serving the client until it has acknowledged."""
        handler = self._get_handler(session)
        if handler is not None:
            self._tasks_queue.append(asyncio.create_task(handler.mqtt_publish(topic, data, qos, retain)))

    async def _retain_broadcast_message(self, broadcast: dict[str, Any], qos: int, target_session: Session) -> None:
        """Keep a message for a client that is away; amqtt would keep any number."""
        if target_session.retained_messages.qsize() < QUEUED_MESSAGES:
            await super()._retain_broadcast_message(broadcast, qos, target_session)


def serve(listener: Listener, directory: Path, announce: Callable[[], None]) -> int:
    """Run until SIGTERM or SIGINT; follow changes of the accounts; the exit code.

    Args:
        listener: where.
        directory: where the accounts are.
        announce: called once, when it accepts connections.

    Raises:
        AccountsError: the accounts cannot be read at the start. Later that keeps the last good ones in force.
    """
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    logging.getLogger("transitions").setLevel(logging.ERROR)
    watch = accounts.Watch(directory / accounts.FILE)
    asyncio.run(_serve(listener, watch, announce))
    return 0


async def _serve(listener: Listener, watch: accounts.Watch, announce: Callable[[], None]) -> None:
    table = Table(watch.accounts)
    broker = _Broker(table)
    await broker.start()
    gate = Gate(table, lambda reader, writer: broker.external_connected(reader, writer, _DOOR))
    server = await asyncio.start_server(gate.accept, listener.host, listener.port, ssl=_tls(listener))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    announce()
    following = asyncio.create_task(_follow(watch, table, broker, gate))
    following.add_done_callback(lambda _: stop.set())
    await stop.wait()
    server.close()
    if following.done():
        following.result()  # a fault there means that nobody cuts a revoked account any more: end with it
    following.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await gate.close()
            await broker.shutdown()


async def _follow(watch: accounts.Watch, table: Table, broker: _Broker, gate: Gate) -> None:
    """Put changed accounts in force as they come, and end the connections of those that are not the same."""
    while True:
        await asyncio.sleep(WATCH_S)
        if not watch.changed():
            continue
        for name in table.replace(watch.accounts):
            await broker.silence(name)
            await gate.cut(name)
            await broker.forget(name)


def _tls(listener: Listener) -> ssl.SSLContext | None:
    if listener.cert is None or listener.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(listener.cert, listener.key)
    return context
