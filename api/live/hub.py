"""The present of every device, from the broker's state topics to whoever watches; one MQTT connection a process."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from api.errors import UnavailableError
from api.http.answers import local
from api.http.shapes import LiveLink
from broker.client import Login, new_client
from broker.contract.codec import decode
from broker.contract.topics import DEVICE, LATEST, Address, parse, topic

MAX_WATCHERS = 1000
"""Streams at once; a process that cannot serve more says so."""

_ID = re.compile(r"(?P<run>[0-9a-f]{16})-(?P<number>\d{1,18})", re.ASCII)
_log = logging.getLogger(__name__)


class Event(NamedTuple):
    """The newest state of one kind of one device, and its place among all changes; `data` is JSON."""

    number: int
    name: str
    site: str
    device: str
    data: str


class Watcher:
    """One stream: what has changed for it since it last looked, at most one event a kind and device."""

    def __init__(self, site: str | None, device: str | None) -> None:
        self.closed = False
        self._site = site
        self._device = device
        self._pending: dict[tuple[str, str, str], Event] = {}
        self._changed = asyncio.Event()

    def offer(self, event: Event) -> None:
        """Put an event in line in the place of the older one of its kind and device."""
        if event.site and (self._site not in {None, event.site} or self._device not in {None, event.device}):
            return
        key = (event.name, event.site, event.device) if event.site else ("", "", "")
        self._pending.pop(key, None)
        self._pending[key] = event
        self._changed.set()

    def close(self) -> None:
        self.closed = True
        self._changed.set()

    async def changes(self, wait_s: float) -> list[Event]:
        """What has changed, oldest change first; nothing after `wait_s` without any, or when the watcher is closed."""
        if not self._changed.is_set():
            try:
                await asyncio.wait_for(self._changed.wait(), wait_s)
            except TimeoutError:
                return []
        self._changed.clear()
        changes, self._pending = list(self._pending.values()), {}
        return changes


class Hub:
    """The present states and their watchers; it lives on the event loop and belongs to that thread.

    A watcher that was away resumes from the number of its last event: the states that changed since are what it
    missed. So nothing is kept but the present, and a slow watcher costs no memory.
    """

    def __init__(
        self, now: Callable[[], int], zone: ZoneInfo, *, recheck_s: float = 60.0, run: str | None = None
    ) -> None:
        """`recheck_s`: how often streams ask whether their credential still holds; `run`: names this process."""
        self._zone = zone
        self.recheck_s = recheck_s
        self.connected = False
        self._now = now
        self._since_ms = now()
        self._run = run or secrets.token_hex(8)
        self._number = 0
        self._closed = False
        self._present: dict[tuple[str, str, str], Event] = {}
        self._watchers: set[Watcher] = set()

    def __len__(self) -> int:
        return len(self._watchers)

    def put(self, name: str, site: str, device: str, data: str | None) -> None:
        """The state of a device has become `data`; None: it is no more."""
        key = (name, site, device)
        old = self._present.pop(key, None)
        if data is None:
            return
        if old is not None and old.data == data:
            self._present[key] = old
            return
        self._number += 1
        event = self._present[key] = Event(self._number, name, site, device, data)
        for watcher in self._watchers:
            watcher.offer(event)

    def link(self, *, connected: bool) -> None:
        """The broker was reached, or was lost."""
        if connected == self.connected:
            return
        self.connected, self._since_ms = connected, self._now()
        for watcher in self._watchers:
            watcher.offer(self._link_event())

    def join(self, site: str | None, device: str | None, last_id: str | None = None) -> Watcher:
        """A new watcher of one site or device, or of all; it is first told what it does not know yet.

        Raises:
            UnavailableError: the process serves as many as it can, or is about to end.
        """
        if self._closed or len(self._watchers) >= MAX_WATCHERS:
            raise UnavailableError("this process can serve no more live streams now")
        watcher = Watcher(site, device)
        watcher.offer(self._link_event())
        after = self._number_of(last_id)
        for event in sorted(self._present.values()):
            if event.number > after:
                watcher.offer(event)
        self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    def close(self) -> None:
        """End every stream and begin no more."""
        self._closed = True
        for watcher in self._watchers:
            watcher.close()

    def id_of(self, event: Event) -> str | None:
        """What a stream gives as the event's id; the link's state has none, because it is told at every beginning."""
        return f"{self._run}-{event.number}" if event.number else None

    def _number_of(self, last_id: str | None) -> int:
        match = _ID.fullmatch(last_id or "")
        return int(match["number"]) if match and match["run"] == self._run else 0

    def _link_event(self) -> Event:
        name = "online" if self.connected else "offline"
        data = msgspec.json.encode(LiveLink(local(self._since_ms, self._zone))).decode()
        return Event(0, name, "", "", data)


Render = Callable[[Address, Any], str | None]
"""A decoded state as the JSON that watchers get; None when it is none of theirs, as of a device nobody registered."""


class Link:
    """The connection that feeds a hub.

    Args:
        login: the process's own account.
        hub: fed on `loop`.
        loop: the event loop that serves the streams.
        render: called in the connection's thread.
    """

    def __init__(self, login: Login, hub: Hub, loop: asyncio.AbstractEventLoop, render: Render) -> None:
        self._hub = hub
        self._loop = loop
        self._render = render
        self._login = login
        self._refused = False
        self._client = new_client(login, clean=True)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._arrived

    def start(self) -> None:
        """Connect, and connect again whenever the connection is lost; returns at once."""
        self._client.connect_async(self._login.host, self._login.port, keepalive=20)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect; returns when the connection's thread has ended."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._log_refusal(f"the broker refuses the account {self._login.account!r}: {reason}")
            return
        client.subscribe([(topic("+", "+", kind), kind.qos) for kind in (LATEST, DEVICE)])

    def _subscribed(self, _client: Any, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._log_refusal(f"the broker does not let the account {self._login.account!r} read the state topics")
            return
        self._refused = False
        _log.info("live states come from %r", self._login)
        self._on_loop(lambda: self._hub.link(connected=True))

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure and not self._refused:
            _log.warning("the broker is lost (%s); live streams say so until it is back", reason)
        self._on_loop(lambda: self._hub.link(connected=False))

    def _arrived(self, _client: Any, _data: Any, message: Any) -> None:
        try:
            address = parse(message.topic)
            data = self._render(address, decode(address.kind, message.payload)) if message.payload else None
        except (ValueError, OverflowError) as error:  # a ContractError, or a time that no calendar has
            _log.warning("%s carries no state: %s", message.topic, error)
            return
        except SQLAlchemyError:
            _log.exception("%s could not be passed on", message.topic)
            return
        self._on_loop(lambda: self._hub.put(address.kind.name, address.site, address.device, data))

    def _on_loop(self, call: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(call)

    def _log_refusal(self, what: str) -> None:
        if not self._refused:
            _log.error("%s; `python -m api init` makes the server's accounts", what)
        self._refused = True
