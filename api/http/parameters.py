"""The query parameters that resources share: each with its limits, checked before anything is asked of a store."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from fastapi import Query
from pydantic import BeforeValidator, WithJsonSchema

from api.errors import invalid
from broker.contract.errors import Reason
from broker.contract.ids import NAME, SENSOR
from broker.contract.quantities import QUANTITIES

MAX_LIMIT = 10_000

EARLIEST = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
LATEST = datetime.fromisoformat("2100-01-01T00:00:00+00:00")
"""Times that can be asked for: first included, last not."""

_LARGEST = 2**63 - 1
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NAME = re.compile(NAME)

Quantity = StrEnum("Quantity", {name.upper(): name for name in QUANTITIES})  # type: ignore[misc]  # made from the table


def parse_time(text: Any) -> int:
    """Milliseconds since 1970 of an RFC 3339 time with a zone; ValueError otherwise.

    A `+` that arrived as a space, as it does from a URL where it was not written as %2B, is understood.
    """
    text = re.sub(r" (?=\d\d:\d\d$)", "+", text) if isinstance(text, str) else ""
    if _TIME.fullmatch(text) is None:
        raise ValueError("an RFC 3339 time with its zone is wanted, such as 2026-01-31T07:00:00%2B07:00")
    try:
        at = datetime.fromisoformat(text.upper())
        known = EARLIEST <= at < LATEST
    except (ValueError, OverflowError):
        known = False
    if not known:
        raise ValueError("a real time between the years 2000 and 2100 is wanted")
    return round(at.timestamp() * 1000)


_Time = Annotated[int, BeforeValidator(parse_time), WithJsonSchema({"type": "string", "format": "date-time"})]

SiteQuery = Annotated[
    str | None, Query(pattern=rf"^{NAME}$", max_length=48, description="Only of this site.", examples=["aotizhongxin"])
]
DeviceQuery = Annotated[
    str | None, Query(pattern=rf"^{NAME}$", max_length=48, description="Only of this device.", examples=["station-1"])
]
ButtonQuery = Annotated[
    str | None, Query(pattern=rf"^{SENSOR}$", max_length=48, description="Only of this button.", examples=["ticket"])
]
QuantityQuery = Annotated[
    Quantity | None, Query(description="Only this quantity; GET /quantities lists them.", examples=["pm2_5"])
]
ReasonQuery = Annotated[Reason | None, Query(description="Only for this reason.", examples=["not_a_number"])]
FromQuery = Annotated[
    _Time | None,
    Query(alias="from", description="Not before this time, RFC 3339.", examples=["2026-01-31T00:00:00+07:00"]),
]
ToQuery = Annotated[
    _Time | None,
    Query(alias="to", description="Before this time, RFC 3339.", examples=["2026-02-01T00:00:00+07:00"]),
]
LimitQuery = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items of one page at most.")]
CursorQuery = Annotated[
    str | None, Query(max_length=128, description="Where to go on: taken from `next`, never made by hand.")
]


def check_range(start_ms: int | None, end_ms: int | None) -> None:
    """Refuse a span of time that ends before it begins. Raises InvalidError."""
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise invalid("from", "lies not before 'to'")


def to_cursor(*position: int | str) -> str:
    """A place in a list as text for a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def numbers(cursor: str | None, count: int) -> tuple[int, ...] | None:
    """The `count` numbers of a cursor that `to_cursor` made; None for none. Raises InvalidError."""
    position = _position(cursor)
    if position is None:
        return None
    if len(position) != count or not all(isinstance(part, int) and 0 <= part <= _LARGEST for part in position):
        raise _no_cursor()
    return tuple(int(part) for part in position)


def name(cursor: str | None) -> str | None:
    """The name in a cursor that `to_cursor` made; None for none. Raises InvalidError."""
    position = _position(cursor)
    if position is None:
        return None
    if len(position) != 1 or not isinstance(position[0], str) or _NAME.fullmatch(position[0]) is None:
        raise _no_cursor()
    return position[0]


def _position(cursor: str | None) -> tuple[int | str, ...] | None:
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=tuple[int | str, ...])
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise _no_cursor() from None


def _no_cursor() -> Exception:
    return invalid("cursor", "not a cursor of this list; take `next` as it is, or start without one")
