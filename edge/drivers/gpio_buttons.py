"""Push buttons on GPIO pins, by gpiozero and whichever of its pin libraries is there (lgpio on a Raspberry Pi).

Every edge is reported as it happens; no library debounces. Edges carry the kernel's timestamp where the pin library
gives one, else the time of the callback.

The twin presses simulated pins, with bounce, on a schedule (`press_every_s`) and on request: at `control` it listens on
a UNIX socket for lines `press <button> [<milliseconds held>]` and answers each with `ok` when the finger has left the
button, or `error: ...`. `python -m edge.drivers press <socket> <button>` does that from a shell.
"""

from __future__ import annotations

import contextlib
import importlib.util
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from msgspec import Meta, Struct

from broker.contract.ids import SensorName
from edge.core.presses import LOCKOUT_MS, MIN_OPEN_MS, Edge
from edge.drivers._finger import Finger
from edge.drivers._vendor import vendor
from edge.ports import Driver, SensorError

FRESH_NS = 10_000_000_000
"""A pin library's timestamp that is older than this, or from the future, is on a clock that we do not know."""

BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Counts suspend, as `Clock.monotonic_ns` does."""

Pin = Annotated[int, Meta(ge=0, le=27)]
"""Number of a GPIO, as Broadcom counts them."""


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Which buttons are on which pins.

    Attributes:
        buttons: name of each button = its GPIO number (Broadcom's, not the header's).
        pull_up: the contact connects its pin to ground and the processor's own pull-up is used; without it, to 3.3 V
            and the pull-down.
        lockout_ms: least time between two presses of one button.
        min_open_ms: rest of an open contact that ends a press; more than the contact's longest bounce gap.
        press_every_s: twin only: seconds between presses of made-up people, on the mean; 0 for none.
        control: twin only: path of the UNIX socket that takes `press <button>`; empty for none.

    Example:
        buttons = { pharmacy = 17, cashier = 27 }
        lockout_ms = 80
    """

    buttons: Annotated[dict[SensorName, Pin], Meta(min_length=1)]
    pull_up: bool = True
    lockout_ms: Annotated[int, Meta(ge=0, le=60_000)] = LOCKOUT_MS
    min_open_ms: Annotated[int, Meta(ge=1, le=1000)] = MIN_OPEN_MS
    press_every_s: Annotated[float, Meta(ge=0)] = 0
    control: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError when a pin is there twice."""
        if len(set(self.buttons.values())) != len(self.buttons):
            raise ValueError("two buttons share one pin")


def decode(ticks_s: float | None, level: int, *, pull_up: bool, clocks_ns: tuple[int, int, int]) -> Edge:
    """A pin library's report as an edge.

    Args:
        ticks_s: its timestamp, seconds on the monotonic clock (kernels from 5.7 on, and the libraries that take the
            time themselves) or since 1970 (older kernels); None when it has none.
        level: of the pin after the edge.
        pull_up: a closed contact pulls the pin low.
        clocks_ns: now on the clocks BOOTTIME, MONOTONIC and REALTIME.
    """
    boot_ns, *others = clocks_ns
    ages = [] if ticks_s is None else [now_ns - round(ticks_s * 1e9) for now_ns in others]
    age_ns = next((age for age in ages if 0 <= age < FRESH_NS), 0)
    return Edge(boot_ns - age_ns, closed=bool(level) != pull_up)


class GpioButtons:
    """Buttons on the pins of a gpiozero pin factory."""

    def __init__(self, config: Config, factory: Any) -> None:
        """Hold the pins of `factory`; nothing is reported before `start`."""
        self._config, self._factory = config, factory
        self._watched: list[_Watched] = []

    def start(self, on_edge: Callable[[str, Edge], None]) -> None:
        """Report each edge from the pin library's thread. Raises SensorError that names the pin."""
        for name, number in self._config.buttons.items():
            try:
                pin = self._factory.pin(number)
                pin.input_with_pull("up" if self._config.pull_up else "down")
                pin.bounce = None
                pin.edges = "both"
                watched = _Watched(name, pin, on_edge, pull_up=self._config.pull_up)
                pin.when_changed = watched.changed
            except Exception as error:
                self.close()
                raise SensorError(
                    f"button {name}, GPIO {number}: {error}; check that nothing else uses the pin, and pull_up"
                ) from error
            self._watched.append(watched)

    def close(self) -> None:
        """Release the pins."""
        for watched in self._watched:
            with contextlib.suppress(Exception):
                watched.pin.when_changed = None
                watched.pin.close()
        self._watched.clear()


class _Watched:
    """One pin; gpiozero keeps only a weak reference to its callback, so this object holds it."""

    def __init__(self, name: str, pin: Any, on_edge: Callable[[str, Edge], None], *, pull_up: bool) -> None:
        self.pin = pin
        self._name, self._on_edge, self._pull_up = name, on_edge, pull_up

    def changed(self, ticks_s: float | None, level: int) -> None:
        clocks = (BOOTTIME, time.CLOCK_MONOTONIC, time.CLOCK_REALTIME)
        now = time.clock_gettime_ns(clocks[0]), time.clock_gettime_ns(clocks[1]), time.clock_gettime_ns(clocks[2])
        self._on_edge(self._name, decode(ticks_s, level, pull_up=self._pull_up, clocks_ns=now))


class SimulatedButtons:
    """Buttons whose pins are gpiozero's mock pins, pressed by a simulated finger."""

    def __init__(self, config: Config, seed: int) -> None:
        """Hold mock pins; nobody presses before `start`."""
        factory = vendor("gpiozero.pins.mock").MockFactory()
        self._config, self._buttons = config, GpioButtons(config, factory)
        self._finger = Finger(
            MappingProxyType({name: factory.pin(number) for name, number in config.buttons.items()}),
            seed=seed,
            closed_high=not config.pull_up,
            lockout_ms=config.lockout_ms,
            min_open_ms=config.min_open_ms,
        )

    def start(self, on_edge: Callable[[str, Edge], None]) -> None:
        """Report edges, then let people press. Raises SensorError when `control` cannot be listened on."""
        self._buttons.start(on_edge)
        self._finger.start(press_every_s=self._config.press_every_s, control=self._config.control)

    def press(self, button: str, held_ms: float | None = None) -> None:
        """Press and release, as the line `press` does; returns when the finger has left. Raises LookupError."""
        self._finger.press(button, held_ms)

    def close(self) -> None:
        """Send the people away."""
        self._finger.close()
        self._buttons.close()


def _open(config: Config) -> GpioButtons:
    devices = vendor("gpiozero").Device
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each library that is not there is one; the error below says what to do
        try:
            devices.ensure_pin_factory()
        except Exception as error:
            raise SensorError(_no_gpio()) from error
    return GpioButtons(config, devices.pin_factory)


def _no_gpio() -> str:
    chips = sorted(Path("/dev").glob("gpiochip*"))
    if not chips:
        return "no GPIO: /dev/gpiochip* is missing, so this is no Raspberry Pi; let the buttons be simulated here"
    if importlib.util.find_spec("lgpio") is None:
        return "no GPIO: Python package lgpio is missing: pip install 'simpul[edge]' (or apt install python3-lgpio)"
    return (
        f"no GPIO: {chips[0]} may not be opened: add the agent's user to the group gpio "
        "(sudo usermod -aG gpio USER) and log in again"
    )


DRIVER = Driver(
    summary="Push buttons on GPIO pins",
    config=Config,
    open=_open,
    simulated=SimulatedButtons,
    measures=(),
)
