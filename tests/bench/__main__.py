"""`python -m tests.bench [group ...]`: one table, and JSON beside it in var/bench.json."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench import agent, bench_series, chain, press, safeguards
from tests.bench.table import Row, save, show

GROUPS: dict[str, Callable[[], list[Row]]] = {
    "chain": chain.run,
    "safeguards": safeguards.run,
    "press": press.run,
    "agent": agent.run,
    "series": lambda: [Row(**fields) for fields in bench_series.run(1)],
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="default: all")
    asked = parser.parse_args()
    rows: list[Row] = []
    for name in asked.groups or GROUPS:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        with contextlib.redirect_stdout(io.StringIO()):  # what the registry's commands say is not the table's
            rows += GROUPS[name]()
    print(show(rows))
    save(rows, Path("var/bench.json"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
