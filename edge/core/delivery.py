"""Which outbox row is sent when: live first, the past at a set rate, again until a receipt, and nothing ever left out.

The rule that makes it so: every row of the outbox is above its backlog's cursor, or on the way, or confirmed. Rows are
on the way from their first sending until a receipt names them, however many connections come and go in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from broker.contract.seqset import Range, SeqSet

SECOND = 1_000_000_000
"""Nanoseconds of a second."""

STUCK_SENDS = 3
"""A message sent this often without a receipt is stuck, and a person should know."""

AT_ONCE = 32
"""Rows read from the outbox in one go, and sent again in one go."""


class Flow(IntEnum):
    """Why a row is sent; each flow has a window of its own, so none can starve another."""

    KEPT = 0
    """A press, new or old."""
    LIVE = 1
    """A reading of this moment."""
    BACKFILL = 2
    """A reading of the past."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is sent.

    Attributes:
        backfill_per_s: messages of the past a second.
        window: messages of one flow on the way at once.
        window_bytes: bytes of one flow on the way at once, one message more or less.
        stuck: stuck messages that are passed over, so that what comes after them goes on.
        timeout_s: a receipt not seen for this long means sending again; it doubles each time.
        longest_s, kept_longest_s: the longest such wait, for readings and for presses.
    """

    backfill_per_s: float = 500
    window: int = 200
    window_bytes: int = 512 * 1024
    stuck: int = 500
    timeout_s: float = 5
    longest_s: float = 300
    kept_longest_s: float = 30


class Ask(NamedTuple):
    """What to read from the outbox for a backlog: rows above `after`, at most `limit`."""

    after: int
    limit: int


@dataclass(slots=True)
class _Flight:
    """One row on the way; `passed` over ones are outside their flow's window."""

    flow: Flow
    size: int
    first_ns: int
    due_ns: int
    sends: int = 1
    passed: bool = False


