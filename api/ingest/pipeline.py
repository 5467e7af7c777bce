"""What a batch of messages means: decode, dedupe, route. Pure; the intake carries it out.

A message whose identity can be read is receipted whatever else is wrong with it, so it is never sent again and never
holds up what follows (promise P4); one that came before is receipted again and has no effect (P2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

import msgspec

from api.ingest.outcome import Fact, Incoming, Ledger, Outcome, PutAside, Row
from api.ingest.screening import screen, time_refusal
from broker.contract import codec
from broker.contract.errors import ContractError, Reason
from broker.contract.ids import MessageId
from broker.contract.messages import Clock, Envelope, Heartbeat, Press, Readings, Record, Status
from broker.contract.topics import HEARTBEAT, KINDS, READINGS, SENML, STATUS, Address, Direction, parse

FACTS = tuple(kind for kind in KINDS.values() if kind.receipted and kind is not READINGS)
"""Kinds that a city service turns into facts."""


_Enveloped = TypeVar("_Enveloped", bound=Envelope)


def sort(batch: Sequence[Incoming], ledger: Ledger) -> Outcome:
    """What is to be done about `batch`, given what was committed before; `ledger` is only read.

    The same batch with the same ledger gives the same outcome, so a commit that failed can be tried again.
    """
    outcome = Outcome()
    for place, message in enumerate(batch):
        try:
            address = _address(message.topic)
        except ContractError as error:
            outcome.aside.append(_nowhere(place, message, error))
        else:
            _ROUTES[address.kind.name](_Case(place, message, address, ledger, outcome))
    return outcome


def readings_of(topic: str, payload: bytes) -> tuple[Sequence[Record], Clock]:
    """The pack in a journal row and its clock word. Raises ContractError when it is none."""
    address = _address(topic)
    if address.kind is SENML:
        return codec.decode(SENML, payload), Clock.SYNCED
    message = codec.decode_as(Readings, READINGS, payload)
    return message.e, message.clock


class _Case(msgspec.Struct, frozen=True, gc=False):
    """One message of a batch on its way into the outcome."""

    place: int
    message: Incoming
    address: Address
    ledger: Ledger
    outcome: Outcome


def _readings(case: _Case) -> None:
    message = _enveloped(case, Readings)
    if message is not None:
        _pack(case, message.e, message.clock, MessageId(case.address.device, message.epoch, message.seq))


def _senml(case: _Case) -> None:
    """A third party's pack. It has no identity, and mostly times relative to now: what the broker repeats is void."""
    if case.message.retained:
        return
    try:
        records = codec.decode(SENML, case.message.payload)
    except ContractError as error:
        _put_aside(case, error, None)
    else:
        _pack(case, records, Clock.SYNCED, None)
    _contact(case)


def _pack(case: _Case, records: Sequence[Record], clock: Clock, identity: MessageId | None) -> None:
    good, refused = screen(records, clock, case.message.received_ms)
    if good:
        case.outcome.rows.append(Row(case.message.received_ms, case.message.topic, case.message.payload))
        case.outcome.readings += len(good)
        latest = case.outcome.of(case.address).latest
        for reading in good:
            name = reading[:2]
            held = latest.get(name)
            if held is None or held.at_ms <= reading.at_ms:
                latest[name] = reading
    if refused:
        for refusal in _one_a_reason(refused, len(records)):
            _put_aside(case, refusal, identity)


def _fact(case: _Case) -> None:
    message = _enveloped(case, Envelope)
    if message is None:
        return
    identity = MessageId(case.address.device, message.epoch, message.seq)
    try:
        placed = _placed(message, case.message.received_ms)
    except ContractError as error:
        _put_aside(case, error, identity)
        return
    fact = Fact(case.place, identity, case.address.site, case.address.kind.name, placed, case.message)
    case.outcome.facts.append(fact)


