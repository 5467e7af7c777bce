"""The panel's compiled firmware, running in simavr as a process of its own: buttons to press, a cable to pull."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware_bridge" / "firmware"
EMULATOR = ROOT / "tests" / "emulator"
PANEL = "panel-01"
BAUD = 57600
NEEDED = {
    "avr-gcc": "gcc-avr",
    "gcc": "gcc",
    "make": "make",
    "/usr/include/stdio.h": "libc6-dev",
    "/usr/lib/avr/include/avr/io.h": "avr-libc",
    "/usr/include/simavr/sim_avr.h": "libsimavr-dev",
    "/usr/include/libelf.h": "libelf-dev",
}
"""A program or a file, and the Debian package that brings it."""


def require() -> None:
    """Skip, with a line that says so, where a package is missing; fail there in CI."""
    missing = sorted({package for what, package in NEEDED.items() if not (shutil.which(what) or Path(what).exists())})
    if missing:
        why = f"the emulated panel needs: apt install {' '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(f"{why}, and in CI no test is skipped")
        pytest.skip(why)


@functools.cache
def build(out: Path) -> tuple[Path, Path]:
    """The host program and the firmware's ELF, built under `out`."""
    run = functools.partial(subprocess.run, check=True, capture_output=True, text=True, timeout=60)
    run(["make", "-C", EMULATOR, f"BUILD={out}"])
    run(["make", "-C", FIRMWARE, f"BUILD={out}", f"PANEL={PANEL}", f"BAUD={BAUD}"])
    return out / "panel", out / "panel.elf"


class EmulatedPanel:
    """One panel, switched on until `close`; a context manager.

    Args:
        out: where `build` puts the programs.
        name: becomes a symbolic link to the panel's pseudo-terminal.
        seed: of the contacts' bouncing.
    """

    def __init__(self, out: Path, name: Path, seed: int = 1) -> None:
        host, elf = build(out)
        self.name = name
        self._process = subprocess.Popen(
            [host, elf, name, str(BAUD), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._answer() == f"panel {name}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Switch it off."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def say(self, command: str) -> str:
        """The answer to one command of tests/emulator/panel.c; AssertionError when it is an error."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        assert not answer.startswith("error"), f"{command}: {answer}"
        return answer

    def press(self, button: int, hold_ms: int = 40, delay_ms: int = 0) -> float:
        """Close a button for `hold_ms`, `delay_ms` from now. Returns the emulated milliseconds at its first edge."""
        return float(self.say(f"press {button} {hold_ms} {delay_ms}").split()[-1])

    def ask(self, what: str) -> float:
        """A number that panel.c knows: `time`, `lamp`, `buzzer`, `edges`, `line`, `stack`."""
        return float(self.say(f"{what}?").split()[-1])

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the emulator has ended: {self._process.poll()}"
        return line.strip()
