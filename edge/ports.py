"""What the agent's core needs of the world, and what a driver is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from broker.contract.seqset import Range


class SensorError(Exception):
    """An instrument cannot be read now: bus missing, checksum wrong, no answer. It is always tried again.

    Args:
        what: what failed and what to do about it, in one line; it is logged once and shown in the fleet page.
    """

    retryable = True


class Measurement(NamedTuple):
    """One value as an instrument gives it, in the contract's unit of its quantity."""

    quantity: str
    value: float


class Sensor(Protocol):
    """An instrument that says what it measures now."""

    def read(self) -> Sequence[Measurement]:
        """Measure once; may block for as long as the instrument takes. Raises SensorError."""
        ...

    def close(self) -> None:
        """Give the bus back. Never raises."""
        ...


class Recorded(NamedTuple):
    """One value with the time it was measured at, milliseconds since 1970 UTC, and the time it stands for."""

    quantity: str
    value: float
    at_ms: int
    interval_ms: int


class Page(NamedTuple):
    """What a recorder had after a position.

    Attributes:
        values: in time order, at most a few hundred; empty when there is nothing yet.
        position: where to go on; stored in the same transaction as the values, so a kill repeats nothing.
        again_s: ask again after this many seconds, 0 for at once.
    """

    values: Sequence[Recorded]
    position: str
    again_s: float


class Recorder(Protocol):
    """An instrument with a memory: a data logger, a station's log, a replayed file."""

    def since(self, position: str | None, now_ms: int) -> Page:
        """What it recorded after `position` (None: from its beginning). Raises SensorError."""
        ...

    def close(self) -> None:
        """Give the bus back. Never raises."""
        ...


class Edge(NamedTuple):
    """One change of a contact: when, in nanoseconds of the monotonic clock, and whether it closed."""

    at_ns: int
    closed: bool


class Buttons(Protocol):
    """Contacts that report their edges, raw and bouncing; what is a press is decided in `core.presses`."""

    def start(self, on_edge: Callable[[str, Edge], None]) -> None:
        """Report each edge of each button, by its name, from whatever thread. Raises SensorError."""
        ...

    def close(self) -> None:
        """Release the pins. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Driver:
    """What a file in `edge/drivers` must offer, as DRIVER; the file's name is the name in the site file.

    Attributes:
        summary: one line for the generated table.
        config: a msgspec Struct, unknown fields refused, every field documented in its docstring.
        open: the real thing. Raises SensorError when bus or device is missing.
        simulated: its twin, the same port over a simulated wire; `seed` makes it repeatable.
        measures: the quantities it gives; empty for buttons, and for a driver whose config names them.
        made_up: its values are not measured here and now even when it is "real" (replay, simulated).
    """

    summary: str
    config: type[Any]
    open: Callable[[Any], Sensor | Recorder | Buttons]
    simulated: Callable[[Any, int], Sensor | Recorder | Buttons]
    measures: tuple[str, ...]
    made_up: bool = False


class Clock(Protocol):
    """The time, and how far it can be trusted."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that never step; comparable across processes within one boot, counting suspend."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds since 1970 UTC as the system believes."""
        ...

    def synchronised(self) -> bool:
        """Whether the system says that its clock is disciplined (NTP, GPS, RTC by declaration)."""
        ...

    def boot(self) -> str:
        """The boot's id, 32 hex digits."""
        ...


class Row(NamedTuple):
    """One outbox row: a whole encoded message."""

    seq: int
    kind: str
    boot: str
    clock: str
    payload: bytes


class OutboxCounters(NamedTuple):
    """What the outbox says of itself in the heartbeat."""

    depth: int
    bytes: int
    oldest_ms: int | None
    evicted: int
    refused: int
    last_seq: int


class OutboxFull(Exception):
    """The disk would not take it: readings are refused and counted; a press is kept in memory and tried again."""

    retryable = True


class Outbox(Protocol):
    """Messages that are owed to the server, on disk before anyone is told of them."""

    @property
    def epoch(self) -> str:
        """12 hex digits, made with the file."""
        ...

    def append(self, entries: Sequence[Entry], positions: Iterable[tuple[str, str]] = ()) -> list[Row]:
        """Number, encode and commit `entries` and recorders' `positions` in one transaction.

        Raises OutboxFull when the disk is full; nothing of the call is stored then.
        """
        ...

    def position(self, recorder: str) -> str | None:
        """The stored position of a recorder."""
        ...

    def after(self, seq: int, limit: int) -> list[Row]:
        """The first `limit` rows numbered above `seq`, in order."""
        ...

    def forget(self, ranges: Sequence[Range]) -> int:
        """Delete the rows a receipt names; how many there were."""
        ...

    def counters(self) -> OutboxCounters:
        """Depth, size, age and what was given up."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What is put into the outbox: everything of a message but its number.

    Attributes:
        kind: a receipted kind's name.
        keep: never evicted (presses).
        at_ms: when it was accepted, for the age cap.
        boot, clock: as in the envelope.
        encode: (epoch, seq) -> payload.
    """

    kind: str
    keep: bool
    at_ms: int
    boot: str
    clock: str
    encode: Callable[[str, int], bytes]


class Publisher(Protocol):
    """The connection to the broker, as the agent sees it."""

    def publish(self, kind: str, payload: bytes) -> bool:
        """Hand a message of that kind to the connection; False when there is none or its window is full."""
        ...
