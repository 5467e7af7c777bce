"""Sending again what is not acknowledged: waits that double, and commands one at a time."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from firmware_bridge.wire.fields import Message
from firmware_bridge.wire.messages import frame_of

MS = 1_000_000
FIRST_NS = 200 * MS
"""A frame and its answer take about 15 ms; a busy host takes longer."""

DOUBLINGS = 3
"""So the longest wait is 1600 ms."""

TRIES = 10
"""Sendings of one thing before the link is taken for lost, 12.6 s after the first."""

WAITING = 16
"""Commands that wait for their turn, the one on its way included."""


class Full(Exception):
    """16 commands wait already; send it again when one of them is done."""

    retryable = True


class Backoff:
    """When something is due to be sent again."""

    def __init__(self) -> None:
        """Nothing is due."""
        self.due_ns: int | None = None
        self.tries = 0

    def sent(self, now_ns: int) -> None:
        """It was sent, the first time or again."""
        self.due_ns = now_ns + (FIRST_NS << min(self.tries, DOUBLINGS))
        self.tries += 1

    def reset(self) -> None:
        """It arrived, or is given up."""
        self.due_ns, self.tries = None, 0

    def due(self, now_ns: int) -> bool:
        return self.due_ns is not None and now_ns >= self.due_ns

    @property
    def spent(self) -> bool:
        """It was sent as often as it may be."""
        return self.tries >= TRIES


class _Waiting(NamedTuple):
    ticket: int
    command: Message


class Commands:
    """The commands of one session: stop and wait."""

    def __init__(self, address: int) -> None:
        """None wait."""
        self._address = address
        self._waiting: deque[_Waiting] = deque()
        self._tickets = 0
        self._seq = 1
        self._backoff = Backoff()

    def add(self, command: Message) -> int:
        """Let it wait for its turn; its ticket. Raises BadMessage, and Full."""
        if not command.NUMBERED or command.KIND < 0x51:
            raise TypeError(f"{type(command).__name__} is no command")
        command.to_bytes()
        if len(self._waiting) >= WAITING:
            raise Full(f"{WAITING} commands wait for the panel")
        self._tickets += 1
        self._waiting.append(_Waiting(self._tickets, command))
        return self._tickets

    def restart(self) -> list[int]:
        """A new session: the tickets of what is dropped."""
        dropped = [waiting.ticket for waiting in self._waiting]
        self._waiting.clear()
        self._backoff.reset()
        self._seq = 1
        return dropped

    def pause(self) -> None:
        """The link is lost: what was on its way goes first when it is back."""
        self._backoff.reset()

    def acknowledged(self, seq: int) -> int | None:
        """The ticket of the command that is carried out thereby."""
        if not self._waiting or seq != self._seq or self._backoff.due_ns is None:
            return None
        self._seq = (self._seq + 1) & 0xFFFF
        self._backoff.reset()
        return self._waiting.popleft().ticket

    def to_send(self, now_ns: int) -> bytes:
        """The frame that is due now, or nothing."""
        if not self._waiting or not (self._backoff.due_ns is None or self._backoff.due(now_ns)):
            return b""
        self._backoff.sent(now_ns)
        return frame_of(self._waiting[0].command, seq=self._seq, address=self._address)

    def failed(self, now_ns: int) -> bool:
        """Whether the last sending of a command stayed without an answer."""
        return self._backoff.spent and self._backoff.due(now_ns)
