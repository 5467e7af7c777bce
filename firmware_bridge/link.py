"""A session over a line that is opened again whenever it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from firmware_bridge.transport import Transport, TransportError
from firmware_bridge.wire.events import Event, Position
from firmware_bridge.wire.fields import Message
from firmware_bridge.wire.session import Session

REOPEN_S = 1.0
STEP_S = 0.02
"""The longest that a session is not ticked while a line is open."""


class Link:
    """One panel's link. `poll` is called from one thread; `accept`, `send` and `close` from any."""

    def __init__(
        self, open_line: Callable[[], Transport], session: Session, *, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Open nothing yet.

        Args:
            open_line: opens the line; raises TransportError.
            session: what is said on it.
            now_ns: the clock on which events have their times.
        """
        self._open, self._session, self._now_ns = open_line, session, now_ns
        self._lock = threading.Lock()
        self._line: Transport | None = None
        self._open_at_s = 0.0
        self._closed = threading.Event()
        self.problem = ""

    @property
    def session(self) -> Session:
        """What is said on it; to be looked at only."""
        return self._session

    def open(self) -> None:
        """Open the line now, to hear at once what is wrong with it. Raises TransportError."""
        with self._lock:
            if self._line is None:
                self._line = self._open()
                self.problem = ""

    def poll(self, timeout_s: float) -> list[Event]:
        """Events that are there, waiting up to `timeout_s` for the first. A lost line is opened again in here."""
        until_s = time.monotonic() + timeout_s
        while not self._closed.is_set():
            events = self._step(max(0.0, min(STEP_S, until_s - time.monotonic())))
            if events or time.monotonic() >= until_s:
                return events
        return []

    def accept(self, position: Position) -> None:
        """As Session.accept."""
        with self._lock:
            self._session.accept(position)

    def send(self, command: Message) -> int:
        """As Session.send."""
        with self._lock:
            return self._session.send(command)

    def close(self) -> None:
        """Give the line back; `poll` ends. Never raises."""
        self._closed.set()
        with self._lock:
            if self._line is not None:
                self._line.close()

    def _step(self, wait_s: float) -> list[Event]:
        line = self._line or self._reopen()
        if line is None:
            self._closed.wait(wait_s)
            return []
        try:
            self._flush(line)
            data = line.read(wait_s)
            with self._lock:
                self._session.receive(data, self._now_ns())
            self._flush(line)
        except TransportError as error:
            self._lose(line, str(error))
        return self._events()

    def _flush(self, line: Transport) -> None:
        with self._lock:
            self._session.tick(self._now_ns())
            data = self._session.data_to_send()
        if data:
            line.write(data)

    def _events(self) -> list[Event]:
        with self._lock:
            return list(iter(self._session.next_event, None))

    def _reopen(self) -> Transport | None:
        if time.monotonic() < self._open_at_s:
            return None
        try:
            self.open()
        except TransportError as error:
            self.problem, self._open_at_s = str(error), time.monotonic() + REOPEN_S
        return self._line

    def _lose(self, line: Transport, what: str) -> None:
        line.close()
        with self._lock:
            self._session.line_lost(what)
        self._line, self.problem, self._open_at_s = None, what, time.monotonic() + REOPEN_S
