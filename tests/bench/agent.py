"""What an agent costs: memory, processor at ten sensors a second, and the time from its start to its birth message."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from tests.bench.table import Row, median
from tests.whole_node import Process, WholeNode, until

SENSORS = 10
STEADY_S = 20
STARTS = 5


def run() -> list[Row]:
    """An agent with ten simulated sensors, each read once a second, delivering to a real node."""
    tables = '[clock]\ntrust = "always"\n' + "".join(
        f'[[sensor]]\nname = "s{n}"\ndriver = "simulated"\ninterval_s = 1\nquantities = ["pm2_5"]\nseed = {n}\n'
        for n in range(SENSORS)
    )
    with tempfile.TemporaryDirectory(prefix="simpul-bench-agent-") as directory:
        node = WholeNode(Path(directory), "mosquitto")
        agent = node.agent("pi", tables)
        node.start("ingest", "worker")
        try:
            starts = [_start(node, agent) for _ in range(STARTS)]
            agent.start()
            time.sleep(5)
            before_s = _cpu_s(agent.pid)
            time.sleep(STEADY_S)
            share = (_cpu_s(agent.pid) - before_s) / STEADY_S * 100
            memory = _memory_mb(agent.pid)
        finally:
            node.stop()
    return [
        Row("an agent with ten sensors a second", "resident memory", memory, "MB", aim="45 MB"),
        Row("an agent with ten sensors a second", "processor", share, "% of a core", aim="3 %"),
        Row("an agent with ten sensors a second", "start to birth message", median(starts), "s", aim="1.5 s"),
    ]


def _start(node: WholeNode, agent: Process) -> float:
    before = node.broker.log.count("as pi (")
    began = time.monotonic()
    agent.start()
    until(lambda: node.broker.log.count("as pi (") > before, "the agent is connected")
    took = time.monotonic() - began
    agent.stop()
    return took


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel does not say")
