"""Bytes in, messages and faults out; whatever the bytes, the first good frame behind a delimiter is found."""

from __future__ import annotations

from typing import NamedTuple

from firmware_bridge.wire.fields import BadMessage, Message
from firmware_bridge.wire.frame import MAX_CODED, BadFrame, Frame
from firmware_bridge.wire.messages import message_of


class Received(NamedTuple):
    """A good frame: its message, and its sequence number."""

    message: Message
    seq: int


class Fault(NamedTuple):
    """Bytes that were discarded.

    Attributes:
        why: "cobs", "length", "crc", "overrun" (no delimiter in time), "message" (unknown kind, wrong length or
            field) or "address" (for another panel).
        size: how many bytes, up to the longest frame.
    """

    why: str
    size: int


class Receiver:
    """Holds at most one frame's bytes, however many come."""

    def __init__(self, address: int = 0) -> None:
        """Begin anywhere in a stream; `address` is the panel's, 0 on a line with one."""
        self._address = address
        self._pending = bytearray()
        self._overrun = False
        self.good = 0
        self.faults: dict[str, int] = {}

    def feed(self, data: bytes) -> list[Received | Fault]:
        """What `data` completes, in order; at most one for each 0x00 in it."""
        *complete, rest = data.split(b"\0")
        found = [result for piece in complete if (result := self._end(piece)) is not None]
        self._collect(rest)
        return found

    @property
    def pending(self) -> int:
        """Bytes of a frame that has not ended, 71 at most."""
        return len(self._pending)

    def _collect(self, piece: bytes) -> None:
        room = MAX_CODED - len(self._pending)
        self._overrun = self._overrun or len(piece) > room
        self._pending += piece[:room]

    def _end(self, piece: bytes) -> Received | Fault | None:
        self._collect(piece)
        coded, overrun = bytes(self._pending), self._overrun
        self._pending.clear()
        self._overrun = False
        if overrun:
            return self._fault("overrun", coded)
        return self._read(coded) if coded else None

    def _read(self, coded: bytes) -> Received | Fault:
        try:
            frame = Frame.from_bytes(coded)
            if frame.address != self._address:
                return self._fault("address", coded)
            message = message_of(frame)
        except BadFrame as error:
            return self._fault(error.why, coded)
        except BadMessage:
            return self._fault("message", coded)
        self.good += 1
        return Received(message, frame.seq)

    def _fault(self, why: str, coded: bytes) -> Fault:
        self.faults[why] = self.faults.get(why, 0) + 1
        return Fault(why, len(coded))
