"""RFC 8428 packs <-> readings."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from broker.contract.errors import ContractError, Reason
from broker.contract.ids import SENSOR
from broker.contract.messages import Record
from broker.contract.quantities import CONVERSIONS, QUANTITIES, Quantity

RELATIVE_BELOW_S = 2.0**28
"""A time below this is relative to now (RFC 8428 section 4.5.3)."""

MAIN = "main"
"""The sensor of a record whose name is a quantity alone."""

LONGEST_NAME = 96
"""Characters above which a name is not even looked at, so that a stranger's names cannot fill the memory."""

_NAME = re.compile(rf"(?:(?P<sensor>{SENSOR})/)?(?P<quantity>[a-z0-9_]{{1,32}})")


class Reading(NamedTuple):
    """One measured value, resolved.

    Attributes:
        sensor: which instrument of the device.
        quantity: a name in QUANTITIES.
        at_ms: milliseconds since 1970 UTC.
        value: in the quantity's unit.
        interval_ms: the time it stands for (SenML `ut`), 0 when not said.
    """

    sensor: str
    quantity: str
    at_ms: int
    value: float
    interval_ms: int = 0


class Refusal(NamedTuple):
    """One record that cannot be used, and why; `record` is its place in the pack, from 0."""

    record: int
    reason: Reason
    detail: str


def pack(readings: Sequence[Reading]) -> tuple[Record, ...]:
    """Readings as a SenML pack whose first record holds the base time. Raises ValueError when there are none."""
    if not readings:
        raise ValueError("an empty pack says nothing")
    base = min(reading.at_ms for reading in readings)
    return tuple(
        Record(
            bt=base / 1000 if index == 0 else None,
            n=f"{reading.sensor}/{reading.quantity}",
            u=QUANTITIES[reading.quantity].unit,
            v=reading.value,
            t=(reading.at_ms - base) / 1000 if reading.at_ms != base else None,
            ut=reading.interval_ms / 1000 if reading.interval_ms else None,
        )
        for index, reading in enumerate(readings)
    )


def shift(records: Iterable[Record], by_s: float) -> tuple[Record, ...]:
    """The same pack with every absolute time moved by `by_s` seconds (the repair of an unsynchronised clock)."""
    return tuple(
        Record(
            bn=r.bn,
            bt=r.bt + by_s if r.bt is not None else None,
            bu=r.bu,
            bv=r.bv,
            bver=r.bver,
            n=r.n,
            u=r.u,
            v=r.v,
            vs=r.vs,
            vb=r.vb,
            vd=r.vd,
            s=r.s,
            t=r.t,
            ut=r.ut,
        )
        for r in records
    )


def resolve(records: Iterable[Record], received_ms: int) -> Iterator[Reading | Refusal]:
    """Each record of a pack as a reading in our units, or as a refusal; one bad record spoils no other.

    Args:
        records: as decoded.
        received_ms: what a relative time is relative to.
    """
    base_name, base_time, base_unit, base_value = "", 0.0, None, 0.0
    for index, record in enumerate(records):
        if record.bn is not None:
            base_name = record.bn
        if record.bt is not None:
            base_time = record.bt
        if record.bu is not None:
            base_unit = record.bu
        if record.bv is not None:
            base_value = record.bv
        if _only_base(record):
            continue
        try:
            yield _reading(record, base_name, base_time, base_unit, base_value, received_ms)
        except ContractError as error:
            yield Refusal(index, error.reason, error.detail)


@lru_cache(maxsize=65_536)
def named(name: str) -> tuple[str, Quantity] | None:
    """The sensor and quantity that a SenML name stands for, None when it is none of the contract's."""
    match = _NAME.fullmatch(name)
    quantity = QUANTITIES.get(match["quantity"]) if match else None
    return None if match is None or quantity is None else (match["sensor"] or MAIN, quantity)


def _reading(
    record: Record, base_name: str, base_time: float, base_unit: str | None, base_value: float, received_ms: int
) -> Reading:
    name = base_name + (record.n or "")
    known = named(name) if len(name) <= LONGEST_NAME else None
    if known is None:
        raise ContractError(Reason.UNKNOWN_QUANTITY, f"{name[:80]!r} is no [sensor/]quantity of the contract")
    sensor, quantity = known
    if record.v is None:
        raise ContractError(Reason.NOT_A_NUMBER, f"{name}: a reading has a numeric v")
    value = record.v + base_value
    unit = record.u if record.u is not None else base_unit
    if unit is not None and unit != quantity.unit:
        conversion = CONVERSIONS.get((unit, quantity.unit))
        if conversion is None:
            raise ContractError(Reason.WRONG_UNIT, f"{name}: {unit[:16]!r} where {quantity.unit!r} is stored")
        value = value * conversion[0] + conversion[1]
    at_s = base_time + (record.t or 0.0)
    if not (math.isfinite(value) and math.isfinite(at_s * 1000)):
        raise ContractError(Reason.NOT_A_NUMBER, f"{name}: value and time are finite numbers")
    at_ms = round(at_s * 1000) + (received_ms if at_s < RELATIVE_BELOW_S else 0)
    interval_ms = round(record.ut * 1000) if record.ut is not None and 0 < record.ut < RELATIVE_BELOW_S else 0
    return Reading(sensor, quantity.name, at_ms, value, interval_ms)


def _only_base(record: Record) -> bool:
    return record.n is None and record.v is None and record.vs is None and record.vb is None and record.vd is None
