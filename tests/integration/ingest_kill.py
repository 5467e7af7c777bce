"""Kills an ingest before each single statement that it runs, and looks at what is stored after the next start.

Run as a program, because it forks: `python -m tests.integration.ingest_kill <directory>` prints one JSON object.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event

from api.db import Inbox, Press, Quarantine
from api.ingest.outcome import Incoming
from tests.integration.stores import Stores
from tests.unit.api.ingest.messages import EPOCH, NOW_MS, altered, heartbeat, press, readings

BATCHES: list[list[Incoming]] = [
    [readings(1), press(2), heartbeat(), altered(readings(3), e="poison"), readings(5)],
    [press(2), readings(4), press(6), readings(5)],
]


def main(directory: Path) -> dict[str, Any]:
    """Kill at the first statement, at the second, and so on until one run lives to its end."""
    wrong: list[str] = []
    empty = directory / "empty"
    empty.mkdir()
    Stores(empty).close()
    for statement in itertools.count(1):
        here = directory / str(statement)
        shutil.copytree(empty, here)
        died = _in_child(lambda at=statement, here=here: _work(here, at)) == -signal.SIGKILL
        again = Stores(here)
        for batch in BATCHES:
            again.intake.take(batch, NOW_MS)
        found = {
            "journal": sorted(again.rows()) == sorted(one.payload for one in _rows()),
            "presses": sorted(one.count for one in again.facts(Press)) == [2, 6],
            "quarantine": [one.reason for one in again.facts(Quarantine)] == ["bad_body"],
            "inbox": sorted(one.seq for one in again.facts(Inbox)) == [2, 3, 6],
            "received": again.received(EPOCH) == [(1, 6)],
        }
        wrong += [f"{what} after a kill at statement {statement}" for what, good in found.items() if not good]
        again.close()
        shutil.rmtree(here)
        if not died:
            return {"statements": statement - 1, "wrong": wrong}
    raise AssertionError


def _rows() -> list[Incoming]:
    return [readings(1), readings(4), readings(5)]


def _work(directory: Path, dies_at: int) -> None:
    """Make the stores, then take every batch with the clock of statements running."""
    seen = itertools.count(1)

    def count(_statement: str) -> None:
        if next(seen) == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    stores = Stores(directory)
    stores.engine.dispose()
    event.listen(stores.engine, "connect", lambda connection, _: connection.set_trace_callback(count))
    stores.journal._db.set_trace_callback(count)
    for batch in BATCHES:
        stores.intake.take(batch, NOW_MS)
        stores.intake.tend(NOW_MS)
    stores.close()


def _in_child(work: Callable[[], None]) -> int:
    """The exit status of a fork that does `work`; negative for a signal."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
