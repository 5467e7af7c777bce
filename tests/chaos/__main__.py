"""`python -m tests.chaos`: the long storm, in a new directory; ends with 1 when anything was lost or doubled."""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
from pathlib import Path

from tests.chaos.storm import weather
from tests.chaos.test_chaos import write_recording


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--engine", choices=("mosquitto", "amqtt"), default="mosquitto")
    asked = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="simpul-chaos-"))
    print(
        f"seed {asked.seed}, {asked.seconds:.0f} s, {asked.agents} agents on {asked.engine}; data in {directory}",
        flush=True,
    )
    csv = write_recording(directory / "past.csv", hours=2000)
    verdict, storm = weather(
        directory, asked.engine, seed=asked.seed, seconds=asked.seconds, agents=asked.agents, csv=csv, patience_s=300
    )
    for what, times in sorted(collections.Counter(storm.history).items()):
        print(f"  {times:5} x {what}")
    print(f"compared: {verdict.messages} messages, {verdict.readings} readings, {verdict.presses} presses")
    for fault in verdict.faults:
        print(f"FAULT {fault}")
    print("nothing lost, nothing twice" if not verdict.faults else f"{len(verdict.faults)} faults")
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