class Delivery:
    """The state of sending one outbox; times are monotonic nanoseconds, and nothing happens by itself."""

    def __init__(self, pace: Pace) -> None:
        """Begin with everything that may be in the outbox still to be sent."""
        self._pace = pace
        self._burst = max(1.0, pace.backfill_per_s / 5)
        self._connected = False
        self.reset(newest=0)

    def reset(self, *, newest: int) -> None:
        """Begin again with another outbox file, whose newest number is `newest`; the connection stays."""
        self._flights: dict[int, _Flight] = {}
        self._out = [0, 0, 0]
        self._out_bytes = [0, 0, 0]
        self._passed = 0
        self._next_due_ns = 0
        self._answered_ns = -1
        self._confirmed = SeqSet()
        self._cursors = {True: 0, False: 0}
        self._newest = newest
        self._tokens = self._burst
        self._tokens_ns: int | None = None

    def connected(self, now_ns: int) -> None:
        """A connection is up: whatever is on the way may have been lost with the last one, so all of it is due."""
        self._connected = True
        self._next_due_ns = now_ns
        for flight in self._flights.values():
            flight.due_ns = now_ns

    def disconnected(self) -> None:
        """The connection is gone; nothing is sent."""
        self._connected = False

    def appended(self, seq: int) -> None:
        """The outbox has a new row. One that is not sent at once is found by its backlog's cursor."""
        self._newest = max(self._newest, seq)

    def admits(self, flow: Flow) -> bool:
        """Whether a row may be sent in that flow now."""
        pace = self._pace
        return self._connected and self._out[flow] < pace.window and self._out_bytes[flow] < pace.window_bytes

    def sent(self, seq: int, flow: Flow, size: int, now_ns: int, jitter: float) -> None:
        """The row was handed to the connection.

        Args:
            seq, flow, size: which, why (of a row sent again its first flow stays), and its bytes.
            now_ns: monotonic.
            jitter: 0 to 1, random, so that a city's agents do not send again in step.
        """
        flight = self._flights.get(seq)
        if flight is None:
            flight = self._flights[seq] = _Flight(flow, size, now_ns, now_ns)
            self._out[flow] += 1
            self._out_bytes[flow] += size
            if flow is Flow.BACKFILL:
                self._tokens -= 1
        else:
            flight.sends += 1
            self._pass_over(flight)
        flight.due_ns = now_ns + self._patience_ns(flight, jitter)
        alone = len(self._flights) == 1
        self._next_due_ns = flight.due_ns if alone else min(self._next_due_ns, flight.due_ns)

    def due(self, now_ns: int) -> list[int]:
        """Rows to send again now, presses first, at most AT_ONCE of them."""
        if not self._connected or now_ns < self._next_due_ns:
            return []
        due = [(flight.flow is not Flow.KEPT, seq) for seq, flight in self._flights.items() if flight.due_ns <= now_ns]
        if not due:
            self._next_due_ns = min((flight.due_ns for flight in self._flights.values()), default=now_ns + SECOND)
        return [seq for _, seq in sorted(due)[:AT_ONCE]]

    def ask(self, *, keep: bool, now_ns: int) -> Ask | None:
        """What to read next of the presses' or the readings' backlog; None while nothing of it may be sent."""
        flow = Flow.KEPT if keep else Flow.BACKFILL
        cursor = self._cursors[keep]
        if cursor >= self._newest or not self.admits(flow):
            return None
        limit = min(AT_ONCE, self._pace.window - self._out[flow])
        if not keep:
            self._refill(now_ns)
            limit = min(limit, int(self._tokens))
        return Ask(cursor, limit) if limit > 0 else None

    def fresh(self, seq: int) -> bool:
        """Whether a row that a backlog holds is neither on the way nor confirmed."""
        return seq not in self._flights and seq not in self._confirmed

    def scanned(self, *, keep: bool, upto: int | None) -> None:
        """The backlog was dealt with up to that number; None: to the end of what was appended so far."""
        self._cursors[keep] = self._newest if upto is None else max(upto, self._cursors[keep])

    def rescan(self) -> None:
        """Look through both backlogs from the beginning: rows that were held back may go now."""
        self._cursors = {True: 0, False: 0}

    def received(self, ranges: Iterable[Range], now_ns: int) -> None:
        """A receipt came. One that ends a silence shows that the server is back: what it missed is due at once.

        Numbers that were never given out are no business of a receipt and are left alone.
        """
        before_ns, self._answered_ns = self._answered_ns, now_ns
        receipt = SeqSet((first, min(last, self._newest)) for first, last in ranges if first <= min(last, self._newest))
        for first, last in receipt.ranges():
            self._confirmed.add_range(first, last)
        for seq in [seq for seq in self._flights if seq in receipt]:
            self._land(seq)
        for flight in self._flights.values():
            if flight.sends > 1 and flight.first_ns > before_ns:
                flight.due_ns = self._next_due_ns = now_ns
            self._pass_over(flight)

    def gone(self, seqs: Iterable[int]) -> None:
        """These rows are no longer in the outbox: the cap took them."""
        for seq in seqs:
            self._land(seq)

    def confirmed(self) -> list[Range]:
        """What receipts have named and `forgotten` has not: to be deleted from the outbox."""
        return self._confirmed.ranges()

    def forgotten(self) -> None:
        """All of `confirmed` has been deleted."""
        self._confirmed = SeqSet()

    @property
    def stuck(self) -> int:
        """Rows sent STUCK_SENDS times or more without a receipt."""
        return sum(flight.sends >= STUCK_SENDS for flight in self._flights.values())

    @property
    def under_way(self) -> int:
        """Rows sent and not confirmed."""
        return len(self._flights)

    def wait_ns(self, now_ns: int) -> int | None:
        """How long there is nothing to send, unless something comes; None: until then."""
        if not self._connected:
            return None
        waits = [max(0, self._next_due_ns - now_ns)] if self._flights else []
        if self._cursors[False] < self._newest and self.admits(Flow.BACKFILL):
            self._refill(now_ns)
            waits.append(max(0, int((1 - self._tokens) / self._pace.backfill_per_s * SECOND)))
        return min(waits, default=None)

    def _land(self, seq: int) -> None:
        flight = self._flights.pop(seq, None)
        if flight is None:
            return
        if flight.passed:
            self._passed -= 1
        else:
            self._leave_window(flight)

    def _leave_window(self, flight: _Flight) -> None:
        self._out[flight.flow] -= 1
        self._out_bytes[flight.flow] -= flight.size

    def _pass_over(self, flight: _Flight) -> None:
        """Let what comes after a stuck row go on, once the server has confirmed others in the meantime."""
        others_went = flight.first_ns < self._answered_ns
        if flight.sends >= STUCK_SENDS and others_went and not flight.passed and self._passed < self._pace.stuck:
            flight.passed = True
            self._passed += 1
            self._leave_window(flight)

    def _patience_ns(self, flight: _Flight, jitter: float) -> int:
        longest_s = self._pace.kept_longest_s if flight.flow is Flow.KEPT else self._pace.longest_s
        wait_s = min(longest_s, self._pace.timeout_s * 2.0 ** min(flight.sends - 1, 20))
        return int(wait_s * (0.75 + jitter / 2) * SECOND)

    def _refill(self, now_ns: int) -> None:
        since_ns = now_ns - (now_ns if self._tokens_ns is None else self._tokens_ns)
        self._tokens_ns = now_ns
        self._tokens = min(self._burst, self._tokens + since_ns / SECOND * self._pace.backfill_per_s)


def flow_of(*, keep: bool, live: bool) -> Flow:
    """The flow that a row belongs to."""
    if keep:
        return Flow.KEPT
    return Flow.LIVE if live else Flow.BACKFILL


def split(seqs: Sequence[int], found: Iterable[int]) -> list[int]:
    """Those of `seqs` that were not found."""
    there = set(found)
    return [seq for seq in seqs if seq not in there]
