"""Which readings of a pack are good, and with which flag: pure, so that ingest and forwarder can never disagree.

The answer depends on the payload, its clock word and the time of receipt alone, and all three stand in the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from broker.contract.errors import ContractError, Reason
from broker.contract.messages import Clock, Record
from broker.contract.quantities import QUANTITIES
from broker.contract.senml import RELATIVE_BELOW_S, Reading, Refusal, resolve
from broker.contract.series import Quality

EARLIEST_MS = 1_577_836_800_000
"""2020-01-01: no clock that is older has ever been set."""

AHEAD_MS = 600_000
"""How far a device's clock may be ahead of the server's."""

_EARLIEST_S = EARLIEST_MS / 1000


class Screened(NamedTuple):
    """A good reading with its quality flag; the other fields as in senml.Reading."""

    sensor: str
    quantity: str
    at_ms: int
    value: float
    interval_ms: int
    quality: Quality


def screen(records: Sequence[Record], clock: Clock, received_ms: int) -> tuple[list[Screened], list[ContractError]]:
    """The good readings of a pack, flagged, and why the others are none.

    Args:
        records: the pack as decoded.
        clock: what the device knew of the time; bare SenML counts as synced.
        received_ms: when it arrived, by the server's clock.
    """
    unjudged = Quality.SUSPECT if clock is Clock.UNTRUSTED else Quality.NOT_EVALUATED
    plain = _plain(records, unjudged, received_ms)
    if plain is not None:
        return plain, []
    good: list[Screened] = []
    refused: list[ContractError] = []
    for result in resolve(records, received_ms):
        if isinstance(result, Refusal):
            refused.append(ContractError(result.reason, result.detail))
        elif why := time_refusal(result.at_ms, received_ms):
            refused.append(ContractError(why.reason, f"{result.sensor}/{result.quantity}: {why.detail}"))
        else:
            _remember(result)
            good.append(_flagged(result, unjudged))
    return good, refused


def time_refusal(at_ms: float, received_ms: int) -> ContractError | None:
    """Why a time cannot be used, None when it can."""
    if at_ms < EARLIEST_MS:
        detail = f"{at_ms / 1000:.3f} s is before 2020-01-01: the device's clock was not set"
        return ContractError(Reason.TIME_PAST, detail)
    if at_ms > received_ms + AHEAD_MS:
        detail = f"{at_ms / 1000:.3f} s is {(at_ms - received_ms) / 1000:.0f} s ahead of the server's clock"
        return ContractError(Reason.TIME_FUTURE, detail)
    return None


def _flagged(reading: Reading, unjudged: Quality) -> Screened:
    limits = QUANTITIES[reading.quantity]
    plausible = limits.low <= reading.value <= limits.high
    return Screened(*reading, quality=unjudged if plausible else Quality.FAIL)


def _plain(records: Sequence[Record], quality: Quality, received_ms: int) -> list[Screened] | None:
    """The answer for a pack in which nothing is out of the ordinary, else None: the fast way, the same result.

    Ordinary is what our agents send: whole names seen before, stored units, absolute times in the window, plausible
    values. The loop runs for every reading of the city twice, so it is written for speed.
    """
    latest_s = (received_ms + AHEAD_MS - 1) / 1000
    base_s, span_s, interval_ms = 0.0, None, 0
    good: list[Screened] = []
    append, new, seen = good.append, tuple.__new__, _seen.get
    for record in records:
        if record.bt is not None:
            base_s = record.bt
        name, value, offset_s, unit = record.n, record.v, record.t, record.u
        known = seen(name) if name is not None else None
        if known is None or value is None or record.bn or record.bu is not None or record.bv is not None:
            return None
        sensor, quantity, stored_unit, low, high = known
        at_s = base_s if offset_s is None else base_s + offset_s
        if not (low <= value <= high and _EARLIEST_S <= at_s <= latest_s and (unit == stored_unit or unit is None)):
            return None
        if record.ut != span_s:
            span_s = record.ut
            interval_ms = round(span_s * 1000) if span_s is not None and 0 < span_s < RELATIVE_BELOW_S else 0
        append(new(Screened, (sensor, quantity, round(at_s * 1000), value, interval_ms, quality)))
    return good


_seen: dict[str, tuple[str, str, str, float, float]] = {}
"""Names met before -> sensor, quantity, its unit and plausible range; a memory of `named`, which is what decides."""

_SEEN_AT_MOST = 65_536


def _remember(reading: Reading) -> None:
    if len(_seen) < _SEEN_AT_MOST:
        limits = QUANTITIES[reading.quantity]
        known = (reading.sensor, reading.quantity, limits.unit, limits.low, limits.high)
        _seen[f"{reading.sensor}/{reading.quantity}"] = known
