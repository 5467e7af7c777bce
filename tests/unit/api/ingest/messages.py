"""Messages for the tests of ingest, as a device would send them."""

from __future__ import annotations

from typing import Any

import msgspec

from api.ingest.outcome import Incoming
from broker.contract import codec, senml
from broker.contract.messages import Clock, Heartbeat, Press, Readings, Record, Status
from broker.contract.senml import Reading
from broker.contract.topics import HEARTBEAT, PRESS, READINGS, SENML, STATUS, Kind, topic

NOW_MS = 1_790_000_000_000
EPOCH = "0123456789ab"
BOOT = "89abcdef"
SITE, DEVICE = "rsud", "roof"


def at(kind: Kind, payload: bytes, *, device: str = DEVICE, retained: bool = False, now_ms: int = NOW_MS) -> Incoming:
    """`payload` as it arrives from a device."""
    return Incoming(topic(SITE, device, kind), payload, now_ms, retained)


def readings(
    seq: int, *measured: Reading, device: str = DEVICE, epoch: str = EPOCH, clock: Clock = Clock.SYNCED, **options: Any
) -> Incoming:
    """An envelope with readings; one of PM2.5 when none is given."""
    pack = senml.pack(measured or (Reading("sds", "pm2_5", NOW_MS - 1000 * (1000 - seq % 1000), float(seq % 100)),))
    return envelope(seq, pack, device=device, epoch=epoch, clock=clock, **options)


def envelope(
    seq: int,
    pack: tuple[Record, ...],
    *,
    device: str = DEVICE,
    epoch: str = EPOCH,
    clock: Clock = Clock.SYNCED,
    **options: Any,
) -> Incoming:
    """An envelope with whatever pack."""
    message = Readings(v=1, epoch=epoch, seq=seq, boot=BOOT, clock=clock, e=pack)
    return at(READINGS, codec.encode(message), device=device, **options)


def press(
    seq: int,
    *,
    device: str = DEVICE,
    epoch: str = EPOCH,
    at_ms: int = NOW_MS,
    clock: Clock = Clock.SYNCED,
    button: str = "a",
    **options: Any,
) -> Incoming:
    """A press."""
    message = Press(v=1, epoch=epoch, seq=seq, boot=BOOT, clock=clock, button=button, at=at_ms / 1000, count=seq)
    return at(PRESS, codec.encode(message), device=device, **options)


def bare(*records: Record, **options: Any) -> Incoming:
    """A third party's pack."""
    return at(SENML, codec.encode(records), **options)


def birth(session: str, **options: Any) -> Incoming:
    """An agent connects."""
    return _status(session, online=True, **options)


def will(session: str, **options: Any) -> Incoming:
    """An agent's connection was lost."""
    return _status(session, online=False, **options)


def heartbeat(**options: Any) -> Incoming:
    """An agent is well."""
    return at(HEARTBEAT, codec.encode(well()), **options)


def well() -> Heartbeat:
    """What a healthy agent says of itself."""
    return Heartbeat(
        v=1,
        at=NOW_MS / 1000,
        clock=Clock.SYNCED,
        boot=BOOT,
        uptime_s=60,
        interval_s=30,
        epoch=EPOCH,
        last_seq=1,
        outbox=0,
        outbox_bytes=0,
        oldest_s=0,
        stuck=0,
        evicted=0,
        refused=0,
    )


def altered(message: Incoming, **fields: Any) -> Incoming:
    """The message with fields of its JSON changed, or left out where the value is None."""
    content = msgspec.json.decode(message.payload) | fields
    payload = msgspec.json.encode({name: value for name, value in content.items() if value is not None})
    return message._replace(payload=payload)


def _status(session: str, *, online: bool, **options: Any) -> Incoming:
    message = Status(
        v=1, session=session, online=online, at=NOW_MS / 1000, boot=BOOT, version="0.1.0", config="abcdef012345"
    )
    return at(STATUS, codec.encode(message), **options)
