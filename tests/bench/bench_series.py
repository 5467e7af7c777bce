"""The embedded series store against SQLite itself on the same disk in the same run.

`python -m tests.bench.bench_series [scale]`; scale 1 stores ten million readings and takes about two minutes. TMPDIR
names the disk that is measured.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from api.ports import SeriesStore
from api.series import open_store
from api.series.sqlite import schema
from broker.contract.series import Point, SeriesKey

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
JAKARTA = 7 * HOUR
T0 = 1_760_000_000_000 // DAY * DAY
BATCH = 5_000
KEYS = [SeriesKey("city", f"station-{n // 20}", f"sensor-{n % 20}", "pm2_5") for n in range(1_000)]

Row = tuple[int, int, float, int, int]
T = TypeVar("T")


def run(scale: float) -> list[dict[str, Any]]:
    """All figures.

    Args:
        scale: 1 for ten million stored readings; time and disk grow with it.

    Returns:
        The fields of a row of the common table: group, name, value, unit, limit, limit_is, aim.
    """
    rows = [
        *_writing(max(300_000, int(1_000_000 * scale))),
        *_wear(MOVE_ROWS * max(1, round(2 * scale))),
    ]
    small, large = _reading(scale / 10), _reading(scale)
    stored = f"{large['stored'] / 1e6:.1f} million stored"
    for name, aim in QUESTIONS.items():
        rows.append(
            _row(f"{name}, {stored}", large[name], "ms", aim=aim, limit=small[name], limit_is="with a tenth of that")
        )
    rows.append(_row(f"readings written and moved until {stored}", large["rate"], "1/s", aim="100,000"))
    rows.append(_row("a slice of maintain(50 ms) meanwhile, p99", large["slice p99"], "ms", aim="50"))
    rows.append(_row("a slice of maintain(50 ms) meanwhile, longest", large["slice max"], "ms"))
    return rows


MOVE_ROWS = 265_000
"""A little more than what a thousand series collect before they are moved."""

QUESTIONS = {
    "latest of 1,000 series": "5",
    "30-day hourly chart": "50",
    "30-day chart of 10 minutes": "",
    "30-day daily chart": "",
    "one day of samples": "",
}
"""What is asked, and what is aimed at."""


def _writing(count: int) -> Iterator[dict[str, Any]]:
    """A backlog of five minutes of each series at a time: the shape in which the forwarder catches up."""
    plain = [
        (n % 1000 + 1, T0 + n // 5_000 * 5 * MINUTE + n // 1000 % 5 * MINUTE, n / 7, 2, MINUTE) for n in range(count)
    ]
    points = [Point(KEYS[row[0] - 1], *row[1:]) for row in plain]
    log = _bare(plain, "INSERT INTO log (run, series, at_ms, value, quality, interval_ms) VALUES (?, ?, ?, ?, ?, ?)")
    keyed = _bare(plain, "INSERT INTO sample (series, at_ms, value, quality, interval_ms) VALUES (?, ?, ?, ?, ?)")
    with tempfile.TemporaryDirectory() as directory:
        store = _open(directory)
        begun = time.perf_counter()
        for batch in _batches(points, BATCH):
            store.write(batch)
            store.maintain(T0)
        _settle(store)
        rate = count / (time.perf_counter() - begun)
        store.close()
    for limit, limit_is in ((log, "executemany into the log alone"), (keyed, "executemany into the keyed table alone")):
        name = f"readings written and moved, batches of {BATCH:,}"
        yield _row(name, rate, "1/s", aim="100,000", limit=limit, limit_is=limit_is)


def _wear(count: int) -> Iterator[dict[str, Any]]:
    """1,000 series, one reading a minute, one commit a minute: the shape of every day. 262,144 rows are one move."""
    plain = [(n % 1000 + 1, T0 + n // 1000 * MINUTE, n / 7, 2, MINUTE) for n in range(count)]
    before = _bytes_written()
    _bare(plain, "INSERT INTO sample (series, at_ms, value, quality, interval_ms) VALUES (?, ?, ?, ?, ?)", batch=1000)
    keyed = (_bytes_written() - before) / count
    with tempfile.TemporaryDirectory() as directory:
        store = _open(directory)
        before = _bytes_written()
        for batch in _batches((Point(KEYS[row[0] - 1], *row[1:]) for row in plain), 1000):
            store.write(batch)
            store.maintain(batch[-1].at_ms)
        _settle(store)
        store.close()
        written = (_bytes_written() - before) / count
    yield _row(
        "written to disk a reading, 1,000 series once a minute", written, "B",
        aim="600 at most", limit=keyed, limit_is="executemany into the keyed table alone",
    )  # fmt: skip


def _reading(scale: float) -> dict[str, float]:
    """A month of some series by the minute and a day of the others, then what charts and pages ask."""
    with tempfile.TemporaryDirectory() as directory:
        store = _open(directory)
        stored, busy = 0, 0.0
        slices: list[float] = []
        for batch in _batches(_month(scale), BATCH):
            begun = time.perf_counter()
            store.write(batch)
            moved = time.perf_counter()
            store.maintain(batch[-1].at_ms)
            ended = time.perf_counter()
            stored, busy = stored + len(batch), busy + ended - begun
            slices.append((ended - moved) * 1000)
        ids = [info.id for info in store.series(limit=1_000)]
        end = T0 + 31 * DAY
        chart = {"offset_ms": JAKARTA, "limit": 10_000}
        figures = {
            "stored": stored,
            "rate": stored / busy,
            "slice p99": statistics.quantiles([ms for ms in slices if ms > 1], n=100)[-1],
            "slice max": max(slices),
            "latest of 1,000 series": _median(lambda _: store.latest(ids)),
            "30-day hourly chart": _median(lambda n: store.buckets(ids[n], T0, end, HOUR, **chart)),
            "30-day chart of 10 minutes": _median(lambda n: store.buckets(ids[n], T0, end, 10 * MINUTE, **chart)),
            "30-day daily chart": _median(lambda n: store.buckets(ids[n], T0 - DAY, end, DAY, **chart)),
            "one day of samples": _median(lambda n: store.samples(ids[n], T0 + 28 * DAY, T0 + 29 * DAY, limit=10_000)),
        }
        store.close()
    return figures


def _month(scale: float) -> Iterator[Point]:
    minutes, last = 30 * 1440, round(1_700 * scale)
    long_lived = max(10, round(200 * scale))
    for minute in range(minutes):
        for key in KEYS if minute >= minutes - last else KEYS[:long_lived]:
            yield Point(key, T0 + minute * MINUTE, minute % 977 / 10, 2, MINUTE)


def _bare(rows: Iterable[Row], insert: str, batch: int = BATCH) -> float:
    """Rows a second of executemany into an empty file with the store's tables, each batch durable."""
    with tempfile.TemporaryDirectory() as directory:
        connection = sqlite3.connect(Path(directory) / "bare.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        schema.create(connection, 0)
        count, busy = 0, 0.0
        for number, some in enumerate(_batches(rows, batch)):
            values = [(number, *row) for row in sorted(some)] if "INTO log" in insert else some
            begun = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(insert, values)
            connection.execute("COMMIT")
            count, busy = count + len(some), busy + time.perf_counter() - begun
        connection.close()
    return count / busy


def _open(directory: str) -> SeriesStore:
    return open_store(f"sqlite:///{directory}/series.db", raw_days=400, hourly_days=3650, day_offset_ms=JAKARTA)


def _settle(store: SeriesStore) -> None:
    while store.maintain(T0):
        pass


def _median(ask: Callable[[int], object]) -> float:
    """Median of nine calls in ms, each for another series, after one that warms up."""
    times = []
    for n in range(10):
        begun = time.perf_counter()
        ask(n)
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times[1:])


def _batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch


def _bytes_written() -> int:
    """By this process to the block layer, since it began (Linux; a disk in memory counts as nothing)."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def _row(
    name: str, value: float, unit: str, *, aim: str = "", limit: float | None = None, limit_is: str = ""
) -> dict[str, Any]:
    return {
        "group": "series store", "name": name, "value": round(value, 2), "unit": unit,
        "limit": limit if limit is None else round(limit, 2), "limit_is": limit_is, "aim": aim,
    }  # fmt: skip


if __name__ == "__main__":
    for line in run(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0):
        print(json.dumps(line))
