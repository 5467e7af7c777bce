"""One row of the bench: a figure, the limit measured in the same run, and what was aimed at."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Attributes:
        group: what it belongs to.
        name: what was measured.
        value: the median where there were several runs.
        unit: of `value`.
        limit: what the same machine does at best in the same run, in `unit`; None where there is none.
        limit_is: what the limit is.
        aim: what the project aims at, in words.
    """

    group: str
    name: str
    value: float
    unit: str
    limit: float | None = None
    limit_is: str = ""
    aim: str = ""


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of them lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def show(rows: Iterable[Row]) -> str:
    """The rows as a table for a terminal and for the docs (Markdown)."""
    lines = ["| what | measured | limit in the same run | share | aim |", "|---|---|---|---|---|"]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append(f"| **{group}** | | | | |")
        limit = f"{_number(row.limit)} {row.unit}: {row.limit_is}" if row.limit is not None else ""
        share = f"{row.value / row.limit:.2f}" if row.limit else ""
        lines.append(f"| {row.name} | {_number(row.value)} {row.unit} | {limit} | {share} | {row.aim} |")
    return "\n".join(lines)


def save(rows: Iterable[Row], path: Path) -> None:
    """The rows as JSON, with the machine they are from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    path.write_text(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
