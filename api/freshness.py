"""When a value is too old to be shown as live (promise P5)."""

from __future__ import annotations

INTERVALS = 3
"""A value is stale when this many of its intervals have passed: one late message and one lost do not make it so."""

LEAST_MS = 60_000
"""No value is stale sooner: a page, a queue and a slow network are on its way."""

UNKNOWN_MS = 15 * 60_000
"""For an instrument that never said its interval."""


def stale_after_ms(interval_ms: int) -> int:
    """The age above which a value is stale.

    Args:
        interval_ms: the time the value stands for, 0 when not known.
    """
    if interval_ms <= 0:
        return UNKNOWN_MS
    return max(INTERVALS * interval_ms, LEAST_MS)
