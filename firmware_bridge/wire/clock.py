"""Device milliseconds -> host nanoseconds, by round trips.

A probe that left at s and came back at r was answered, as far as we know, at (s + r) / 2, give or take (r - s) / 2
(F. Cristian, Probabilistic clock synchronization, 1989): so the fastest round trip tells most. A ceramic resonator is
off by up to 5,000 ppm; once probes span enough time, the rate is measured and the bound shrinks to what that leaves.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

MS = 1_000_000
WRAP = 1 << 32
KEPT = 64
"""Round trips remembered: about a minute of them."""

UNKNOWN_DRIFT = 5e-3
"""Bound of the rate's error before it is measured."""

SPAN_MS = 10_000
"""Device time between two round trips from which a rate is taken."""

TICK_NS = MS
"""A count of milliseconds is this coarse."""


class HostTime(NamedTuple):
    """A time on the host's monotonic clock, and how far off it may be, both nanoseconds."""

    at_ns: int
    uncertainty_ns: int


class _Trip(NamedTuple):
    middle_ns: int
    device_ms: int
    half_ns: int


class DeviceClock:
    """The clock of one panel in one boot."""

    def __init__(self) -> None:
        """Know nothing."""
        self._trips: deque[_Trip] = deque(maxlen=KEPT)
        self.rate = 1.0
        self.drift = UNKNOWN_DRIFT

    @property
    def known(self) -> bool:
        """Whether a round trip came back; before it there is no host time."""
        return bool(self._trips)

    def trip(self, sent_ns: int, received_ns: int, device_ms: int) -> None:
        """A probe's round trip, host time, and the device's answer, modulo 2^32."""
        middle_ns = (sent_ns + received_ns) // 2
        half_ns = max(0, received_ns - sent_ns) // 2
        self._trips.append(_Trip(middle_ns, self._unwrap(device_ms, middle_ns), half_ns))
        self._measure_rate()

    def host(self, device_ms: int, now_ns: int) -> HostTime:
        """When it was `device_ms`, within 2^31 ms (24 days) of `now_ns`, and never after it. Raises LookupError."""
        if not self._trips:
            raise LookupError("no round trip yet")
        at_ms = self._unwrap(device_ms, now_ns)
        near = min(self._trips, key=lambda trip: self._bound(trip, at_ms))
        at_ns = near.middle_ns + round((at_ms - near.device_ms) * MS * self.rate)
        return HostTime(min(at_ns, now_ns), round(self._bound(near, at_ms)) + TICK_NS)

    def _bound(self, trip: _Trip, at_ms: int) -> float:
        return trip.half_ns + abs(at_ms - trip.device_ms) * MS * self.drift

    def _unwrap(self, device_ms: int, around_ns: int) -> int:
        """The count without its wrap, as near as it can be to what it should be at `around_ns`."""
        if not self._trips:
            return device_ms
        last = self._trips[-1]
        expected = last.device_ms + round((around_ns - last.middle_ns) / MS / self.rate)
        return expected + (device_ms - expected + WRAP // 2) % WRAP - WRAP // 2

    def _measure_rate(self) -> None:
        trips = list(self._trips)
        part = max(1, len(trips) // 4)
        early = min(trips[:part], key=lambda trip: trip.half_ns)
        late = min(trips[-part:], key=lambda trip: trip.half_ns)
        span_ms = late.device_ms - early.device_ms
        if span_ms < SPAN_MS:
            return
        drift = (early.half_ns + late.half_ns + 2 * TICK_NS) / (span_ms * MS)
        rate = (late.middle_ns - early.middle_ns) / (span_ms * MS)
        if drift < UNKNOWN_DRIFT and abs(rate - 1) <= UNKNOWN_DRIFT + drift:
            self.rate, self.drift = rate, drift
