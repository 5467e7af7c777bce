"""A seeded storm over a whole node: processes killed, the network cut, delayed and half-opened, disks filled."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.ledger import Produced, Verdict, compare
from tests.proxy import Proxy
from tests.whole_node import SITE, Process, WholeNode

DISK_BYTES = 8_000_000
"""Size of the small disk that one agent lives on."""


@dataclass
class Storm:
    """What is shaken.

    Attributes:
        rng: decides everything, so that a seed repeats a storm's decisions (not the machine's timing).
        disk: the small file system of one agent, None where none could be mounted.
        history: what was done, for the report.
    """

    node: WholeNode
    agents: list[Process]
    proxies: list[Proxy]
    rng: random.Random
    disk: Path | None
    history: list[str] = field(default_factory=list)

    def rage(self, seconds: float) -> None:
        """Do one thing after the other until the time is over; everything is running again at the end."""
        deadline = time.monotonic() + seconds
        actions: list[tuple[int, Callable[[], str]]] = [
            (5, self._kill_agent), (5, self._kill_server), (4, self._kill_broker), (4, self._cut), (2, self._stall),
            (2, self._delay), (1, self._hang_up), (2 if self.disk else 0, self._fill_disk), (2, self._kill_many),
        ]  # fmt: skip
        weights = [weight for weight, _ in actions]
        while time.monotonic() < deadline:
            time.sleep(self.rng.uniform(0.1, 1.2))
            action = self.rng.choices([action for _, action in actions], weights)[0]
            self.history.append(action())

    def _kill_agent(self) -> str:
        agent = self.rng.choice(self.agents)
        self._kill(agent, self.rng.uniform(0, 1))
        return f"killed {agent.name}"

    def _kill_server(self) -> str:
        process = self.node.processes[self.rng.choice(("ingest", "ingest", "worker", "serve"))]
        self._kill(process, self.rng.uniform(0, 2))
        return f"killed {process.name}"

    def _kill_broker(self) -> str:
        self.node.broker.kill()
        time.sleep(self.rng.uniform(0, 2))
        self.node.broker.start()
        return "killed the broker"

    def _kill_many(self) -> str:
        """A power cut at the server: everything at once."""
        victims = [self.node.processes[name] for name in ("ingest", "worker", "serve")]
        for process in victims:
            process.kill()
        self.node.broker.kill()
        time.sleep(self.rng.uniform(0, 1))
        self.node.broker.start()
        for process in victims:
            process.start()
        return "killed the server"

    def _cut(self) -> str:
        proxy = self.rng.choice(self.proxies)
        proxy.cut()
        time.sleep(self.rng.uniform(0.1, 3))
        proxy.heal()
        return "cut the network"

    def _stall(self) -> str:
        proxy = self.rng.choice(self.proxies)
        proxy.stall()
        time.sleep(self.rng.uniform(0.5, 4))
        proxy.heal()
        return "half-opened the network"

    def _delay(self) -> str:
        proxy = self.rng.choice(self.proxies)
        proxy.delay_s = self.rng.uniform(0.01, 0.2)
        time.sleep(self.rng.uniform(0.5, 2))
        proxy.delay_s = 0
        return "delayed the network"

    def _hang_up(self) -> str:
        agent = self.rng.choice(self.agents)
        subprocess.run(["/bin/kill", f"-{signal.SIGHUP.value}", str(agent.pid)], check=False, timeout=5)
        return f"sent SIGHUP to {agent.name}"

    def _fill_disk(self) -> str:
        assert self.disk is not None
        ballast = self.disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        time.sleep(self.rng.uniform(0.5, 2))
        if self.rng.random() < 0.5:  # killed while its disk is full
            self._kill(self.agents[0], 0.1)
            time.sleep(0.5)
        ballast.unlink()
        return "filled a disk"

    @staticmethod
    def _kill(process: Process, pause_s: float) -> None:
        process.kill()
        time.sleep(pause_s)
        process.start()


def site_tables(index: int, csv: Path, control: Path, *, backfill_per_s: int = 200) -> str:
    """An agent that has all three kinds of driver: a recorder with history, a fast sensor, a nervous button."""
    return f"""
[clock]
trust = "always"
[outbox]
commit_s = 0.2
backfill_per_s = {backfill_per_s}
[[sensor]]
name = "past"
driver = "replay"
file = "{csv}"
pace = 3600
[[sensor]]
name = "fast"
driver = "simulated"
interval_s = 0.1
quantities = ["pm2_5", "temperature"]
seed = {index}
[[button]]
name = "panel"
driver = "gpio_buttons"
simulated = true
buttons = {{ call = 17, help = 27 }}
press_every_s = 0.3
control = "{control}"
"""


QUIET = '[clock]\ntrust = "always"\n[outbox]\nbackfill_per_s = 2000\n'
"""An agent with nothing wired to it: it only delivers what is in its outbox."""


def weather(
    directory: Path, engine: str, *, seed: int, seconds: float, agents: int, csv: Path, patience_s: float
) -> tuple[Verdict, Storm]:
    """A whole run: start, storm, calm, compare. The verdict's faults are empty when nothing was lost or doubled."""
    node = WholeNode(directory, engine)
    disk = _mount(directory / "agent-0")
    proxies = [Proxy(("127.0.0.1", node.broker.port)) for _ in range(agents)]
    names = [f"agent-{index}" for index in range(agents)]
    processes = [
        node.agent(name, site_tables(index, csv, directory / f"{name}.sock"), mqtt_port=proxies[index].port)
        for index, name in enumerate(names)
    ]
    produced = [Produced(SITE, name, directory / name / "outbox.db") for name in names]
    storm = Storm(node, processes, proxies, random.Random(seed), disk)
    try:
        node.start()
        storm.rage(seconds)
        _calm(processes, produced, node, patience_s)
        verdict = compare(produced, directory)
        verdict.faults += [
            f"{one.device}: {one.waiting()} messages wait for a receipt" for one in produced if one.waiting()
        ]
        return verdict, storm
    finally:
        node.stop()
        for proxy in proxies:
            proxy.close()
        if disk is not None:
            subprocess.run(["umount", "--lazy", str(disk)], check=False)


def _calm(agents: list[Process], produced: list[Produced], node: WholeNode, patience_s: float) -> None:
    """Stop the agents and start them with nothing wired to them, until every receipt is in and all is forwarded."""
    deadline = time.monotonic() + patience_s
    for agent, one in zip(agents, produced, strict=True):
        agent.stop()
        quiet = node.agent(agent.name, QUIET)
        quiet.start()
        while one.waiting() and time.monotonic() < deadline:
            time.sleep(0.05)
        quiet.stop()
    while compare(produced, node.directory).faults and time.monotonic() < deadline:
        time.sleep(0.5)


def _mount(path: Path) -> Path | None:
    """A small file system at `path`, where this process may mount one; elsewhere a line says so, and in CI it fails."""
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)]
    if subprocess.run(command, check=False, capture_output=True).returncode == 0:
        return path
    why = "no disk is filled in this storm: mounting a small one needs root"
    assert not os.environ.get("CI"), why
    print(why)
    return None
