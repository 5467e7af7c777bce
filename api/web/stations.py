"""The environment page's view of the world: stations and what they measure, pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from api.live.devices import SILENT_INTERVALS, UNKNOWN_INTERVAL_S
from api.web.answers import Device, Latest, Site, ms
from broker.contract.quantities import QUANTITIES, Quantity

NOT_ENVIRONMENT = frozenset({"press_count", "battery"})
"""Quantities that are no environment: they make no station."""


TOGETHER_MS = 1_500
"""Values of one station this close were measured together, as far as a person cares."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest value of one quantity of one sensor.

    Attributes:
        label: the sensor's name where the station has several sensors of the quantity, else empty.
        stale_at_ms: when it becomes, or became, too old to pass as the present.
        quality: QARTOD flag.
    """

    series: int
    sensor: str
    quantity: Quantity
    label: str
    value: float | None
    at_ms: int
    stale_at_ms: int
    quality: int

    def stale(self, now_ms: int) -> bool:
        return now_ms > self.stale_at_ms

    @property
    def kind(self) -> str:
        """How its chart is drawn: sums as bars ("total"), directions as points ("circular"), else a line ("")."""
        return "total" if self.quantity.total else "circular" if self.quantity.circular else ""

    @property
    def from_zero(self) -> bool:
        """Whether half the value is half of something, so that its axis begins at 0."""
        return self.quantity.low == 0 and self.quantity.unit in {"ug/m3", "mm", "m/s", "lx", "count"}


@dataclass(frozen=True, slots=True)
class Station:
    """A device that measures the environment.

    Attributes:
        made_up: "replay" or "simulated" when one of its sensors does not measure here and now, else empty.
        silent_at_ms: when it counts, or counted, as silent; None while nothing is known of its contact.
        readings: in the order of the table of quantities; the first is the one shown large.
    """

    device: Device
    place: str
    made_up: str
    silent_at_ms: int | None
    readings: Sequence[Reading]

    def silent(self, now_ms: int) -> bool:
        return silent(self.device, now_ms)

    def with_first(self, reading: Reading) -> bool:
        """Whether a value was measured together with the first one, so that one age tells of both."""
        return abs(reading.at_ms - self.readings[0].at_ms) <= TOGETHER_MS

    def stale_count(self, now_ms: int) -> int:
        return sum(reading.stale(now_ms) for reading in self.readings)


LINE = 20.0
"""Height of a name on the map, in its units."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A station's place on the map, in its units from the top left corner, and on which side its name stands."""

    station: Station
    x: float
    y: float
    name_left: bool


@dataclass(frozen=True, slots=True)
class Map:
    width: float
    height: float
    spots: Sequence[Spot] = field(default_factory=tuple)


def silent_at_ms(device: Device) -> int | None:
    """When silence begins, or began; None for a device that was never heard of."""
    return None if device.contact is None else ms(device.contact) + silent_after_ms(device)


def silent_after_ms(device: Device) -> int:
    """How long nothing may come before a device counts as silent."""
    interval_s = device.heartbeat_interval_s or UNKNOWN_INTERVAL_S
    return round(SILENT_INTERVALS * interval_s * 1000)


def silent(device: Device, now_ms: int) -> bool:
    """Whether nothing has come from it for three of its heartbeat intervals, or ever."""
    at = silent_at_ms(device)
    return at is None or now_ms > at


def stations(devices: Sequence[Device], sites: Sequence[Site], latest: Sequence[Latest]) -> list[Station]:
    """Devices with a value of an environmental quantity, by place and title; revoked ones are left out."""
    places = {site.id: site.title for site in sites}
    by_device: dict[str, list[Latest]] = {}
    for value in latest:
        if value.quantity in QUANTITIES and value.quantity not in NOT_ENVIRONMENT:
            by_device.setdefault(value.device, []).append(value)
    found = [
        _station(device, places.get(device.site, device.site), by_device[device.id])
        for device in devices
        if device.id in by_device and not device.revoked
    ]
    return sorted(found, key=lambda station: (station.place.casefold(), station.device.title.casefold()))


def made_up(device: Device) -> str:
    """What its values are when not measured: "replay", else "simulated"; empty when they are."""
    drivers = {sensor.driver for sensor in device.sensors if sensor.simulated}
    if not drivers:
        return ""
    return "replay" if "replay" in drivers else "simulated"


def chart(stations: Sequence[Station], *, width: float = 480, height: float = 320, margin: float = 48) -> Map | None:
    """Where the stations lie, north up, to one scale in both directions; None for fewer than two known places."""
    placed = [
        (station, station.device.latitude, station.device.longitude)
        for station in stations
        if station.device.latitude is not None and station.device.longitude is not None
    ]
    if len(placed) < 2:
        return None
    middle = math.radians(sum(latitude for _, latitude, _ in placed) / len(placed))
    flat = [(station, longitude * math.cos(middle), -latitude) for station, latitude, longitude in placed]
    low_x, high_x = min(x for _, x, _ in flat), max(x for _, x, _ in flat)
    low_y, high_y = min(y for _, _, y in flat), max(y for _, _, y in flat)
    scale = min(
        (width - 2 * margin) / max(high_x - low_x, 1e-9),
        (height - 2 * margin) / max(high_y - low_y, 1e-9),
    )
    points = [
        (
            round(width / 2 + (x - (low_x + high_x) / 2) * scale, 1),
            round(height / 2 + (y - (low_y + high_y) / 2) * scale, 1),
        )
        for _, x, y in flat
    ]
    spots = tuple(
        Spot(station, *point, name_left=_name_left(point, points, width))
        for (station, _, _), point in zip(flat, points, strict=True)
    )
    return Map(width, height, spots)


def _name_left(point: tuple[float, float], points: Sequence[tuple[float, float]], width: float) -> bool:
    """Away from the nearest neighbour on the same line of text; towards the middle of the map when there is none."""
    x, y = point
    beside = [other - x for other, line in points if other != x and abs(line - y) < LINE]
    nearest = min(beside, key=abs, default=width / 2 - x)
    return nearest > 0 if beside else nearest < 0


def _station(device: Device, place: str, values: Sequence[Latest]) -> Station:
    order = list(QUANTITIES)
    values = sorted(values, key=lambda value: (order.index(value.quantity), value.sensor))
    many = {value.quantity for value in values if sum(other.quantity == value.quantity for other in values) > 1}
    readings = [
        Reading(
            series=value.series,
            sensor=value.sensor,
            quantity=QUANTITIES[value.quantity],
            label=value.sensor if value.quantity in many else "",
            value=value.value,
            at_ms=ms(value.at),
            stale_at_ms=ms(value.at) + round(value.stale_after_s * 1000),
            quality=value.quality,
        )
        for value in values
    ]
    return Station(device, place, made_up(device), silent_at_ms(device), readings)
