"""Measurements -> messages: what is measured within a moment travels in one SenML pack and is one commit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import structs

from broker.contract import codec, senml
from broker.contract.errors import ContractError
from broker.contract.messages import VERSION, Clock, Press, Readings
from broker.contract.quantities import QUANTITIES
from broker.contract.senml import Reading
from broker.contract.topics import PRESS, READINGS
from edge.core.clock import Timeline

MOST = 250
"""Readings of one message: at the longest names and numbers they are 45 kB of the 64 that the contract takes."""


class Stamp(NamedTuple):
    """What an envelope says besides its body."""

    epoch: str
    seq: int
    boot: str
    clock: Clock


def fault(quantity: str, value: float) -> str:
    """Why a value cannot be a reading, for the driver's author; empty when it can."""
    if quantity not in QUANTITIES:
        return f"the driver gives {quantity[:40]!r}, which is no quantity of the contract"
    return "" if math.isfinite(value) else f"{quantity} is not a number"


def packets(readings: Iterable[Reading]) -> list[tuple[Reading, ...]]:
    """Readings in order, in portions that fit into one message each."""
    every = tuple(readings)
    return [every[at : at + MOST] for at in range(0, len(every), MOST)]


def readings_payload(stamp: Stamp, readings: Sequence[Reading]) -> bytes:
    """An `up/readings` message."""
    return codec.encode(
        Readings(
            v=VERSION, epoch=stamp.epoch, seq=stamp.seq, boot=stamp.boot, clock=stamp.clock, e=senml.pack(readings)
        )
    )


def press_payload(stamp: Stamp, *, button: str, at_ms: int, count: int) -> bytes:
    """An `up/press` message, made at the press's first edge."""
    return codec.encode(
        Press(
            v=VERSION,
            epoch=stamp.epoch,
            seq=stamp.seq,
            boot=stamp.boot,
            clock=stamp.clock,
            button=button,
            at=at_ms / 1000,
            count=count,
        )
    )


def repaired(kind: str, payload: bytes, by_ms: int) -> bytes:
    """A message with every time moved, and that said; a payload that cannot be read goes as it is."""
    by_s = by_ms / 1000
    try:
        if kind == PRESS.name:
            press = codec.decode_as(Press, PRESS, payload)
            return codec.encode(structs.replace(press, at=press.at + by_s, clock=Clock.REPAIRED))
        readings = codec.decode_as(Readings, READINGS, payload)
    except ContractError:
        return payload
    return codec.encode(structs.replace(readings, e=senml.shift(readings.e, by_s), clock=Clock.REPAIRED))


class _Sample(NamedTuple):
    sensor: str
    at_ns: int
    interval_ms: int
    quantity: str
    value: float


class Batch:
    """Readings that wait to be committed together; SD cards wear out by commits, not by bytes."""

    __slots__ = ("_first_ns", "_longest_ns", "_samples")

    def __init__(self, commit_s: float) -> None:
        """Begin empty.

        Args:
            commit_s: the longest a reading waits in memory, in seconds; a kill loses that much.
        """
        self._longest_ns = round(commit_s * 1e9)
        self._first_ns = 0
        self._samples: list[_Sample] = []

    def add(self, sensor: str, at_ns: int, interval_ms: int, values: Iterable[tuple[str, float]], now_ns: int) -> None:
        """Take values as the instrument gave them.

        Args:
            sensor, at_ns, interval_ms: whose, when on the monotonic clock, and the time they stand for.
            values: (quantity, value), each without `fault`.
            now_ns: monotonic.
        """
        if not self._samples:
            self._first_ns = now_ns
        self._samples += [_Sample(sensor, at_ns, interval_ms, quantity, value) for quantity, value in values]

    def due_ns(self) -> int | None:
        """When the batch is to be taken, monotonic; 0 for at once because it is full, None when it is empty."""
        if not self._samples:
            return None
        return 0 if len(self._samples) >= MOST else self._first_ns + self._longest_ns

    def take(self, timeline: Timeline) -> list[tuple[Reading, ...]]:
        """Everything that waited, stamped as late as can be, in portions of one message each."""
        taken, self._samples = self._samples, []
        return packets(
            Reading(sample.sensor, sample.quantity, timeline.at_ms(sample.at_ns), sample.value, sample.interval_ms)
            for sample in taken
        )
