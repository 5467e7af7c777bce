"""python -m firmware_bridge monitor | capture | replay | simulate: a panel's line, for a technician on site."""

from __future__ import annotations

import argparse
import contextlib
import random
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape

from firmware_bridge import console as screen
from firmware_bridge.capture import Tap, diagnose, load
from firmware_bridge.device_sim import Eeprom, SimulatedPanel
from firmware_bridge.line import LineReader
from firmware_bridge.link import Link
from firmware_bridge.pty_panel import PtyPanel
from firmware_bridge.serial_transport import BAUDRATE, SerialTransport
from firmware_bridge.transport import Transport, TransportError
from firmware_bridge.wire.events import Pressed
from firmware_bridge.wire.receiver import Received, Receiver
from firmware_bridge.wire.session import Session

HINT_S = 3.0
"""After so long without a good frame, what to check is said."""


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked; the exit status: 0, 1 when the line or file cannot be used, 2 for a wrong command."""
    asked = _parser().parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asked.run(console, asked)
    except (TransportError, OSError, ValueError) as error:
        console.print(f"[red]{escape(str(error))}[/]")
        return 1
    return 0


def monitor(console: Console, asked: argparse.Namespace) -> None:
    """Show what a panel says. Its presses stay on it for the agent, unless --accept."""
    if asked.lines:
        _monitor_lines(console, asked)
        return
    _watch(console, asked, None)


def capture(console: Console, asked: argparse.Namespace) -> None:
    """As monitor, and keep what goes over the line."""
    with asked.file.open("w", encoding="utf-8") as file:
        _watch(console, asked, file)
    console.print(f"kept in {asked.file}")


def replay(console: Console, asked: argparse.Namespace) -> None:
    """Show a capture, frame by frame; with --pace 1 as it came, without at once."""
    receivers = {True: Receiver(), False: Receiver()}
    began_s = time.monotonic()
    for piece in load(asked.file):
        if asked.pace:
            time.sleep(max(0.0, piece.at_s / asked.pace - (time.monotonic() - began_s)))
        arrow = "[green]▶[/]" if piece.panel else "[blue]◀[/]"
        for result in receivers[piece.panel].feed(piece.data):
            if isinstance(result, Received):
                words = escape(screen.frame_line(result.message, result.seq))
            else:
                words = f"[red]discarded: {result.why}, {result.size} bytes[/]"
            console.print(f"{piece.at_s:10.4f} {arrow} {words}")
    for panel, receiver in receivers.items():
        console.print(
            f"{'panel' if panel else 'host'}: {receiver.good} good, {sum(receiver.faults.values())} discarded"
        )


def simulate(console: Console, asked: argparse.Namespace) -> None:
    """Be a panel on a pseudo-terminal, and press its buttons."""
    rng = random.Random(asked.seed)  # noqa: S311 made-up people are no secret
    eeprom = Eeprom(boot=asked.boot - 1)
    panel = PtyPanel(SimulatedPanel(eeprom=eeprom, buttons=asked.buttons, now_ns=time.monotonic_ns()))
    console.print(f"a panel is at {panel.path}; python -m firmware_bridge monitor {panel.path}")
    try:
        _until(
            asked.seconds,
            lambda: panel.press(rng.randrange(asked.buttons)),
            pause_s=lambda: rng.expovariate(1 / asked.press_every) if asked.press_every else 3600.0,
        )
    finally:
        panel.close()
        console.print(f"{eeprom.number} presses, {panel.kept} of them not acknowledged")


def _watch(console: Console, asked: argparse.Namespace, file: TextIO | None) -> None:
    taps: list[Tap] = []

    def open_line() -> Transport:
        taps[:] = [Tap(SerialTransport(asked.port, baudrate=asked.baudrate), file)]
        return taps[0]

    link = Link(open_line, Session(session=secrets.randbits(16)))
    link.open()
    began_s = time.monotonic()
    hinted = False
    try:
        while not asked.seconds or time.monotonic() - began_s < asked.seconds:
            for event in link.poll(0.2):
                screen.show(console, event)
                if asked.accept and isinstance(event, Pressed):
                    link.accept(event.position)
            if not hinted and time.monotonic() - began_s > HINT_S:
                hinted = True
                if hint := diagnose(taps[0].heard, link.session.receiver.good):
                    console.print(f"[yellow]{escape(hint)}[/]")
    finally:
        link.close()
        console.print(screen.summary(link.session))


def _monitor_lines(console: Console, asked: argparse.Namespace) -> None:
    line, reader = SerialTransport(asked.port, baudrate=asked.baudrate), LineReader()

    def step() -> None:
        for value in reader.feed(line.read(0.2)):
            console.print(escape(f"{value.name} {value.value:g} {value.unit}".rstrip()))

    try:
        _until(asked.seconds, step, pause_s=lambda: 0.0)
    finally:
        line.close()
        console.print(f"{reader.bad} lines were not understood")


def _until(seconds: float, step: Callable[[], object], *, pause_s: Callable[[], float]) -> None:
    """Do steps for so many seconds, 0 for ever."""
    until_s = time.monotonic() + (seconds or float("inf"))
    waiting = threading.Event()
    while (left_s := until_s - time.monotonic()) > 0:
        pause = pause_s()
        waiting.wait(min(pause, left_s, 3600.0))
        if pause < left_s:
            step()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m firmware_bridge", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    line = argparse.ArgumentParser(add_help=False)
    line.add_argument("port", help="device file, best one of /dev/serial/by-id")
    line.add_argument("--baudrate", type=int, default=BAUDRATE)
    line.add_argument("--accept", action="store_true", help="acknowledge presses: they are gone for the agent then")
    ending = argparse.ArgumentParser(add_help=False)
    ending.add_argument("--seconds", type=float, default=0, help="end after so long; 0 for Ctrl-C")
    for verb, run, parents in (
        ("monitor", monitor, [line, ending]), ("capture", capture, [line, ending]),
        ("replay", replay, []), ("simulate", simulate, [ending]),
    ):  # fmt: skip
        added = verbs.add_parser(verb, parents=parents, help=run.__doc__, description=run.__doc__)
        added.set_defaults(run=run)
    verbs.choices["monitor"].add_argument("--lines", action="store_true", help="a device that prints lines or JSON")
    verbs.choices["capture"].add_argument("file", type=Path)
    verbs.choices["replay"].add_argument("file", type=Path)
    verbs.choices["replay"].add_argument("--pace", type=float, default=0, help="1 as it came; 0 at once")
    panel = verbs.choices["simulate"]
    panel.add_argument("--press-every", type=float, default=2.0, help="seconds between presses, on the mean; 0: none")
    panel.add_argument("--buttons", type=int, default=8, choices=range(1, 17), metavar="1-16")
    panel.add_argument("--boot", type=int, default=1, help="its boot count")
    panel.add_argument("--seed", type=int, default=1)
    return parser


def _end(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
