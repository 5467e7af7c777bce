"""An instrument that is made up: any quantities of the contract, with a daily rhythm, for trying things out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from edge.drivers._noise import Noise
from edge.drivers._quantities import known
from edge.ports import Driver, Measurement, SensorError

TWIN_STEP_S = 600
"""The twin's clock moves by this at each reading, so that a day of it is 144 readings."""


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What it makes up.

    Attributes:
        quantities: which quantities of the contract, in order.
        seed: another seed is another course of values; two sensors with one seed agree.
        fail_every: every so many readings fail, as a loose cable would; 0 for none.

    Example:
        quantities = ["pm2_5", "temperature", "humidity"]
    """

    quantities: Annotated[tuple[str, ...], Meta(min_length=1)] = ("temperature", "humidity")
    seed: Annotated[int, Meta(ge=0)] = 1
    fail_every: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        """Raises ValueError when a quantity is none of the contract, or there twice."""
        if len({known(quantity) for quantity in self.quantities}) < len(self.quantities):
            raise ValueError("each quantity once; a second one of a kind is a second sensor in the site file")


class Simulated:
    """A Sensor without an instrument."""

    def __init__(self, config: Config, seed: int, seconds: Callable[[], float]) -> None:
        """Begin; `seconds` is the time that the daily rhythm follows."""
        self._courses = {quantity: Noise(quantity, seed) for quantity in config.quantities}
        self._fail_every = config.fail_every
        self._seconds = seconds
        self._readings = 0

    def read(self) -> Sequence[Measurement]:
        """The values of this moment. Raises SensorError at each `fail_every`th reading."""
        self._readings += 1
        if self._fail_every and self._readings % self._fail_every == 0:
            raise SensorError(f"simulated failure, asked for by fail_every = {self._fail_every}")
        now_s = self._seconds()
        return [Measurement(quantity, course.at(now_s)) for quantity, course in self._courses.items()]

    def close(self) -> None:
        """Nothing to give back."""


def _open(config: Config) -> Simulated:
    return Simulated(config, config.seed, time.time)


def _simulated(config: Config, seed: int) -> Simulated:
    steps = iter(range(0, 2**62, TWIN_STEP_S))
    return Simulated(config, seed, lambda: next(steps))


DRIVER = Driver(
    summary="Made-up values of any quantities, for demonstrations and tests",
    config=Config,
    open=_open,
    simulated=_simulated,
    measures=(),
    made_up=True,
)
