"""What drivers report -> what is committed: presses at once and alone, readings gathered, a recorder's pages whole."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from broker.contract.senml import Reading
from broker.contract.topics import PRESS, READINGS
from edge.core.presses import Debouncer
from edge.core.sampling import Batch, Stamp, packets, press_payload, readings_payload
from edge.events import Answer, EdgeSeen, Paged, Sampled
from edge.ports import Clock, Entry, Numbers, Outbox
from edge.report import Disk
from edge.sender import Sender
from edge.timekeeping import Timekeeper

log = logging.getLogger(__name__)

LIVE_MS = 600_000
"""A recorder's values that are older than this are the past."""

HELD_PRESSES = 10_000
"""Presses kept in memory while the disk takes none; later ones are lost, and logged."""

HELD_AT_ONCE = 100
"""Of those, written in one transaction once it takes them again."""

DEEP = 1000
"""Messages in the outbox above which recorders are asked more slowly: a second for each further thousand."""

LONGEST_PAUSE_S = 60.0
"""The longest that a recorder is left alone for that."""

REFUSED_PAUSE_S = 10.0
"""How long it is left alone when its page could not be stored."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the intake needs of the site file.

    Attributes:
        commit_s: the longest that a reading waits in memory.
        intervals_ms: of each sensor.
        debounce: lockout and least rest in milliseconds, of each driver of buttons.
    """

    commit_s: float
    intervals_ms: Mapping[str, int]
    debounce: Mapping[str, tuple[int, int]]


class Intake:
    """Events of drivers in, committed messages out; used from one thread."""

    def __init__(
        self, wiring: Wiring, *, sender: Sender, outbox: Outbox, clock: Clock, keeper: Timekeeper, disk: Disk
    ) -> None:
        """Begin with nothing in memory."""
        self._wiring = wiring
        self._sender, self._outbox, self._clock, self._keeper, self._disk = sender, outbox, clock, keeper, disk
        self._boot = clock.boot()
        self._batch = Batch(wiring.commit_s)
        self._debouncers: dict[tuple[str, str], Debouncer] = {}
        self._held: deque[Entry] = deque()

    def edge(self, seen: EdgeSeen) -> None:
        """One change of a contact; a press is on disk and on its way when this returns."""
        key = seen.driver, seen.button
        if key not in self._debouncers:
            lockout_ms, min_open_ms = self._wiring.debounce[seen.driver]
            self._debouncers[key] = Debouncer(lockout_ms=lockout_ms, min_open_ms=min_open_ms)
        pressed_ns = self._debouncers[key].edge(seen.edge)
        if pressed_ns is None:
            return
        entry = self._press(seen.button, self._keeper.timeline.at_ms(pressed_ns))
        if self._held or not self._store_live([entry]):
            self._hold(entry, seen.button)

    def sampled(self, event: Sampled) -> None:
        """What a sensor measured; it is committed with what else comes within `commit_s`."""
        interval_ms = self._wiring.intervals_ms[event.sensor]
        self._batch.add(event.sensor, event.at_ns, interval_ms, event.values, self._clock.monotonic_ns())

    def paged(self, event: Paged) -> None:
        """A recorder's page, committed with its position. Its times are its own: no repair of our clock fits them."""
        page = event.page
        readings = [Reading(event.recorder, v.quantity, v.at_ms, v.value, v.interval_ms) for v in page.values]
        entries = [self._readings(portion, "") for portion in packets(readings)]
        live = bool(readings) and readings[-1].at_ms > self._keeper.now_ms() - LIVE_MS
        position = (event.recorder, page.position)
        stored = self._disk.write(lambda: self._sender.store(entries, live=live, positions=[position]))
        pause_s = max(0, self._outbox.depth - DEEP) / 1000 if stored else REFUSED_PAUSE_S
        event.answer(Answer(stored, min(LONGEST_PAUSE_S, pause_s)))

    def due_ns(self) -> int | None:
        """When `commit` is due, monotonic; None for not before something comes."""
        return self._batch.due_ns()

    def commit(self) -> None:
        """Write the readings that were gathered; those that the disk refuses are counted and gone."""
        entries = [self._readings(portion, self._boot) for portion in self._batch.take(self._keeper.timeline)]
        if entries and not self._store_live(entries):
            self._outbox.refuse(len(entries))

    def write_held(self) -> None:
        """Write the presses that the disk did not take, in order, if it takes them now."""
        while self._held:
            some = [self._held[number] for number in range(min(HELD_AT_ONCE, len(self._held)))]
            if not self._store_live(some):
                return
            for _ in some:
                self._held.popleft()

    def _store_live(self, entries: list[Entry]) -> bool:
        return self._disk.write(lambda: self._sender.store(entries, live=True))

    def _hold(self, entry: Entry, button: str) -> None:
        if len(self._held) < HELD_PRESSES:
            self._held.append(entry)
        else:
            log.error("a press of %s is lost: %s are held in memory already", button, HELD_PRESSES)

    def _press(self, button: str, at_ms: int) -> Entry:
        boot, clock = self._boot, self._keeper.timeline.clock

        def encode(numbers: Numbers) -> bytes:
            stamp = Stamp(numbers.epoch, numbers.seq, boot, clock)
            return press_payload(stamp, button=button, at_ms=at_ms, count=numbers.counted)

        return Entry(PRESS.name, keep=True, at_ms=at_ms, boot=boot, clock=clock, encode=encode, counter=button)

    def _readings(self, readings: tuple[Reading, ...], clock_of: str) -> Entry:
        boot, clock = self._boot, self._keeper.timeline.clock

        def encode(numbers: Numbers) -> bytes:
            return readings_payload(Stamp(numbers.epoch, numbers.seq, boot, clock), readings)

        now_ms = self._keeper.now_ms()
        return Entry(READINGS.name, keep=False, at_ms=now_ms, boot=clock_of, clock=clock, encode=encode)
