"""The agent: what drivers report in, messages out. One consumer, one queue, ports only."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from broker.contract.messages import Sensor
from broker.contract.topics import HEARTBEAT
from edge.core.delivery import Pace
from edge.events import (
    Connected,
    Disconnected,
    EdgeSeen,
    Event,
    Failed,
    Paged,
    Received,
    Reload,
    Sampled,
    Stop,
    Works,
)
from edge.intake import Intake, Wiring
from edge.ports import Clock, Outbox, Publisher
from edge.report import Disk, Drivers, Identity, heartbeat_payload, status_payload
from edge.sender import Sender
from edge.timekeeping import Timekeeper

log = logging.getLogger(__name__)

SECOND = 1_000_000_000
"""Nanoseconds; also the time from tick to tick."""

SOON_NS = SECOND
"""A change shows in a heartbeat after this long."""

HUNG_S = 60.0
"""A driver that has not come back for this long, and for three of its intervals, is reported."""


class Ending(Enum):
    """Why `Agent.run` came back."""

    STOP = "stop"
    RELOAD = "reload"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the agent needs of the site file.

    Attributes:
        heartbeat_s: seconds between heartbeats.
        patience_s: seconds that readings wait for the clock.
        max_age_ms: readings older than this are given up.
        not_before_ms: it is later than this (the age of the site file).
        wiring: of sensors and buttons.
        pace: how much is sent.
    """

    heartbeat_s: float
    patience_s: float
    max_age_ms: int
    not_before_ms: int
    wiring: Wiring
    pace: Pace


