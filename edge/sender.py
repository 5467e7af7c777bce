"""The outbox's way to the broker: what is committed goes out, as `core.delivery` decides, until a receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from broker.contract.messages import Clock as ClockState
from broker.contract.seqset import Range
from edge.core.clock import Timeline
from edge.core.delivery import Delivery, Flow, Pace, flow_of
from edge.core.sampling import repaired
from edge.ports import Clock, Entry, Outbox, Publisher, Row

FORGET_NS = 2_000_000_000
"""Confirmed rows are deleted with the next commit, or by themselves after this long: fewer commits wear a card less."""

REFUSED_NS = 50_000_000
"""How long to leave the connection alone when it would not take a message."""


class Sender:
    """Commits entries and sends rows; used from one thread."""

    def __init__(
        self,
        outbox: Outbox,
        publisher: Publisher,
        *,
        clock: Clock,
        timeline: Timeline,
        pace: Pace,
        jitter: Callable[[], float],
    ) -> None:
        """Begin with everything that is in the outbox still to be sent.

        Args:
            outbox, publisher, clock: the ports.
            timeline: says whether rows stamped on its estimate are held back, and how they are put right.
            pace: how much is sent.
            jitter: 0 to 1, random.
        """
        self._outbox, self._publisher = outbox, publisher
        self._clock, self._timeline, self._jitter = clock, timeline, jitter
        self._boot = clock.boot()
        self._delivery = Delivery(pace)
        self._delivery.reset(newest=outbox.last_seq)
        self._epoch = outbox.epoch
        self._connection = 0
        self._confirmed_ns: int | None = None
        self._refused_until_ns = 0

    @property
    def connection(self) -> int:
        """The number of the connection that is up; 0 for none."""
        return self._connection

    @property
    def stuck(self) -> int:
        """Messages sent three times or more without a receipt."""
        return self._delivery.stuck

    def connection_changed(self, number: int) -> None:
        """That connection is up now; 0 for none."""
        self._connection = number
        if number:
            self._refused_until_ns = 0
            self._delivery.connected(self._clock.monotonic_ns())
        else:
            self._delivery.disconnected()

    def store(self, entries: Sequence[Entry], *, live: bool, positions: Iterable[tuple[str, str]] = ()) -> None:
        """Commit, and send at once what may go at once. A press does not wait for confirmed rows to be deleted with it.

        Args:
            entries, positions: as the outbox takes them.
            live: they are of this moment; what is not waits its turn as backfill.

        Raises:
            OutboxFull: nothing was stored.
        """
        urgent = any(entry.keep for entry in entries)
        rows = self._outbox.append(entries, positions=positions, forget=[] if urgent else self._delivery.confirmed())
        if urgent:
            self._notice_replacement()
        else:
            self._forgotten()
        for row in rows:
            self._delivery.appended(row.seq)
            flow = flow_of(keep=row.keep, live=live)
            if flow is not Flow.BACKFILL and not self._held(row) and self._delivery.admits(flow):
                self._send(row, flow)

    def received(self, epoch: str, ranges: Iterable[Range]) -> None:
        """A receipt came; one for another outbox file is none of ours."""
        if epoch == self._epoch:
            now_ns = self._clock.monotonic_ns()
            self._delivery.received(ranges, now_ns)
            if self._confirmed_ns is None and self._delivery.confirmed():
                self._confirmed_ns = now_ns

    def release(self) -> None:
        """Rows that were held back for the clock may go now."""
        self._delivery.rescan()

    def pump(self) -> None:
        """Send again what is due, then some of each backlog, as far as the windows are open. Raises OutboxFull."""
        self._notice_replacement()
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._refused_until_ns:
            return
        due = self._delivery.due(now_ns)
        rows = self._outbox.rows(due) if due else []
        self._delivery.gone(set(due) - {row.seq for row in rows})
        for row in rows:
            if not self._send(row, Flow.LIVE):
                return
        for keep in (True, False):
            self._backlog(keep=keep, now_ns=now_ns)

    def forget(self, *, at_once: bool = False) -> None:
        """Delete what has been confirmed for FORGET_NS and no commit has taken along. Raises OutboxFull."""
        due_ns = None if self._confirmed_ns is None else self._confirmed_ns + FORGET_NS
        if due_ns is not None and (at_once or self._clock.monotonic_ns() >= due_ns):
            self._outbox.forget(self._delivery.confirmed())
            self._forgotten()

    def wait_ns(self, now_ns: int) -> int | None:
        """How long there is nothing to send, unless something comes; None: until then."""
        wait_ns = self._delivery.wait_ns(now_ns)
        return None if wait_ns is None else max(wait_ns, self._refused_until_ns - now_ns)

    def _backlog(self, *, keep: bool, now_ns: int) -> None:
        ask = self._delivery.ask(keep=keep, now_ns=now_ns)
        if ask is None:
            return
        flow = flow_of(keep=keep, live=False)
        held = self._boot if self._timeline.waiting(now_ns) else ""
        rows = self._outbox.after(ask.after, ask.limit, keep=keep, without_boot=held)
        for row in rows:
            if self._delivery.fresh(row.seq) and not (self._delivery.admits(flow) and self._send(row, flow)):
                self._delivery.scanned(keep=keep, upto=row.seq - 1)
                return
        self._delivery.scanned(keep=keep, upto=rows[-1].seq if len(rows) == ask.limit else None)

    def _send(self, row: Row, flow: Flow) -> bool:
        payload = row.payload
        by_ms = self._timeline.repair_ms
        if by_ms is not None and row.clock == ClockState.UNTRUSTED and row.boot == self._boot:
            payload = repaired(row.kind, payload, by_ms)
        now_ns = self._clock.monotonic_ns()
        if not self._publisher.publish(self._connection, row.kind, payload):
            self._refused_until_ns = now_ns + REFUSED_NS
            return False
        self._delivery.sent(row.seq, flow, len(payload), now_ns, self._jitter())
        return True

    def _held(self, row: Row) -> bool:
        return (
            not row.keep
            and row.clock == ClockState.UNTRUSTED
            and row.boot == self._boot
            and self._timeline.waiting(self._clock.monotonic_ns())
        )

    def _forgotten(self) -> None:
        self._delivery.forgotten()
        self._confirmed_ns = None
        self._notice_replacement()

    def _notice_replacement(self) -> None:
        """A damaged file was replaced: its rows are gone, and numbers begin again under another epoch."""
        if self._outbox.epoch != self._epoch:
            self._epoch = self._outbox.epoch
            self._confirmed_ns = None
            self._delivery.reset(newest=self._outbox.last_seq)