def _placed(message: Envelope, received_ms: int) -> Envelope:
    """The message with a time that can be used. Raises ContractError when a clock that is said to be right is not.

    An untrusted clock may be decades off (a device that starts in 1970 and has no network time). What it reports did
    happen, so it counts, and the time of receipt is the better estimate; its clock word goes on saying "untrusted".
    """
    if not isinstance(message, Press):
        return message
    why = time_refusal(message.at * 1000, received_ms)
    if why is None:
        return message
    if message.clock is Clock.UNTRUSTED:
        return msgspec.structs.replace(message, at=received_ms / 1000)
    raise why


def _status(case: _Case) -> None:
    _told(case, Status)


def _heartbeat(case: _Case) -> None:
    _told(case, Heartbeat)


def _told(case: _Case, shape: type[Status | Heartbeat]) -> None:
    """What a device says of itself. A retained copy is old news: it was judged when it came, and it is no contact."""
    try:
        told = codec.decode_as(shape, case.address.kind, case.message.payload)
    except ContractError as error:
        if not case.message.retained:
            _put_aside(case, error, None)
            _contact(case)
        return
    news = case.outcome.of(case.address)
    if isinstance(told, Status):
        news.statuses.append(told)
    else:
        news.heartbeat = told
    if not (isinstance(told, Status) and not told.online):  # a will says that it is gone
        _contact(case)


def _enveloped(case: _Case, shape: type[_Enveloped]) -> _Enveloped | None:
    """The message when it is good and new; its identity is owed a receipt whenever it can be read at all."""
    _contact(case)
    payload = case.message.payload
    try:
        message = codec.decode_as(shape, case.address.kind, payload)
    except ContractError as error:
        identity = codec.identity(payload)
        if identity is None:
            _put_aside(case, error, None)
        elif _new(case, identity.epoch, identity.seq):
            _put_aside(case, error, MessageId(case.address.device, identity.epoch, identity.seq))
        return None
    if not _new(case, message.epoch, message.seq):
        return None
    case.outcome.accepted[case.address.kind.name] += 1
    return message


def _new(case: _Case, epoch: str, seq: int) -> bool:
    stream = (case.address.device, epoch)
    outcome = case.outcome
    outcome.receipted[case.address.site, *stream].add(seq)
    known = case.ledger.received.get(stream)
    if (known is None or seq not in known) and outcome.fresh[stream].add(seq):
        return True
    outcome.duplicates[case.address.device] += 1
    return False


def _contact(case: _Case) -> None:
    """It is there: the broker's access table vouches for the device in the topic, whatever the payload is."""
    if not case.message.retained:
        news = case.outcome.of(case.address)
        news.contact_ms = max(news.contact_ms, case.message.received_ms)


def _put_aside(case: _Case, error: ContractError, identity: MessageId | None) -> None:
    address, message = case.address, case.message
    case.outcome.aside.append(
        PutAside(
            case.place, identity, address.site, address.device, address.kind.name, error.reason, error.detail, message
        )
    )


def _nowhere(place: int, message: Incoming, error: ContractError) -> PutAside:
    levels = [*message.topic.split("/"), "", "", ""]
    return PutAside(place, None, levels[1], levels[2], "", error.reason, error.detail, message)


def _one_a_reason(refused: Sequence[ContractError], size: int) -> list[ContractError]:
    """One entry for each reason, naming the first record, however many records are to blame."""
    by_reason: dict[str, list[ContractError]] = {}
    for refusal in refused:
        by_reason.setdefault(refusal.reason, []).append(refusal)
    return [
        ContractError(alike[0].reason, f"{len(alike)} of {size} records, first: {alike[0].detail}")
        for alike in by_reason.values()
    ]


@lru_cache(maxsize=65_536)
def _address(topic: str) -> Address:
    address = parse(topic)
    if address.kind.direction is not Direction.UP:
        raise ContractError(Reason.BAD_TOPIC, f"{topic!r} does not come from a device")
    return address


_ROUTES: dict[str, Callable[[_Case], None]] = {
    READINGS.name: _readings,
    SENML.name: _senml,
    STATUS.name: _status,
    HEARTBEAT.name: _heartbeat,
    **{kind.name: _fact for kind in FACTS},
}
