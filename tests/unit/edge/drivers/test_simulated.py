"""The made-up instrument."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from broker.contract.quantities import QUANTITIES
from edge.drivers._noise import TYPICAL, Noise
from edge.drivers.simulated import DRIVER, Config, Simulated
from edge.ports import SensorError

HOUR_S = 3600


def test_every_quantity_of_the_contract_has_a_typical_range_within_its_plausible_one() -> None:
    assert TYPICAL.keys() == QUANTITIES.keys()
    for name, (low, high) in TYPICAL.items():
        assert QUANTITIES[name].low <= low < high <= QUANTITIES[name].high


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_course_stays_in_its_range_moves_and_has_the_quantitys_decimals(quantity: str) -> None:
    course = Noise(quantity, 1)
    values = [course.at(second) for second in range(0, 3 * 86_400, 600)]
    low, high = TYPICAL[quantity]

    assert low <= min(values) < max(values) <= high
    assert all(value == round(value, QUANTITIES[quantity].decimals) for value in values)


def test_a_course_is_smooth() -> None:
    course = Noise("temperature", 1)
    values = [course.at(second) for second in range(0, 86_400, 10)]

    assert max(abs(after - before) for before, after in pairwise(values)) < 0.5


def test_one_seed_is_one_course_and_another_is_another() -> None:
    def course(seed: int) -> list[float]:
        noise = Noise("pm2_5", seed)
        return [noise.at(hour * HOUR_S) for hour in range(24)]

    assert course(1) == course(1) != course(2)


def test_it_gives_what_its_configuration_names_in_that_order() -> None:
    sensor = Simulated(Config(quantities=("rain", "noise")), 1, lambda: 0.0)

    assert [quantity for quantity, _ in sensor.read()] == ["rain", "noise"]


def test_every_so_many_readings_fail_when_asked_for() -> None:
    sensor = DRIVER.simulated(Config(fail_every=3), 1)
    outcomes = []
    for _ in range(7):
        try:
            outcomes.append(len(sensor.read()))  # type: ignore[union-attr]
        except SensorError as error:
            assert "fail_every = 3" in str(error)  # noqa: PT017 the loop goes on after it
            outcomes.append(0)

    assert outcomes == [2, 2, 0, 2, 2, 0, 2]


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"quantities": []}, "length >= 1"),
        ({"quantities": ["PM2.5"]}, "'PM2.5' is no quantity; there are: pm2_5, "),
        ({"quantities": ["co2", "co2"]}, "each quantity once"),
        ({"fail_every": -1}, ">= 0"),
        ({"seeds": 1}, "unknown field `seeds`"),
    ],
)
def test_a_configuration_that_cannot_be_right_is_refused(config: object, complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(config, Config)


def test_the_real_one_follows_the_wall_clock() -> None:
    assert len(DRIVER.open(Config()).read()) == 2  # type: ignore[union-attr]
