"""What a technician reads on site."""

from __future__ import annotations

import dataclasses

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from firmware_bridge.wire.events import Connected, Disconnected, Done, Event, Pressed, Refused, Told
from firmware_bridge.wire.fields import Message
from firmware_bridge.wire.messages import (
    CAPABILITIES,
    LEVELS,
    QUANTITIES,
    STATUS,
    Hello,
    Log,
    Outputs,
    Reading,
)  # fmt: skip
from firmware_bridge.wire.session import Session


def show(console: Console, event: Event) -> None:
    """One event, in one line or a table."""
    match event:
        case Connected():
            console.print(about(event.hello))
        case Refused():
            console.print(f"[red]refused[/] {escape(event.remedy)}")
        case Disconnected():
            console.print(f"[red]link lost[/] {escape(event.why)}")
        case Pressed():
            press, time = event.press, event.time
            console.print(
                f"[bold green]press[/] button {press.button}  seq {event.position.seq}  number {press.number}  "
                f"{press.edges} edges  at {time.at_ns / 1e9:.3f} s ± {time.uncertainty_ns / 1e6:.1f} ms"
            )
        case Told():
            console.print(escape(told(event.message)))
        case Done():
            console.print(f"command {event.ticket} {'carried out' if event.carried_out else 'dropped'}")


def about(hello: Hello) -> Table:
    """Who a panel is."""
    table = Table(title=f"panel {hello.panel.hex()}", show_header=False)
    able = [name for bit, name in enumerate(CAPABILITIES) if hello.capabilities >> bit & 1]
    rows = {
        "firmware": ".".join(map(str, hello.firmware)),
        "wire versions": f"{hello.oldest} to {hello.version}",
        "boot": f"{hello.boot}, reset cause 0x{hello.reset:02x}, up {hello.uptime_ms / 1000:.0f} s",
        "can": ", ".join(able) or "presses only",
        "buttons, lamps, digits": f"{hello.buttons}, {hello.lamps}, {hello.digits}",
        "presses kept": f"{(hello.next - hello.first) & 0xFFFF} of {hello.ring}",
        "presses lost": f"{hello.lost} in this boot, the ring was full" if hello.lost else "0",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def summary(session: Session) -> Table:
    """How good the line was."""
    table = Table(title="the line", show_header=False)
    table.add_row("state", session.state.value)
    table.add_row("good frames", str(session.receiver.good))
    for why, count in sorted(session.receiver.faults.items()):
        table.add_row(f"discarded: {why}", str(count))
    if session.clock.known:
        table.add_row(
            "panel's clock", f"{(1 / session.clock.rate - 1) * 1e6:+.0f} ppm ± {session.clock.drift * 1e6:.0f}"
        )
    return table


def told(message: Reading | Outputs | Log) -> str:
    """A reading, outputs or line of log in words."""
    match message:
        case Reading():
            name, unit = QUANTITIES.get(message.quantity, (f"quantity {message.quantity}", ""))
            value = f"{message.value * 10.0**message.exponent:.{max(0, -message.exponent)}f}"
            good = f"{value} {unit}" if message.status == 0 else STATUS[message.status]
            return f"reading  sensor {message.sensor}  {name}  {good}".rstrip()
        case Log():
            return f"log  {LEVELS[message.level]}  {message.text}"
        case Outputs():
            return f"outputs  lamps {message.lamps:016b}  blinking {message.blinking:016b}  text {message.text!r}"


def frame_line(message: Message, seq: int) -> str:
    """A message with all its fields, for a replay."""
    values = ((field.name, getattr(message, field.name)) for field in dataclasses.fields(message))
    words = [f"{name}={value.hex() if isinstance(value, bytes) else value}" for name, value in values]
    return " ".join([type(message).__name__, *([f"seq={seq}"] if message.NUMBERED else []), *words])
