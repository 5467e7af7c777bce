"""The process that writes the series store is killed with SIGKILL while it writes and maintains (promise P1)."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from api.series.sqlite import SqliteSeriesStore
from api.series.sqlite.tuning import Tuning
from broker.contract.series import Point, SeriesKey
from tests.conformance.series_oracle import DAY, HOUR, Oracle, same

T0 = 1_760_000_000_000 // DAY * DAY
KEYS = [SeriesKey("a", f"station-{n}", "bme", quantity) for n in range(4) for quantity in ("rain", "wind_direction")]
LIMITS = {"raw_days": 2, "hourly_days": 3, "day_offset_ms": 7 * HOUR}
SMALL = Tuning(run_fill=20, run_rows=40, move_per_series=10, move_least=100, move_most=400, chunk_rows=30)
ROUNDS, BATCHES = 8, 200
"""At least so many kills, and so many batches that several moves were met."""


def opened(path: Path) -> SqliteSeriesStore:
    return SqliteSeriesStore(path, tuning=SMALL, **LIMITS)


def batch(number: int) -> list[Point]:
    """Always the same for a number; about half of its times are taken by other batches."""
    chance = random.Random(number)
    hour = number // 4
    return [
        Point(
            chance.choice(KEYS), T0 + (hour - chance.randrange(6)) * HOUR + chance.randrange(60) * 60_000,
            float(chance.randrange(360)), chance.choice([1, 2, 4]), 60_000,
        )
        for _ in range(chance.randrange(1, 60))
    ]  # fmt: skip


def now_at(number: int) -> int:
    return T0 + number // 4 * HOUR


def write_on(path: Path, number: int) -> None:
    """The child: says the number of each batch when write() has returned for it."""
    store = opened(path)
    while True:
        store.write(batch(number))
        print(number, flush=True)
        store.maintain(now_at(number), budget_ms=2)
        number += 1


def run_and_kill(path: Path, number: int, after_s: float) -> int:
    """Let a child write from batch `number` on and kill it; the last number that it said, `number` - 1 if none."""
    program = f"from tests.integration.test_series_store_kill import *; write_on(Path({str(path)!r}), {number})"
    with subprocess.Popen([sys.executable, "-c", program], stdout=-1, text=True) as child:
        said = child.stdout.readline()
        time.sleep(after_s)
        child.kill()
        lines = [said, *child.stdout]
    whole = [int(line) for line in lines if line.endswith("\n")]
    return whole[-1] if whole else number - 1


def test_what_write_returned_for_is_there_and_the_rollups_are_right_after_each_kill(tmp_path: Path) -> None:
    path = tmp_path / "series.db"
    chance = random.Random()
    oracle, number, kills = Oracle(**LIMITS), 0, 0
    while kills < ROUNDS or number < BATCHES:
        last = run_and_kill(path, number, chance.uniform(0, 0.3))
        assert last >= number
        for written in range(number, last + 1):
            oracle.write(batch(written))
        number = last + 1
        store = opened(path)
        store.write(batch(number))  # it may have been stored already without a word: the same again changes nothing
        oracle.write(batch(number))
        store.maintain(now_at(number))
        oracle.maintain(now_at(number))
        number, kills = number + 1, kills + 1
        compare(store, oracle)
        store.close()


def compare(store: SqliteSeriesStore, oracle: Oracle) -> None:
    infos = store.series()
    assert {info.key for info in infos} == set(oracle.points)
    for info in infos:
        assert info == oracle.series(info.key, info.id)
        assert store.latest([info.id]) == {info.id: oracle.latest(info.key)}
        assert store.samples(info.id, 0, 2 * T0, limit=10**6) == oracle.samples(info.key, 0, 2 * T0, 10**6)
        for width in (600_000, HOUR, DAY):
            got = store.buckets(info.id, 0, 2 * T0, width, offset_ms=7 * HOUR, limit=10**6)
            want = oracle.buckets(info.key, 0, 2 * T0, width, 7 * HOUR, 10**6)
            assert len(got) == len(want)
            assert all(map(same, got, want))
