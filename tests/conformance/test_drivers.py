"""What every file in edge/drivers must keep to; a new driver is tested by being there."""

from __future__ import annotations

import inspect
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broker.contract.quantities import QUANTITIES
from edge.core.presses import Debouncer, Edge
from edge.drivers import load, names
from edge.drivers._page import attributes, example
from edge.ports import Driver, SensorError

NOW_MS = 1_800_000_000_000
READINGS = 50
LONGEST_ERROR = 200
"""Characters that the heartbeat has for an error."""

WIRELESS = {"simulated"}
"""Nothing comes over a wire that could be decoded or be missing."""

BUTTONS = "start"
RECORDER = "since"
SENSOR = "read"


def twin(name: str, seed: int = 1) -> Any:
    driver = load(name)
    return driver.simulated(config_of(name), seed)


def config_of(name: str) -> Any:
    """The configuration of the example in the driver's documentation."""
    driver = load(name)
    return msgspec.convert(tomllib.loads(example(driver.config)), driver.config)


def kind(thing: Any) -> str:
    """Which of the three ports it is."""
    kinds = [method for method in (SENSOR, RECORDER, BUTTONS) if hasattr(thing, method)]
    assert len(kinds) == 1, "a driver's instrument is a Sensor, a Recorder or Buttons"
    return kinds[0]


def values(thing: Any) -> list[tuple[str, float]]:
    """What an instrument measures in a while."""
    if kind(thing) == SENSOR:
        return [(quantity, value) for _ in range(READINGS) for quantity, value in thing.read()]
    found: list[tuple[str, float]] = []
    position, now_ms = None, NOW_MS
    for _ in range(READINGS):
        page = thing.since(position, now_ms)
        found += [(recorded.quantity, recorded.value) for recorded in page.values]
        assert all(recorded.interval_ms > 0 for recorded in page.values)
        assert [recorded.at_ms for recorded in page.values] == sorted(recorded.at_ms for recorded in page.values)
        position, now_ms = page.position, now_ms + round(page.again_s * 1000)
    return found


def named_by(config: Any) -> set[str]:
    """The quantities that stand in a configuration, wherever."""
    built = msgspec.to_builtins(config)

    def words(of: Any) -> Iterator[Any]:
        match of:
            case dict():
                for value in of.values():
                    yield from words(value)
            case list() | tuple():
                for value in of:
                    yield from words(value)
            case _:
                yield of

    return {word for word in words(built) if word in QUANTITIES}


measuring = pytest.mark.parametrize("name", [name for name in names() if kind(twin(name)) != BUTTONS])
every = pytest.mark.parametrize("name", names())


@every
def test_a_driver_has_its_shape(name: str) -> None:
    driver = load(name)

    assert isinstance(driver, Driver)
    assert driver.summary
    assert not driver.summary.endswith(".")
    assert set(driver.measures) <= QUANTITIES.keys()
    assert inspect.getmodule(driver.config).__doc__  # type: ignore[union-attr]


@every
def test_a_drivers_configuration_is_documented_and_typed_and_refuses_what_it_does_not_know(name: str) -> None:
    config = load(name).config
    fields = {field.name for field in msgspec.structs.fields(config)}

    assert attributes(config).keys() == fields
    assert config.__struct_config__.forbid_unknown_fields
    with pytest.raises(msgspec.ValidationError, match="surely_not_there"):
        msgspec.convert({**tomllib.loads(example(config)), "surely_not_there": 1}, config)


@pytest.mark.parametrize("name", [name for name in names() if name not in WIRELESS])
def test_a_driver_has_a_pure_decode(name: str) -> None:
    module = inspect.getmodule(load(name).config)

    assert callable(getattr(module, "decode", None))
    assert module.decode.__doc__  # type: ignore[union-attr]


@measuring
def test_a_twin_gives_what_the_driver_says_it_measures(name: str) -> None:
    driver, given = load(name), {quantity for quantity, _ in values(twin(name))}

    if driver.measures:
        assert given == set(driver.measures)
    elif named_by(config_of(name)):
        assert given == named_by(config_of(name))
    else:
        assert given <= QUANTITIES.keys()


@measuring
def test_a_twins_values_are_plausible_move_and_are_no_longer_than_they_need_be(name: str) -> None:
    found = values(twin(name))

    assert all(QUANTITIES[quantity].low <= value <= QUANTITIES[quantity].high for quantity, value in found)
    assert all(len(repr(value)) <= 10 for _, value in found)
    for quantity in {quantity for quantity, _ in found}:
        assert len({value for other, value in found if other == quantity}) > 1


@measuring
def test_a_twin_repeats_itself_for_a_seed_and_differs_for_another(name: str) -> None:
    assert values(twin(name, 7)) == values(twin(name, 7)) != values(twin(name, 8))


@pytest.mark.parametrize("name", [name for name in names() if kind(twin(name)) == BUTTONS])
def test_p3_a_twins_buttons_give_edges_of_which_one_press_is_made(name: str) -> None:
    buttons, edges = twin(name), list[tuple[str, Edge]]()
    buttons.start(lambda button, edge: edges.append((button, edge)))
    pressed = next(iter(config_of(name).buttons))
    buttons.press(pressed)
    buttons.close()
    debouncer = Debouncer()

    assert {button for button, _ in edges} == {pressed}
    assert sum(debouncer.edge(edge) is not None for _, edge in edges) == 1
    age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - edges[0][1].at_ns
    assert 0 <= age_ns < 60_000_000_000, "an edge is stamped on the clock that counts suspend"


@every
def test_close_may_be_called_again_and_again(name: str) -> None:
    instrument = twin(name)
    instrument.close()
    instrument.close()


@pytest.mark.parametrize("name", [name for name in names() if name not in WIRELESS])
def test_the_real_one_says_in_a_line_what_is_missing_and_what_to_do(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    began_s = time.monotonic()
    try:
        instrument = load(name).open(config_of(name))
    except SensorError as error:
        _tells(str(error))
    else:
        instrument.close()
        pytest.skip("this machine has the bus")

    assert time.monotonic() - began_s < 5


def _tells(error: str) -> None:
    assert "\n" not in error
    assert len(error) <= LONGEST_ERROR
    assert any(where in error for where in ("/dev/", "recording "))
    assert any(remedy in error for remedy in ("enable", "add ", "check", "set ", "let ", "install", "plug"))
