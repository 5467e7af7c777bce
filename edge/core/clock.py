"""What time it is, and how far that can be trusted, on a machine that may have no clock of its own."""

from __future__ import annotations

from broker.contract.messages import Clock

MS = 1_000_000
"""Nanoseconds of a millisecond."""


def estimated_offset_ms(*, monotonic_ns: int, wall_ms: int, not_before_ms: int) -> int:
    """Wall time minus monotonic time of a boot whose clock nobody vouches for.

    Args:
        monotonic_ns, wall_ms: both clocks now.
        not_before_ms: a time known to have passed (the newest message in the outbox, the site file's own age), so that
            times never run back from boot to boot.
    """
    return max(wall_ms, not_before_ms) - monotonic_ns // MS


class Timeline:
    """One boot's monotonic clock -> the time of day.

    Until the system clock is synchronised, every time stands on the boot's one estimate. From then on it follows the
    system clock, and a time given out before can be put right by `repair_ms`. What was synchronised once in a boot
    counts as synchronised until that boot ends: the crystal of a Raspberry Pi drifts by a few seconds a day.
    """

    __slots__ = ("_estimate_ms", "_offset_ms", "_patience_ends_ns", "trusted")

    def __init__(self, *, estimate_ms: int, trusted: bool, patience_ends_ns: int) -> None:
        """Begin on the estimate.

        Args:
            estimate_ms: the boot's estimated offset; the same for every start of the agent in that boot.
            trusted: the clock has been synchronised in this boot before; `observe` then gives the true offset.
            patience_ends_ns: monotonic time until which readings wait for the clock to be synchronised.
        """
        self._estimate_ms = estimate_ms
        self._offset_ms = estimate_ms
        self._patience_ends_ns = patience_ends_ns
        self.trusted = trusted

    def observe(self, *, monotonic_ns: int, wall_ms: int, synchronised: bool) -> bool:
        """Take note of both clocks; True when this is the moment the time became trustworthy."""
        became = synchronised and not self.trusted
        self.trusted = self.trusted or synchronised
        if self.trusted:
            self._offset_ms = wall_ms - monotonic_ns // MS
        return became

    def at_ms(self, monotonic_ns: int) -> int:
        """A monotonic time as milliseconds since 1970 UTC."""
        return monotonic_ns // MS + self._offset_ms

    @property
    def clock(self) -> Clock:
        """What a message stamped now says of its times."""
        return Clock.SYNCED if self.trusted else Clock.UNTRUSTED

    def waiting(self, now_ns: int) -> bool:
        """Whether readings stamped on the estimate are still held back, for they may soon be put right."""
        return not self.trusted and now_ns < self._patience_ends_ns

    @property
    def repair_ms(self) -> int | None:
        """What to add to a time that was given out on this boot's estimate; None while nobody knows."""
        return self._offset_ms - self._estimate_ms if self.trusted else None
