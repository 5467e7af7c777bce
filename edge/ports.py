"""What the agent's core needs of the world, and what a driver is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from broker.contract.seqset import Range
from edge.core.presses import Edge as Edge  # noqa: PLC0414 the port speaks of it, the pure core defines it


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
        config: a msgspec Struct, unknown fields refused, every field documented in its docstring. That of Buttons, and
            of them alone, has `lockout_ms` and `min_open_ms`, as `core.presses` takes them.
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
        """Nanoseconds that never step; comparable across processes within one boot."""
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
    """One outbox row: a whole encoded message.

    Attributes:
        seq, kind, payload: as they go out.
        keep: never evicted (presses).
        boot: the boot whose clock its times stand on; empty when they are an instrument's own.
        clock: as in its envelope.
    """

    seq: int
    kind: str
    keep: bool
    boot: str
    clock: str
    payload: bytes


class Numbers(NamedTuple):
    """What the outbox gives a message when it takes it.

    Attributes:
        epoch, seq: with the device, the message's identity.
        counted: how often the entry's `counter` has counted, this time included; 0 without one.
    """

    epoch: str
    seq: int
    counted: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What is put into the outbox: everything of a message but its numbers.

    Attributes:
        kind: a receipted kind's name.
        keep: never evicted (presses).
        at_ms: when it was accepted, for the age cap.
        boot, clock: as in Row.
        encode: numbers -> payload.
        counter: what counts up with it, in the same transaction (a button's name); empty for none.
    """

    kind: str
    keep: bool
    at_ms: int
    boot: str
    clock: str
    encode: Callable[[Numbers], bytes]
    counter: str = ""


class OutboxCounters(NamedTuple):
    """What the outbox says of itself in the heartbeat.

    Attributes:
        depth, bytes: messages owed, and what they take.
        oldest_ms: when the oldest of them was accepted, None when there is none.
        oldest_boot: the boot on whose clock, that nobody had vouched for, oldest_ms stands; empty for one that is sure.
        evicted: messages of readings dropped by the byte or age cap; each is a number that will never arrive.
        refused: messages of readings that the disk would not take; they never had a number.
        last_seq: the newest number given out.
    """

    depth: int
    bytes: int
    oldest_ms: int | None
    oldest_boot: str
    evicted: int
    refused: int
    last_seq: int


class BootClock(NamedTuple):
    """What is remembered of a boot's clock.

    Attributes:
        offset_ms: wall time minus monotonic time as it was estimated when the boot began.
        synchronised: the system clock has been synchronised in that boot.
    """

    offset_ms: int
    synchronised: bool


class OutboxFull(Exception):
    """The disk would not take it: readings are refused and counted; a press is kept in memory and tried again."""

    retryable = True


class Outbox(Protocol):
    """Messages that are owed to the server, on disk before anyone is told of them.

    A file found damaged is moved aside and a new one begun, so `epoch` may change at any call.
    """

    @property
    def epoch(self) -> str:
        """12 hex digits, made with the file."""
        ...

    @property
    def last_seq(self) -> int:
        """The newest number given out; 0 before any."""
        ...

    @property
    def depth(self) -> int:
        """How many messages are owed."""
        ...

    @property
    def wall_ms(self) -> int:
        """When the newest entry was accepted, 0 before any: it is not earlier than that now."""
        ...

    def append(
        self, entries: Sequence[Entry], *, positions: Iterable[tuple[str, str]] = (), forget: Sequence[Range] = ()
    ) -> list[Row]:
        """Number, encode and commit `entries`, recorders' `positions` and the rows to forget in one transaction.

        Returns:
            The rows of `entries`, in order; without any that the byte cap left no room for.

        Raises:
            OutboxFull: the disk would not take it; nothing of the call is stored then.
        """
        ...

    def refuse(self, messages: int) -> None:
        """Count readings that could not be written; on disk with the next commit that succeeds."""
        ...

    def position(self, recorder: str) -> str | None:
        """The stored position of a recorder."""
        ...

    def rows(self, seqs: Sequence[int]) -> list[Row]:
        """Those of the rows that are there, in order."""
        ...

    def after(self, seq: int, limit: int, *, keep: bool, without_boot: str = "") -> list[Row]:
        """The first `limit` rows numbered above `seq` that are or are not to keep, in order.

        Args:
            seq, limit: where to go on, and how far.
            keep: presses, or the rest.
            without_boot: leave out the rows stamped on this boot's clock while nobody vouched for it.
        """
        ...

    def forget(self, ranges: Sequence[Range]) -> int:
        """Delete the rows a receipt names; how many there were. Raises OutboxFull."""
        ...

    def expire(self, before_ms: int) -> int:
        """Drop the oldest readings accepted before that time, counted as evicted; how many. Raises OutboxFull.

        Those stamped on a clock that nobody vouched for stay: their age is not known.
        """
        ...

    def boot(self, boot: str) -> BootClock | None:
        """What is remembered of that boot's clock."""
        ...

    def remember_boot(self, boot: str, clock: BootClock) -> None:
        """Keep it, instead of what was remembered of that boot. Raises OutboxFull."""
        ...

    def counters(self) -> OutboxCounters:
        """Depth, size, age and what was given up. Raises OutboxFull when the disk cannot be read."""
        ...


class Publisher(Protocol):
    """The connection to the broker, as the agent sees it."""

    def tend(self) -> None:
        """See to it that the connection is still being made; called about once a second."""
        ...

    def publish(self, connection: int, kind: str, payload: bytes) -> bool:
        """Hand a message of that kind to the connection of that number, of which `Connected` told.

        Returns:
            False when that connection is gone or as much is on its way as it can hold; nothing was kept then.
        """
        ...
