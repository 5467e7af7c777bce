"""When probes of the panel's clock are sent, and which are on their way."""

from __future__ import annotations

from firmware_bridge.wire.messages import Probe
from firmware_bridge.wire.resend import MS

EVERY_NS = 1000 * MS
BURST, BURST_NS = 8, 50 * MS
"""Probes at the beginning, close together, so that the first presses have a time."""

REMEMBERED = 16


class Probing:
    """The probes of one session."""

    def __init__(self) -> None:
        """None is on its way."""
        self._sent_ns: dict[int, int] = {}
        self._last, self._burst = 0, 0
        self._due_ns = 0

    def begin(self) -> None:
        """The link is up: a burst is due."""
        self._burst, self._due_ns = BURST, 0

    def due(self, now_ns: int) -> bool:
        return now_ns >= self._due_ns

    def next(self, now_ns: int) -> Probe:
        """The probe that is sent now."""
        self._burst -= self._burst > 0
        self._due_ns = now_ns + (BURST_NS if self._burst else EVERY_NS)
        self._last = (self._last + 1) & 0xFFFF
        self._sent_ns[self._last] = now_ns
        while len(self._sent_ns) > REMEMBERED:
            del self._sent_ns[next(iter(self._sent_ns))]
        return Probe(self._last)

    def answered(self, probe: int) -> int | None:
        """When that probe was sent; None when it is not known, or was answered already."""
        return self._sent_ns.pop(probe, None)
