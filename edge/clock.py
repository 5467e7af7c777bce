"""The clocks of a Linux machine, and whether its kernel says that they are disciplined."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""

TIMEX_BYTES = 512
"""More than `struct timex` takes on any platform; all zero asks and changes nothing."""


class SystemClock:
    """The Clock port over the running system."""

    def __init__(self, *, always_trusted: bool) -> None:
        """Hold the system's clocks.

        Args:
            always_trusted: the site vouches for the clock (a battery-backed one that somebody sets), whatever the
                kernel says.
        """
        self._always_trusted = always_trusted
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", "")
        self._adjtimex = ctypes.CDLL(None).adjtimex

    def monotonic_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def synchronised(self) -> bool:
        return self._always_trusted or self._kernel_says()

    def boot(self) -> str:
        return self._boot

    def _kernel_says(self) -> bool:
        state: int = self._adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
        return state not in (-1, TIME_ERROR)
