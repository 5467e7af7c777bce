"""An agent whose clock a test holds in its hand: `python -m tests.chaos.clocked_agent FILE`.

Beside the site file lies `<name>.clock`: one line `<offset of the wall clock in ms> <yes|no: synchronised> <boot id>`.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from edge.main import run


class HeldClock:
    """The Clock port; the offset is against the machine's own wall clock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def monotonic_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000 + int(self._said()[0])

    def synchronised(self) -> bool:
        return self._said()[1] == "yes"

    def boot(self) -> str:
        return self._said()[2]

    def _said(self) -> list[str]:
        return self._path.read_text().split()


def hold(path: Path, *, offset_ms: int, synchronised: bool, boot: str) -> None:
    """Set the clock of the agent with the site file `path`."""
    clock = path.with_suffix(".clock")
    new = clock.with_suffix(".new")
    new.write_text(f"{offset_ms} {'yes' if synchronised else 'no'} {boot}\n")
    new.replace(clock)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    site_file = Path(sys.argv[1])
    sys.exit(run(site_file, clock=HeldClock(site_file.with_suffix(".clock"))))