class Agent:
    """Everything between the drivers' threads and the broker's, on the thread that calls `run`.

    Attributes:
        keeper: the time.
        silent_s: (driver, monotonic now) -> seconds that it has not come back from a call.
    """

    def __init__(
        self,
        settings: Settings,
        identity: Identity,
        sensors: Sequence[Sensor],
        *,
        events: queue.SimpleQueue[Event],
        outbox: Outbox,
        publisher: Publisher,
        clock: Clock,
        jitter: Callable[[], float],
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Begin with the outbox as it is.

        Args:
            settings, identity: of this agent.
            sensors: every driver, in the order of the site file, without fault.
            events: what those threads tell it.
            outbox, publisher, clock: the ports.
            jitter: 0 to 1, random.
            notify: takes `READY=1` and `WATCHDOG=1` for the service manager.
        """
        self.keeper = Timekeeper(clock, outbox, patience_s=settings.patience_s, not_before_ms=settings.not_before_ms)
        self.silent_s: Callable[[str, int], float] = lambda _name, _now_ns: 0.0
        self._settings, self._identity, self._events = settings, identity, events
        self._outbox, self._publisher, self._clock, self._notify = outbox, publisher, clock, notify
        self._drivers = Drivers(tuple(sensors))
        self._disk = Disk()
        self._sender = Sender(
            outbox, publisher, clock=clock, timeline=self.keeper.timeline, pace=settings.pace, jitter=jitter
        )
        self._intake = Intake(
            settings.wiring, sender=self._sender, outbox=outbox, clock=clock, keeper=self.keeper, disk=self._disk
        )
        self._started_ns = self._tick_ns = self._heartbeat_ns = clock.monotonic_ns()
        self._counters = outbox.counters()
        self._stuck = False
        self._ending: Ending | None = None

    def status(self, session: str, online: bool) -> bytes:
        """The payload of `up/status`; from any thread."""
        return status_payload(
            self._identity, session=session, online=online, at_ms=self.keeper.now_ms(), sensors=self._drivers.states
        )

    def run(self) -> Ending:
        """Take events until one ends it; may be called again after a Reload that came to nothing."""
        self._ending = None
        self.turn(None)
        self._notify("READY=1")
        while self._ending is None:
            try:
                event = self._events.get(timeout=self.wait_s())
            except queue.Empty:
                event = None
            self.turn(event)
        return self._ending

    def turn(self, event: Event | None) -> None:
        """One turn of the loop: the event, then whatever is due."""
        if event is not None:
            self._take(event)
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._tick_ns:
            self._tick_ns = now_ns + SECOND
            self._tick(now_ns)
        commit_ns = self._intake.due_ns()
        if commit_ns is not None and now_ns >= commit_ns:
            self._intake.commit()
        self._disk.attempt(self._sender.pump)
        if self._sender.connection and now_ns >= self._heartbeat_ns:
            self._beat(now_ns)

    def wait_s(self) -> float:
        """Seconds until something is due by itself."""
        now_ns = self._clock.monotonic_ns()
        due = [self._tick_ns, self._intake.due_ns()]
        waits = [max(0, due_ns - now_ns) for due_ns in due if due_ns is not None]
        send_ns = self._sender.wait_ns(now_ns)
        return min(waits if send_ns is None else [*waits, send_ns]) / SECOND

    def finish(self) -> None:
        """Commit what waits in memory; to be called after the last `run`, with the drivers stopped."""
        while not self._events.empty():
            self._take(self._events.get())
        self._intake.commit()
        self._intake.write_held()
        self._disk.attempt(self._sender.pump)
        self._disk.attempt(lambda: self._sender.forget(at_once=True))

    def _take(self, event: Event) -> None:
        match event:
            case EdgeSeen():
                self._intake.edge(event)
            case Sampled():
                self._intake.sampled(event)
            case Paged():
                self._intake.paged(event)
            case Received(epoch, ranges):
                self._sender.received(epoch, ranges)
            case Failed(name, why):
                self._changed(self._drivers.failed(name, why, self.keeper.now_ms()))
            case Works(name):
                self._changed(self._drivers.works(name))
            case Connected() | Disconnected():
                self._sender.connection_changed(event.number if isinstance(event, Connected) else 0)
                self._heartbeat_ns = 0
            case Stop() | Reload():
                stops = isinstance(event, Stop) or self._ending is Ending.STOP
                self._ending = Ending.STOP if stops else Ending.RELOAD

    def _tick(self, now_ns: int) -> None:
        self._notify("WATCHDOG=1")
        if self.keeper.tick():
            self._sender.release()
        self._intake.write_held()
        self._disk.attempt(self._sender.forget)
        if self.keeper.timeline.trusted:
            self._disk.attempt(lambda: self._outbox.expire(self.keeper.now_ms() - self._settings.max_age_ms))
        self._report_hung(now_ns)
        self._disk.attempt(self._count)
        self._report_stuck()
        self._publisher.tend()

    def _count(self) -> None:
        before, self._counters = self._counters, self._outbox.counters()
        given_up = before.evicted + before.refused != self._counters.evicted + self._counters.refused
        self._changed(given_up)

    def _report_stuck(self) -> None:
        stuck = self._sender.stuck
        if bool(stuck) == self._stuck:
            return
        self._stuck = bool(stuck)
        self._changed(news=True)
        if stuck:
            log.warning(
                "%d messages have no receipt after three sendings: is the server's ingest running, and does it know"
                " this device at this site? They are kept and sent again",
                stuck,
            )
        else:
            log.warning("every message has its receipt again")

    def _report_hung(self, now_ns: int) -> None:
        for state in self._drivers.states:
            interval_s = self._settings.wiring.intervals_ms.get(state.name, 0) / 1000
            if self.silent_s(state.name, now_ns) > max(HUNG_S, 3 * interval_s):
                why = f"has not answered for {HUNG_S:.0f} s or more; check its wiring, then restart the agent"
                self._changed(self._drivers.failed(state.name, why, self.keeper.now_ms()))

    def _changed(self, news: bool) -> None:
        if news:
            self._heartbeat_ns = min(self._heartbeat_ns, self._clock.monotonic_ns() + SOON_NS)

    def _beat(self, now_ns: int) -> None:
        self._disk.attempt(self._count)
        interval_s = self._settings.heartbeat_s
        payload = heartbeat_payload(
            self._identity,
            at_ms=self.keeper.now_ms(),
            clock=self.keeper.timeline.clock,
            uptime_s=(now_ns - self._started_ns) / SECOND,
            interval_s=interval_s,
            epoch=self._outbox.epoch,
            counters=self._counters,
            repair_ms=self.keeper.timeline.repair_ms or 0,
            stuck=self._sender.stuck,
            sensors=self._drivers.states,
        )
        if self._publisher.publish(self._sender.connection, HEARTBEAT.name, payload):
            self._heartbeat_ns = now_ns + round(interval_s * SECOND)
