"""What the pages read of the API's answers; fields they do not use are left out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

Item = TypeVar("Item")


class Site(Struct, frozen=True):
    id: str
    title: str


class Sensor(Struct, frozen=True):
    name: str
    driver: str
    simulated: bool = False
    error: str | None = None
    since: datetime | None = None


class Outbox(Struct, frozen=True):
    depth: int
    bytes: int
    oldest_s: float
    stuck: int
    evicted: int
    refused: int


class Messages(Struct, frozen=True):
    received: int
    missing: int
    duplicates: int
    quarantined: int
    completeness: float | None = None


class Device(Struct, frozen=True, kw_only=True):
    id: str
    site: str
    title: str
    role: str = "device"
    latitude: float | None = None
    longitude: float | None = None
    revoked: bool = False
    online: bool | None = None
    contact: datetime | None = None
    clock: str | None = None
    version: str | None = None
    config: str | None = None
    uptime_s: float | None = None
    heartbeat_interval_s: float | None = None
    outbox: Outbox | None = None
    messages: Messages | None = None
    sensors: tuple[Sensor, ...] = ()


class Latest(Struct, frozen=True):
    series: int
    device: str
    sensor: str
    quantity: str
    at: datetime
    value: float | None
    quality: int
    stale_after_s: float


class Quarantined(Struct, frozen=True):
    id: int
    received: datetime
    device: str
    topic: str
    reason: str
    detail: str
    size: int
    preview: str | None = None


def read(items: Iterable[Any], kind: type[Item]) -> list[Item]:
    """JSON objects as structs. Raises msgspec.ValidationError when the API does not keep its word."""
    return msgspec.convert(list(items), list[kind])  # type: ignore[valid-type]  # a type argument known at run time


def ms(at: datetime) -> int:
    """Milliseconds since 1970 UTC."""
    return round(at.timestamp() * 1000)
