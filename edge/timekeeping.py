"""Keeps the boot's timeline: begins it, watches for the moment of synchronisation, remembers it for the next start."""

from __future__ import annotations

import logging
import threading

from edge.core.clock import Timeline, estimated_offset_ms
from edge.ports import BootClock, Clock, Outbox, OutboxFull

log = logging.getLogger(__name__)


class Timekeeper:
    """One timeline over the Clock port, remembered in the outbox; used from one thread.

    Attributes:
        timeline: of this boot.
        settled: set when nobody needs to wait for the clock any longer.
    """

    def __init__(self, clock: Clock, outbox: Outbox, *, patience_s: float, not_before_ms: int) -> None:
        """Take up the boot's timeline, or begin it.

        Args:
            clock, outbox: the ports.
            patience_s: seconds from now that readings wait for the clock to be synchronised.
            not_before_ms: it is later than this, whatever the system clock says.
        """
        self._clock, self._outbox = clock, outbox
        self.settled = threading.Event()
        now_ns = clock.monotonic_ns()
        known = outbox.boot(clock.boot())
        self._known = known or BootClock(
            estimated_offset_ms(
                monotonic_ns=now_ns, wall_ms=clock.wall_ms(), not_before_ms=max(outbox.wall_ms, not_before_ms)
            ),
            synchronised=False,
        )
        self._remembered = known is not None
        self.timeline = Timeline(
            estimate_ms=self._known.offset_ms,
            trusted=self._known.synchronised,
            patience_ends_ns=now_ns + round(patience_s * 1e9),
        )
        self._waited = False
        self.tick()
        self._waited = not self.settled.is_set()
        if self._waited:
            log.warning(
                "the system clock is not synchronised: times are an estimate, and readings wait for up to %g s"
                " until it is",
                patience_s,
            )

    def now_ms(self) -> int:
        """The time of day as well as it is known; from any thread."""
        return self.timeline.at_ms(self._clock.monotonic_ns())

    def tick(self) -> bool:
        """Look at the clocks; True when this is the moment from which readings need not wait."""
        now_ns = self._clock.monotonic_ns()
        synchronised = self.timeline.trusted or self._clock.synchronised()
        if self.timeline.observe(monotonic_ns=now_ns, wall_ms=self._clock.wall_ms(), synchronised=synchronised):
            self._known = self._known._replace(synchronised=True)
            self._remembered = False
            if self._waited:
                log.warning(
                    "the system clock is synchronised; the estimate was off by %.3f s",
                    (self.timeline.repair_ms or 0) / 1000,
                )
        self._remember()
        if self.settled.is_set() or self.timeline.waiting(now_ns):
            return False
        self.settled.set()
        if not self.timeline.trusted:
            log.warning("the system clock is still not synchronised: readings go out marked untrusted")
        return True

    def _remember(self) -> None:
        if not self._remembered:
            try:
                self._outbox.remember_boot(self._clock.boot(), self._known)
            except OutboxFull:
                return
            self._remembered = True
