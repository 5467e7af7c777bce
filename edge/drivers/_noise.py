"""Seeded, smooth, plausible numbers for simulated twins."""

from __future__ import annotations

import math
import random
from types import MappingProxyType

from broker.contract.quantities import QUANTITIES

DAY_S = 86_400

TYPICAL = MappingProxyType(
    {
        "pm2_5": (12.0, 85.0),
        "pm10": (25.0, 140.0),
        "so2": (5.0, 40.0),
        "co": (300.0, 1800.0),
        "o3": (10.0, 120.0),
        "no2": (8.0, 70.0),
        "hc": (40.0, 180.0),
        "co2": (420.0, 1100.0),
        "temperature": (23.0, 34.0),
        "humidity": (52.0, 96.0),
        "pressure": (1004.0, 1014.0),
        "dew_point": (20.0, 26.0),
        "rain": (0.0, 6.0),
        "wind_speed": (0.2, 6.0),
        "wind_direction": (20.0, 340.0),
        "noise": (42.0, 78.0),
        "illuminance": (0.0, 60_000.0),
        "water_level": (0.4, 2.2),
        "battery": (55.0, 100.0),
        "press_count": (0.0, 40.0),
    }
)
"""What a city near the equator shows on ordinary days, in each quantity's unit: (low, high)."""

_HALF_MEMORY_S = 7_200
"""Noise forgets half of where it was in this time."""


class Noise:
    """One quantity's made-up course: a daily wave and a slow wander, always within its typical range."""

    __slots__ = ("_at_s", "_decimals", "_high", "_low", "_peak_s", "_random", "_wander")

    def __init__(self, quantity: str, seed: int) -> None:
        """Begin a course that the same `seed` repeats. Raises KeyError when the contract has no such quantity."""
        self._low, self._high = TYPICAL[quantity]
        self._decimals = QUANTITIES[quantity].decimals
        self._random = random.Random(f"{quantity}/{seed}")  # noqa: S311 made-up weather is no secret
        self._peak_s = self._random.uniform(0, DAY_S)
        self._wander = 0.0
        self._at_s: float | None = None

    def at(self, seconds: float) -> float:
        """The value at a time in seconds, not earlier than the last one asked for, rounded as the quantity is."""
        passed = max(0.0, seconds - self._at_s) if self._at_s is not None else DAY_S
        self._at_s = seconds
        keep = 0.5 ** (passed / _HALF_MEMORY_S)
        self._wander = keep * self._wander + math.sqrt(1 - keep * keep) * self._random.gauss(0, 0.12)
        wave = 0.3 * math.cos(2 * math.pi * (seconds - self._peak_s) / DAY_S)
        share = min(1.0, max(0.0, 0.5 + wave + self._wander))
        return round(self._low + share * (self._high - self._low), self._decimals)
