"""Bytes to and from a panel: the port, and a pair in memory whose cable can be bad."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class TransportError(Exception):
    """The line cannot be opened, or was lost; its text says what to do. It is always tried again."""

    retryable = True


class Transport(Protocol):
    """One open line."""

    def read(self, timeout_s: float) -> bytes:
        """What came, at once when something is there; empty after `timeout_s` without. Raises TransportError."""
        ...

    def write(self, data: bytes) -> None:
        """Put bytes on the line, in order. Raises TransportError."""
        ...

    def close(self) -> None:
        """Give the line back. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Cable:
    """How bad a cable is.

    Attributes:
        drop, flip: share of bytes that vanish, or have one bit turned, 0 to 1.
        split: bytes of the longest piece that arrives at once; 0 for whole writes.
        delay_s: the longest that a piece is on its way; the order is kept.
    """

    drop: float = 0.0
    flip: float = 0.0
    split: int = 0
    delay_s: float = 0.0


class _Wire:
    """One direction."""

    def __init__(self, cable: Cable, rng: random.Random, now_ns: Callable[[], int]) -> None:
        self._cable, self._rng, self._now_ns = cable, rng, now_ns
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._moved = threading.Condition()
        self._cut = False

    def put(self, data: bytes) -> None:
        with self._moved:
            self._check()
            worn = bytes(self._wear(byte) for byte in data if self._rng.random() >= self._cable.drop)
            while worn:
                size = self._rng.randint(1, self._cable.split) if self._cable.split else len(worn)
                due_ns = self._now_ns() + round(self._rng.random() * self._cable.delay_s * 1e9)
                due_ns = max(due_ns, self._pieces[-1][0]) if self._pieces else due_ns
                self._pieces.append((due_ns, worn[:size]))
                worn = worn[size:]
            self._moved.notify_all()

    def take(self, timeout_s: float) -> bytes:
        until_s = time.monotonic() + timeout_s
        with self._moved:
            while True:
                self._check()
                now_ns = self._now_ns()
                data = b""
                while self._pieces and self._pieces[0][0] <= now_ns:
                    data += self._pieces.popleft()[1]
                left_s = until_s - time.monotonic()
                if data or left_s <= 0:
                    return data
                due_s = (self._pieces[0][0] - now_ns) / 1e9 if self._pieces else left_s
                self._moved.wait(min(left_s, due_s))

    def cut(self) -> None:
        with self._moved:
            self._cut = True
            self._moved.notify_all()

    def _check(self) -> None:
        if self._cut:
            raise TransportError("the cable is cut: plug it in")

    def _wear(self, byte: int) -> int:
        return byte ^ 1 << self._rng.randrange(8) if self._rng.random() < self._cable.flip else byte


class MemoryTransport:
    """One end of a cable in memory; usable from several threads."""

    def __init__(self, outward: _Wire, inward: _Wire) -> None:
        """Hold both directions."""
        self._outward, self._inward = outward, inward

    def read(self, timeout_s: float) -> bytes:
        return self._inward.take(timeout_s)

    def write(self, data: bytes) -> None:
        self._outward.put(data)

    def close(self) -> None:
        """Cut the cable, for both ends."""
        self._outward.cut()
        self._inward.cut()


def pair(
    cable: Cable | None = None, *, seed: int = 0, now_ns: Callable[[], int] = time.monotonic_ns
) -> tuple[MemoryTransport, MemoryTransport]:
    """Two ends of one cable, which is bad in the same way for the same `seed` and writes.

    Args:
        cable: how bad it is; a good one when None.
        seed: of its faults.
        now_ns: the clock by which pieces are delayed.
    """
    rng = random.Random(seed)  # noqa: S311 a bad cable is no secret
    one, other = (_Wire(cable or Cable(), random.Random(rng.random()), now_ns) for _ in range(2))  # noqa: S311 as above
    return MemoryTransport(one, other), MemoryTransport(other, one)
