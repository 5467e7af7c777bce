"""When a bouncing contact counts as pressed: one press is one number, at once, however it bounces."""

from __future__ import annotations

from typing import NamedTuple

MS = 1_000_000
"""Nanoseconds of a millisecond."""

LOCKOUT_MS = 80
"""Nobody presses one button twelve times a second."""

MIN_OPEN_MS = 20
"""Contacts bounce for less (typically under 10 ms); a finger that lifts takes longer (over 30 ms)."""


class Edge(NamedTuple):
    """One change of a contact: when, in nanoseconds of the monotonic clock, and whether it closed."""

    at_ns: int
    closed: bool


class Debouncer:
    """One contact's edges -> its presses.

    The rule. A closing edge is a press when, before it,

    1. the contact has rested open for `min_open_ms` without a break, and
    2. the last press is `lockout_ms` ago or longer.

    Nothing else is a press and no timer is involved, so a press is known at its first closing edge, with no latency.
    How long the contact stays closed plays no part, so a press shorter than its own bounce hides nothing: N presses
    that begin `lockout_ms` apart, are `min_open_ms` of rest apart, and bounce with no open gap as long as that, are
    exactly N.

    What the kernel's event queue does to edges when it overflows:

    - An edge that comes twice changes nothing.
    - Two closings in a row: the opening between them is lost. The second one is a press when `min_open_ms` have passed
      since the last edge, for the contact can have rested that long: rather one press too many than one swallowed.
    - Two openings in a row: the closing between them is lost, or was too short for the processor to see closed. No
      press is made of that; the rest counts from the first opening, so the press's next closing still counts.
    - So a press is lost only when its own first closing and the last opening before it are both lost.
    - An edge older than its predecessor is taken to have come at the same time as it.

    An opening as the very first edge belongs to a press from before the start: none.

    A contact that chatters without end is one press as long as no gap reaches `min_open_ms`, and else at most one press
    every `lockout_ms`; memory is constant either way.
    """

    __slots__ = ("_closed", "_edges", "_last_ns", "_lockout_ns", "_min_open_ns", "_press_ns", "_rest_ns")

    def __init__(self, *, lockout_ms: int = LOCKOUT_MS, min_open_ms: int = MIN_OPEN_MS) -> None:
        """Begin with an open contact at rest.

        Args:
            lockout_ms: least time between the beginnings of two presses, 0 or more.
            min_open_ms: rest that ends a press, more than the contact's longest bounce gap, 0 or more.
        """
        self._lockout_ns = lockout_ms * MS
        self._min_open_ns = min_open_ms * MS
        self._closed = False
        self._last_ns: int | None = None
        self._rest_ns: int | None = None
        self._press_ns: int | None = None
        self._edges = 0

    def edge(self, edge: Edge) -> int | None:
        """The press that begins with `edge`, as its time in nanoseconds; None when `edge` begins none."""
        at_ns = edge.at_ns if self._last_ns is None else max(edge.at_ns, self._last_ns)
        press = edge.closed and self._rested(at_ns) and self._unlocked(at_ns)
        if not edge.closed and (self._closed or self._last_ns is None):
            self._rest_ns = at_ns
        self._closed, self._last_ns = edge.closed, at_ns
        if press:
            self._press_ns, self._edges = at_ns, 1
            return at_ns
        self._edges += 1 if self._press_ns is not None else 0
        return None

    @property
    def edges(self) -> int:
        """Edges seen since the last press began, its first closing included: a measure of wear; 0 before any."""
        return self._edges

    def _rested(self, at_ns: int) -> bool:
        since_ns = self._last_ns if self._closed else self._rest_ns
        return since_ns is None or at_ns - since_ns >= self._min_open_ns

    def _unlocked(self, at_ns: int) -> bool:
        return self._press_ns is None or at_ns - self._press_ns >= self._lockout_ns
