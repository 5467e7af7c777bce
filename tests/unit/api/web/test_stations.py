"""Stations as the environment page sees them (promise P5: what is stale or made up never looks live or real)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api.web.answers import Device, Latest, Sensor, Site
from api.web.stations import Station, chart, silent_at_ms, stations

NOW = datetime(2026, 1, 31, 7, 0, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
SITES = [Site("rsud", "RSUD Tangerang Selatan"), Site("pasar", "Pasar Serpong")]


def device(name: str, **other: object) -> Device:
    return Device(**{"id": name, "site": "rsud", "title": name, "contact": NOW, "heartbeat_interval_s": 30.0, **other})  # type: ignore[arg-type]


def value(name: str, quantity: str, *, sensor: str = "air", ago_s: float = 0, quality: int = 2) -> Latest:
    return Latest(1, name, sensor, quantity, NOW - timedelta(seconds=ago_s), 12.5, quality, 180.0)


def only(found: list[Station]) -> Station:
    (one,) = found
    return one


def test_a_device_without_an_environmental_value_is_no_station() -> None:
    latest = [value("panel", "press_count"), value("panel", "battery")]
    assert stations([device("panel"), device("new")], SITES, latest) == []


def test_a_revoked_device_is_no_station() -> None:
    assert stations([device("old", revoked=True)], SITES, [value("old", "pm2_5")]) == []


def test_pm2_5_comes_first_and_the_rest_follows_the_table_of_quantities() -> None:
    latest = [value("roof", "temperature"), value("roof", "pm10"), value("roof", "pm2_5")]
    found = only(stations([device("roof")], SITES, latest))
    assert [reading.quantity.name for reading in found.readings] == ["pm2_5", "pm10", "temperature"]


def test_a_sensor_is_named_only_where_the_station_has_several_of_its_quantity() -> None:
    latest = [value("roof", "pm2_5"), value("roof", "temperature"), value("roof", "temperature", sensor="scd")]
    found = only(stations([device("roof")], SITES, latest))
    assert [reading.label for reading in found.readings] == ["", "air", "scd"]


def test_stations_are_in_the_order_of_their_places() -> None:
    devices = [device("b"), device("a"), device("c", site="pasar")]
    latest = [value(one.id, "pm2_5") for one in devices]
    assert [one.device.id for one in stations(devices, SITES, latest)] == ["c", "a", "b"]


def test_p5_a_value_is_stale_after_its_time_and_not_before() -> None:
    found = only(stations([device("roof")], SITES, [value("roof", "pm2_5")]))
    assert not found.readings[0].stale(NOW_MS + 180_000)
    assert found.readings[0].stale(NOW_MS + 180_001)
    assert found.stale_count(NOW_MS + 180_001) == 1


def test_p5_replayed_and_simulated_values_say_so() -> None:
    replayed = device("a", sensors=(Sensor("log", "replay", simulated=True), Sensor("x", "simulated", simulated=True)))
    simulated = device("b", sensors=(Sensor("bme", "bme280", simulated=True),))
    real = device("c", sensors=(Sensor("bme", "bme280"),))
    found = stations([replayed, simulated, real], SITES, [value(name, "pm2_5") for name in "abc"])
    assert [one.made_up for one in found] == ["replay", "simulated", ""]


def test_p5_a_device_is_silent_after_three_heartbeat_intervals() -> None:
    found = only(stations([device("roof")], SITES, [value("roof", "pm2_5")]))
    assert found.silent_at_ms == NOW_MS + 90_000


def test_a_device_that_never_said_its_interval_is_silent_after_a_quarter_of_an_hour() -> None:
    assert silent_at_ms(device("third", heartbeat_interval_s=None)) == NOW_MS + 900_000
    assert silent_at_ms(device("new", contact=None)) is None


def test_values_measured_together_share_one_age() -> None:
    latest = [value("roof", "pm2_5"), value("roof", "pm10", ago_s=1), value("roof", "no2", ago_s=10)]
    found = only(stations([device("roof")], SITES, latest))
    assert [found.with_first(reading) for reading in found.readings] == [True, True, False]


def test_the_map_has_north_up_and_one_scale_in_both_directions() -> None:
    devices = [
        device("south-west", latitude=-6.4, longitude=106.6),
        device("north-east", latitude=-6.2, longitude=106.8),
        device("nowhere"),
    ]
    found = stations(devices, SITES, [value(one.id, "pm2_5") for one in devices])
    drawn = chart(found, width=480, height=320, margin=40)
    assert drawn is not None
    spots = {spot.station.device.id: spot for spot in drawn.spots}
    assert set(spots) == {"south-west", "north-east"}
    assert spots["north-east"].y == 40
    assert spots["south-west"].y == 280
    assert 230 < spots["north-east"].x - spots["south-west"].x < 240


def test_names_of_neighbours_stand_on_their_outer_sides() -> None:
    devices = [
        device("west", latitude=39.987, longitude=116.287),
        device("east", latitude=39.982, longitude=116.397),
        device("north", latitude=40.328, longitude=116.628),
    ]
    drawn = chart(stations(devices, SITES, [value(one.id, "pm2_5") for one in devices]))
    assert drawn is not None
    assert {spot.station.device.id: spot.name_left for spot in drawn.spots} == {
        "west": True,
        "east": False,
        "north": True,
    }


def test_there_is_no_map_of_fewer_than_two_places() -> None:
    found = stations([device("roof", latitude=-6.3, longitude=106.7)], SITES, [value("roof", "pm2_5")])
    assert chart(found) is None


def test_stations_at_one_place_are_drawn_in_the_middle() -> None:
    devices = [device(name, latitude=-6.3, longitude=106.7) for name in ("a", "b")]
    drawn = chart(stations(devices, SITES, [value(one.id, "pm2_5") for one in devices]), width=480, height=320)
    assert drawn is not None
    assert {(spot.x, spot.y) for spot in drawn.spots} == {(240, 160)}
