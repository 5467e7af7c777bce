"""The payloads, version 1, as they stand in JSON on the wire.

A field that is added later is optional and readers ignore fields they do not know; anything else is version 2.
Times are seconds since 1970 UTC with fraction, as in SenML.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from broker.contract.ids import BootId, Epoch, SensorName, Seq
from broker.contract.seqset import Range

VERSION = 1

ShortText = Annotated[str, Meta(max_length=200)]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]


class Clock(StrEnum):
    """What the device knew of the time when it stamped a message."""

    SYNCED = "synced"
    REPAIRED = "repaired"
    """Stamped on the monotonic clock and set right when the system clock was synchronised in the same boot."""
    UNTRUSTED = "untrusted"
    """The best estimate of a clock that was never synchronised in that boot."""


class Record(Struct, frozen=True, omit_defaults=True, gc=False):
    """One SenML record with the labels of RFC 8428 section 4."""

    bn: str | None = None
    bt: float | None = None
    bu: str | None = None
    bv: float | None = None
    bver: int | None = None
    n: str | None = None
    u: str | None = None
    v: float | None = None
    vs: str | None = None
    vb: bool | None = None
    vd: str | None = None
    s: float | None = None
    t: float | None = None
    ut: float | None = None


class Envelope(Struct, frozen=True, kw_only=True):
    """What every receipted message carries besides its body.

    Attributes:
        v: contract version.
        epoch, seq: with the topic's device, the message's identity.
        boot: the device's boot id, 8 to 32 hex digits.
        clock: how far its times can be trusted.
    """

    v: int
    epoch: Epoch
    seq: Seq
    boot: BootId
    clock: Clock


class Readings(Envelope, frozen=True, kw_only=True):
    """`up/readings`: one SenML pack of at most 1,000 records."""

    e: Annotated[tuple[Record, ...], Meta(min_length=1, max_length=1000)]


class Press(Envelope, frozen=True, kw_only=True):
    """`up/press`: one accepted press of one button.

    Attributes:
        button: its name in the site file.
        at: when the contact closed.
        count: presses of this button since the outbox was made, this one included.
        edges: contact edges seen in the press so far, a measure of bounce.
    """

    button: SensorName
    at: float
    count: Seq
    edges: Count = 1


class Sensor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of one driver in a heartbeat.

    Attributes:
        name: its name in the site file.
        driver: the driver's file name.
        simulated: its values are made up or replayed.
        error: why it cannot be read now, None while it can.
        since: when that began.
    """

    name: SensorName
    driver: ShortText
    simulated: bool = False
    error: ShortText | None = None
    since: float | None = None


class Status(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`up/status`, retained: the birth when the agent connects; with `online` false its last will.

    Attributes:
        session: made at each connection; a will whose session is not the last birth's is out of date.
        at: when the birth was written, by the device's clock.
        version: of the agent.
        config: SHA-256 of the site file, the first 12 hex digits.
    """

    v: int
    session: Epoch
    online: bool
    at: float
    boot: BootId
    version: ShortText
    config: ShortText
    sensors: tuple[Sensor, ...] = ()


class Heartbeat(Struct, frozen=True, kw_only=True):
    """`up/heartbeat`, retained: how the agent is.

    Attributes:
        at: the device's clock; clock says whether to believe it.
        uptime_s: since the agent started.
        interval_s: when the next one is due.
        epoch: of its outbox.
        last_seq: the newest number given out.
        outbox: messages waiting for a receipt.
        outbox_bytes: what they take on disk.
        oldest_s: age of the oldest of them, 0 when there is none.
        stuck: messages sent three times or more without a receipt.
        evicted: messages of readings dropped by the byte or age cap since the outbox was made; their numbers miss.
        refused: messages of readings that could not be written (disk full) since then; they never had a number.
        sensors: every driver's state.
    """

    v: int
    at: float
    clock: Clock
    boot: BootId
    uptime_s: Seconds
    interval_s: Seconds
    epoch: Epoch
    last_seq: Count
    outbox: Count
    outbox_bytes: Count
    oldest_s: Seconds
    stuck: Count
    evicted: Count
    refused: Count
    sensors: tuple[Sensor, ...] = ()


class Receipt(Struct, frozen=True, kw_only=True):
    """`down/receipt`: these numbers are committed, or put aside for good; the outbox may forget them."""

    v: int
    epoch: Epoch
    ranges: tuple[Range, ...]


class Value(Struct, frozen=True, kw_only=True):
    """One sensor's newest committed value of one quantity."""

    sensor: str
    quantity: str
    at: float
    value: float
    quality: int


class Latest(Struct, frozen=True, kw_only=True):
    """`state/latest`, retained: a device's newest committed values, all of them."""

    v: int
    values: tuple[Value, ...]


class DeviceState(Struct, frozen=True, kw_only=True):
    """`state/device`, retained: what the server knows of a device.

    Attributes:
        online: by birth and last will.
        contact: when anything of it last arrived, by the server's clock.
        heartbeat: its last one, None before the first.
        status: its last birth or will, None before the first.
        received: messages accepted in the present epoch.
        missing: numbers not yet received below the highest one received.
        duplicates: messages that came again.
        quarantined: messages put aside.
    """

    v: int
    online: bool
    contact: float
    heartbeat: Heartbeat | None
    status: Status | None
    received: Count
    missing: Count
    duplicates: Count
    quarantined: Count


Message = Readings | Press | Status | Heartbeat | Receipt | Latest | DeviceState | tuple[Record, ...]
