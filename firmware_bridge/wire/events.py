"""What a session tells the program that holds it."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from firmware_bridge.wire.clock import HostTime
from firmware_bridge.wire.messages import Hello, Log, Outputs, Press, Reading


class Position(NamedTuple):
    """Up to where presses are safe; stored by the program with the presses themselves.

    Attributes:
        panel: its id.
        boot, seq: of the last press accepted.
    """

    panel: bytes
    boot: int
    seq: int


class Connected(NamedTuple):
    """The link is up; `fresh` when the panel knows of no command of ours, so that lamps are to be set."""

    hello: Hello
    fresh: bool


class Refused(NamedTuple):
    """The panel speaks no version that we speak; `remedy` says what to do."""

    hello: Hello
    remedy: str


class Disconnected(NamedTuple):
    """Nothing good is heard, or commands are not acknowledged; it is tried again for ever."""

    why: str


class Pressed(NamedTuple):
    """One press, once and in order; tell `Session.accept` its position when it is safe."""

    position: Position
    press: Press
    time: HostTime


class Told(NamedTuple):
    """A reading, the state of the outputs or a line of log; it may have been missed before."""

    message: Reading | Outputs | Log
    time: HostTime | None


class Done(NamedTuple):
    """The command of that ticket, as `Session.send` gave it, was carried out, or dropped with its session."""

    ticket: int
    carried_out: bool


Event: TypeAlias = Connected | Refused | Disconnected | Pressed | Told | Done
