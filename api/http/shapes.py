"""What the API answers with, field by field; the OpenAPI document is made from these.

Times are RFC 3339 with the city's zone, durations seconds, values in the unit that stands beside them. `next` is the
address of the following page, null on the last one. `quality` is the QARTOD flag: 1 pass, 2 not evaluated, 3 suspect,
4 fail, 9 missing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

Time = Annotated[datetime, Meta(tz=True)]
Next = Annotated[str | None, Meta(description="Address of the following page; null: this is the last.")]
Latitude = Annotated[float | None, Meta(description="Degrees north, WGS 84.")]
Longitude = Annotated[float | None, Meta(description="Degrees east, WGS 84.")]
Quality = Annotated[int, Meta(description="QARTOD flag: 1 pass, 2 not evaluated, 3 suspect, 4 fail, 9 missing.")]
Unit = Annotated[str, Meta(description="SenML unit (RFC 8428, RFC 8798).")]
Share = Annotated[float | None, Meta(description="Present share of what is expected, 0 to 1; null: not known.")]
Number = Annotated[float | None, Meta(description="In the unit of the series; null: no value.")]


class SiteItem(Struct, frozen=True):
    id: str
    title: str
    latitude: Latitude
    longitude: Longitude


class SitePage(Struct, frozen=True):
    items: list[SiteItem]
    next: Next


class Outbox(Struct, frozen=True):
    """What waits on the device for a receipt, by its last heartbeat."""

    depth: Annotated[int, Meta(description="Messages waiting.")]
    bytes: int
    oldest_s: Annotated[float, Meta(description="Age of the oldest of them, seconds.")]
    stuck: Annotated[int, Meta(description="Messages sent three times or more without a receipt.")]
    evicted: Annotated[int, Meta(description="Readings dropped by the byte or age cap since the outbox was made.")]
    refused: Annotated[int, Meta(description="Readings that could not be written, such as on a full disk.")]


class Messages(Struct, frozen=True):
    """What the server has received of the device."""

    received: int
    missing: Annotated[int, Meta(description="Numbers below the highest received that have not come yet.")]
    duplicates: int
    quarantined: int
    completeness: Share


class SensorState(Struct, frozen=True):
    name: str
    driver: str
    simulated: Annotated[bool, Meta(description="Its values are made up or replayed.")]
    error: Annotated[str | None, Meta(description="Why it cannot be read now.")]
    since: Annotated[Time | None, Meta(description="When that began.")]


class DeviceItem(Struct, frozen=True):
    id: str
    site: str
    title: str
    latitude: Latitude
    longitude: Longitude
    role: Annotated[str, Meta(description="device: an agent of ours; sensor: a third party's instrument.")]
    revoked: bool
    online: Annotated[bool | None, Meta(description="By birth and last will; null: never seen.")]
    contact: Annotated[Time | None, Meta(description="When anything of it last arrived.")]
    clock: Annotated[str | None, Meta(description="synced, repaired or untrusted.")]
    version: str | None
    config: Annotated[str | None, Meta(description="SHA-256 of its site file, the first 12 digits.")]
    uptime_s: float | None
    heartbeat_interval_s: float | None
    silent: Annotated[bool, Meta(description="No contact for three heartbeat intervals.")]
    outbox: Outbox | None
    messages: Messages
    sensors: list[SensorState]


class DevicePage(Struct, frozen=True):
    items: list[DeviceItem]
    next: Next


class QuantityItem(Struct, frozen=True):
    name: str
    unit: Unit
    symbol: Annotated[str, Meta(description="The unit as people read it.")]
    low: Annotated[float, Meta(description="Least plausible value.")]
    high: Annotated[float, Meta(description="Greatest plausible value.")]
    decimals: Annotated[int, Meta(description="Digits after the point that carry meaning.")]
    definition: Annotated[str, Meta(description="URI of the observed property.")]
    title: str


class QuantityPage(Struct, frozen=True):
    items: list[QuantityItem]
    next: Next


class SeriesItem(Struct, frozen=True):
    id: int
    site: str
    device: str
    sensor: str
    quantity: str
    unit: Unit
    first: Annotated[Time, Meta(description="Time of its oldest value.")]
    last: Annotated[Time, Meta(description="Time of its newest value.")]
    interval_s: Annotated[float | None, Meta(description="The time one value stands for; null: not known.")]


class SeriesPage(Struct, frozen=True):
    items: list[SeriesItem]
    next: Next


class LatestItem(Struct, frozen=True):
    series: int
    site: str
    device: str
    sensor: str
    quantity: str
    unit: Unit
    at: Annotated[Time, Meta(description="When it was measured.")]
    value: Number
    quality: Quality
    age_s: Annotated[float, Meta(description="Seconds since it was measured.")]
    stale: Annotated[bool, Meta(description="Too old to pass as the present.")]
    stale_after_s: Annotated[float, Meta(description="The age at which it becomes stale.")]


class LatestPage(Struct, frozen=True):
    items: list[LatestItem]
    next: Next


class RawItem(Struct, frozen=True):
    at: Time
    value: Number
    quality: Quality


class BucketItem(Struct, frozen=True):
    """The values of one interval; an interval without any is absent."""

    start: Time
    count: Annotated[int, Meta(description="Values that did not fail.")]
    failed: Annotated[int, Meta(description="Values that failed their checks; they are in no figure here.")]
    min: Number
    mean: Number
    max: Number
    sum: Number
    expected: Annotated[int | None, Meta(description="Values the instrument's interval calls for; null: not known.")]
    completeness: Share


class RawPage(Struct, frozen=True):
    """Readings of one series with from <= time < to, as they were measured."""

    series: SeriesItem
    interval: str
    start: Time = field(name="from")
    end: Time = field(name="to")
    items: list[RawItem] = field()
    next: Next = field()


class BucketPage(Struct, frozen=True):
    """Readings of one series by interval; intervals that begin in from <= time < to."""

    series: SeriesItem
    interval: str
    start: Time = field(name="from")
    end: Time = field(name="to")
    items: list[BucketItem] = field()
    next: Next = field()


class PressItem(Struct, frozen=True):
    id: int
    site: str
    device: str
    button: str
    at: Annotated[Time, Meta(description="When the contact closed.")]
    received: Annotated[Time, Meta(description="When the server had it.")]
    count: Annotated[int, Meta(description="Presses of the button since the device's outbox was made.")]
    clock: Annotated[str, Meta(description="How far `at` can be trusted: synced, repaired or untrusted.")]


class PressPage(Struct, frozen=True):
    items: list[PressItem]
    next: Next


class QuarantineItem(Struct, frozen=True):
    id: int
    received: Time
    site: str
    device: str
    topic: str
    reason: str
    detail: str
    size: Annotated[int, Meta(description="Bytes of the whole payload.")]
    preview: Annotated[str, Meta(description="Its beginning; what is no printable text is shown as a dot.")]


class QuarantinePage(Struct, frozen=True):
    items: list[QuarantineItem]
    next: Next
    totals: Annotated[dict[str, int], Meta(description="All that were ever put aside, by reason.")]


class LiveValue(Struct, frozen=True):
    sensor: str
    quantity: str
    at: Time
    value: Number
    quality: Quality


class LiveLatest(Struct, frozen=True):
    """Data of the event `latest`: a device's newest committed values, all of them."""

    site: str
    device: str
    values: list[LiveValue]


class LiveLink(Struct, frozen=True):
    """Data of the events `online` and `offline`: whether the stream follows the broker, and since when."""

    since: Time


class ProblemField(Struct, frozen=True):
    field: str
    message: str


class ProblemDetails(Struct, frozen=True):
    """An error by RFC 9457, `application/problem+json`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ProblemField]
