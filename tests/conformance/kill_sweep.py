"""Kills an agent after each single statement of its outbox, starts it again, and compares what was accepted and sent.

    python -m tests.conformance.kill_sweep DIRECTORY

Each kill is a process that ends by `os._exit` just before a statement runs, so that neither SQLite nor Python can tidy
up. A second process on the same file then carries on and drains it. Prints how many kills there were; exit status 1,
and what is wrong, when a promise is broken.
"""

from __future__ import annotations

import json
import os
import queue
import sys
from collections.abc import Callable
from pathlib import Path

from broker.contract import codec, senml
from broker.contract.messages import Press, Readings
from broker.contract.topics import PRESS, READINGS
from edge.agent import Agent, Settings
from edge.core.delivery import Pace
from edge.events import Answer, Connected, EdgeSeen, Event, Paged, Received, Sampled
from edge.intake import Wiring
from edge.outbox import SqliteOutbox
from edge.ports import Edge, Measurement, Page, Recorded
from edge.report import Identity
from tests.unit.edge.fakes import BOOT, JUNE_2024_MS, FakeClock, Wire

ROUNDS = 2
KILLED = 9
SETTINGS = Settings(
    heartbeat_s=3600,
    patience_s=0,
    max_age_ms=10**12,
    not_before_ms=0,
    wiring=Wiring(commit_s=0, intervals_ms={"air": 1000}, debounce={"panel": (80, 20)}),
    pace=Pace(),
)


class Reporter(Wire):
    """A wire that tells the parent at once, over a pipe, what passed."""

    def __init__(self, pipe: int) -> None:
        super().__init__()
        self._pipe = pipe

    def tell(self, what: str, content: str) -> None:
        os.write(self._pipe, json.dumps([what, content]).encode() + b"\n")

    def publish(self, connection: int, kind: str, payload: bytes) -> bool:
        self.tell(kind, payload.decode())
        return super().publish(connection, kind, payload)


def live(path: Path, wire: Reporter, trace: Callable[[str], None], *, drain: bool) -> None:
    """One life of an agent: presses, readings, pages and receipts, then with `drain` everything is confirmed."""
    outbox = SqliteOutbox(path, max_bytes=10**9, reserve_bytes=0, trace=trace)
    clock = FakeClock()
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    agent = Agent(
        SETTINGS,
        Identity(BOOT, "0", ""),
        [],
        events=events,
        outbox=outbox,
        publisher=wire,
        clock=clock,
        jitter=lambda: 0.5,
    )
    wire.tell("epoch", outbox.epoch)
    agent.turn(Connected(1))
    position = outbox.position("log")
    for number in range(ROUNDS):
        for closed in (True, False):
            clock.advance(1)
            agent.turn(EdgeSeen("panel", "red", Edge(clock.now_ns, closed)))
        wire.tell("pressed", "")
        agent.turn(Sampled("air", clock.now_ns, [Measurement("temperature", 20.0)]))
        position = page(agent, wire, position)
        if number % 2:
            confirm(agent, wire, outbox.epoch)
        clock.advance(3)
        agent.turn(None)
    if drain:
        while outbox.depth:
            clock.advance(1)
            agent.turn(None)
            confirm(agent, wire, outbox.epoch)


def page(agent: Agent, wire: Reporter, position: str | None) -> str:
    """A recorder's next page: two values whose times count on from the position."""
    at = int(position or 0)
    answers: list[Answer] = []
    values = [Recorded("noise", 60.0, JUNE_2024_MS + at + step, 1) for step in (1, 2)]
    agent.turn(Paged("log", Page(values, str(at + 2), 0), answers.append))
    assert answers[0].stored
    wire.tell("paged", str(at + 2))
    return str(at + 2)


def confirm(agent: Agent, wire: Reporter, epoch: str) -> None:
    """A receipt for all that was sent since the last one."""
    seqs = [json.loads(payload)["seq"] for kind, payload in wire.take() if kind in {"press", "readings"}]
    if seqs:
        agent.turn(Received(epoch, tuple((seq, seq) for seq in seqs)))


def child(path: Path, kill_before: int | None, *, drain: bool) -> tuple[int, list[list[str]]]:
    """Run a life in a process of its own; its exit status, and what it told before its end."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reading)
            count = iter(range(1, 10**9))

            def trace(_: str) -> None:
                if next(count) == kill_before:
                    os._exit(KILLED)

            live(path, Reporter(writing), trace, drain=drain)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = [json.loads(line) for line in pipe]
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), told


def broken(first: list[list[str]], second: list[list[str]]) -> str:
    """Which promise the two lives broke; empty for none."""
    pressed = sum(what == "pressed" for what, _ in first)
    epochs = {content for what, content in first + second if what == "epoch"}
    if len(epochs) != 1:
        return f"the epoch changed: {epochs}"
    by_seq: dict[int, str] = {}
    for what, content in first + second:
        if what in {"press", "readings"}:
            seq = json.loads(content)["seq"]
            if by_seq.setdefault(seq, content) != content:
                return f"number {seq} was used twice: {by_seq[seq]} and {content}"
    if sorted(by_seq) != list(range(1, len(by_seq) + 1)):
        return f"a gap in the numbers: {sorted(by_seq)}"
    return uncounted(by_seq, pressed) or unread(by_seq)


def uncounted(by_seq: dict[int, str], pressed: int) -> str:
    presses = [text.encode() for _, text in sorted(by_seq.items()) if '"button"' in text]
    counts = [codec.decode_as(Press, PRESS, payload).count for payload in presses]
    if counts != list(range(1, len(counts) + 1)):
        return f"presses are not counted one by one: {counts}"
    if not pressed + ROUNDS <= len(counts) <= pressed + ROUNDS + 1:
        return f"{len(counts)} presses arrived; accepted were {pressed} before the kill, and {ROUNDS} after it"
    return ""


def unread(by_seq: dict[int, str]) -> str:
    times = [
        reading.at_ms - JUNE_2024_MS
        for text in by_seq.values()
        if "noise" in text
        for reading in senml.resolve(codec.decode_as(Readings, READINGS, text.encode()).e, 0)
        if isinstance(reading, senml.Reading)
    ]
    whole = sorted(times) == list(range(1, len(times) + 1))
    return "" if whole else f"a recorder's values are lost or doubled: {sorted(times)}"


def sweep(directory: Path) -> tuple[int, str]:
    """Kill before statement 1, 2, 3, ... until a life ends by itself; the number of kills, and what broke."""
    number = 0
    while True:
        number += 1
        home = directory / str(number)
        home.mkdir()
        status, first = child(home / "outbox.db", number, drain=False)
        if status not in {0, KILLED}:
            return number, "the first life ended badly"
        again, second = child(home / "outbox.db", None, drain=True)
        why = broken(first, second) if again == 0 else "the second life ended badly"
        if why:
            return number, f"killed before statement {number}: {why}"
        if status == 0:
            return number - 1, ""


if __name__ == "__main__":
    kills, why = sweep(Path(sys.argv[1]))
    print(f"{kills} kills; {why or 'every promise held'}")
    sys.exit(1 if why else 0)
