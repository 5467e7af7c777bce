from __future__ import annotations

import re

import pytest

from broker.contract.quantities import CONVERSIONS, QUANTITIES, Quantity

NAMED_IN_THE_ISSUE = (
    "pm2_5",
    "pm10",
    "so2",
    "co",
    "o3",
    "no2",
    "hc",
    "temperature",
    "humidity",
    "pressure",
    "dew_point",
    "rain",
    "wind_speed",
    "wind_direction",
    "noise",
    "co2",
    "illuminance",
    "water_level",
    "battery",
    "press_count",
)


def test_everything_the_city_measures_from_the_start_is_there() -> None:
    assert set(NAMED_IN_THE_ISSUE) <= set(QUANTITIES)


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=lambda quantity: quantity.name)
def test_each_row_of_the_table_makes_sense(quantity: Quantity) -> None:
    assert re.fullmatch("[a-z0-9_]{1,32}", quantity.name)
    assert QUANTITIES[quantity.name] is quantity
    assert quantity.low < quantity.high
    assert 0 <= quantity.decimals <= 3
    assert quantity.unit
    assert quantity.title
    assert re.fullmatch(r"https?://\S+", quantity.definition)
    assert not (quantity.total and quantity.circular)
    assert quantity.circular is (quantity.unit == "deg")


def test_no_two_quantities_share_a_title_or_a_definition() -> None:
    assert len({quantity.title for quantity in QUANTITIES.values()}) == len(QUANTITIES)
    assert len({quantity.definition for quantity in QUANTITIES.values()}) == len(QUANTITIES)


@pytest.mark.parametrize(
    ("offered", "stored", "value", "expected"),
    [
        ("K", "Cel", 293.15, 20.0),
        ("K", "Cel", 0.0, -273.15),
        ("Pa", "hPa", 101_325.0, 1013.25),
        ("kg/m3", "ug/m3", 3.55e-8, 35.5),
        ("m", "mm", 0.0042, 4.2),
        ("mm", "m", 1500.0, 1.5),
        ("cm", "m", 150.0, 1.5),
        ("km/h", "m/s", 36.0, 10.0),
        ("rad", "deg", 3.141592653589793, 180.0),
        ("/", "%RH", 0.635, 63.5),
        ("/", "%EL", 0.8, 80.0),
        ("/", "ppm", 0.000415, 415.0),
        ("dB", "dB(A)", 61.3, 61.3),
    ],
)
def test_a_conversion_gives_the_value_a_person_would(offered: str, stored: str, value: float, expected: float) -> None:
    factor, offset = CONVERSIONS[offered, stored]
    assert value * factor + offset == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_every_conversion_leads_to_a_stored_unit_and_is_tested_above() -> None:
    assert {stored for _, stored in CONVERSIONS} <= {quantity.unit for quantity in QUANTITIES.values()}
    assert len(CONVERSIONS) == 12
