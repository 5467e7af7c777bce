"""Durable readings a second through broker and ingest, against what the parts can do alone."""

from __future__ import annotations

import contextlib
import multiprocessing
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from broker.contract import codec, senml
from broker.contract.messages import Clock, Readings
from broker.contract.senml import Reading
from broker.contract.topics import READINGS, topic
from tests.bench.load import Firehose
from tests.bench.table import Row, median
from tests.whole_node import SITE, WholeNode, until

PUBLISHERS = 2
RUNS = 3
PATIENCE_S = 30
AHEAD = 2_000
"""Messages that each publisher may be ahead of the store, less than what the broker queues."""

MESSAGES = {1: 30_000, 20: 15_000, 100: 5_000}
"""Readings a message -> messages of one publisher and run."""

QUEUED = 9_000
"""Messages of one publisher that the broker queues whole for a subscriber that is slower."""


def payloads(epoch: str, first: int, count: int, readings: int) -> Iterator[bytes]:
    """Messages as an agent makes them: `readings` values of one sensor, a tenth of a second apart, up to now."""
    now_ms = time.time_ns() // 1_000_000
    for seq in range(first, first + count):
        at_ms = now_ms - readings * 100 + seq % 1000
        pack = senml.pack([Reading("roof", "pm2_5", at_ms + n * 100, 12.5 + n, 100) for n in range(readings)])
        yield codec.encode(Readings(v=1, epoch=epoch, seq=seq, boot="0" * 32, clock=Clock.SYNCED, e=pack))


def run() -> list[Row]:
    """Every size of message, RUNS times, with the limits in between."""
    rows = []
    for readings, messages in MESSAGES.items():
        chain, peer, sketch, raw, wear = [], [], [], [], []
        for _ in range(RUNS):
            rate, written = _through_ingest(readings, messages)
            chain.append(rate)
            wear.append(written)
            peer.append(_through_subscriber(readings, messages))
            sketch.append(_through_sketch(readings, messages))
            raw.append(_raw(readings, messages))
        name = f"{readings} readings a message" if readings > 1 else "1 reading a message"
        for limit, words in (
            (peer, "mosquitto_sub receives"),
            (sketch, "a bare sketch"),
            (raw, "executemany alone"),
        ):
            rows.append(
                Row("durable readings through broker and ingest", f"{name}, against {words}",
                    median(chain) * readings, "readings/s", median(limit) * readings, words,
                    "beside the sketch" if limit is sketch else "")
            )  # fmt: skip
        size = len(next(payloads("0" * 12, 1, 1, readings))) / readings
        rows.append(
            Row("durable readings through broker and ingest", f"{name}: written to disk by ingest, a reading",
                median(wear) / readings, "B", size, "its share of the message itself")
        )  # fmt: skip
    return rows


def _through_ingest(readings: int, messages: int) -> tuple[float, float]:
    """Messages a second, and bytes written to disk for each."""
    with _node("ingest") as node:
        node.processes["ingest"].start()
        until(lambda: "as ingest (" in node.broker.log, "ingest is connected")
        time.sleep(0.5)
        journal = node.directory / "journal-ingest.db"
        before = _written(node.processes["ingest"].pid)
        rate = _rate(node, readings, messages, lambda: _last_id(journal))
        return rate, (_written(node.processes["ingest"].pid) - before) / (messages * PUBLISHERS)


def _through_sketch(readings: int, messages: int) -> float:
    """What a reader writes on a free afternoon: paho, msgspec, SQLite; no dedupe, no screening, no receipts."""
    with _node("sketch") as node:
        path = node.directory / "sketch.db"
        password = (node.directory / "secrets" / "ingest").read_text().strip()
        command = [sys.executable, "-m", "tests.bench.sketch", str(node.broker.port), password, str(path)]
        sketch = subprocess.Popen(command)
        try:
            until(path.exists, "the sketch is connected")
            time.sleep(0.5)
            return _rate(node, readings, messages, lambda: _last_id(path))
        finally:
            sketch.kill()
            sketch.wait()


def _through_subscriber(readings: int, messages: int) -> float:
    """What the broker delivers to its own client in C, which does nothing with it."""
    with _node("sub") as node:
        password = (node.directory / "secrets" / "ingest").read_text().strip()
        total = min(messages, QUEUED) * PUBLISHERS
        command = [
            "mosquitto_sub", "-h", "127.0.0.1", "-p", str(node.broker.port), "-u", "ingest", "-P", password,
            "-t", topic("+", "+", READINGS), "-q", "1", "-N", "-F", "", "-C", str(total),
        ]  # fmt: skip
        subscriber = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(lambda: "as ingest (" in node.broker.log, "mosquitto_sub is connected")
        time.sleep(0.5)
        try:
            return _rate(
                node, readings, total // PUBLISHERS, lambda: total if subscriber.poll() is not None else total - 1
            )
        finally:
            subscriber.kill()
            subscriber.wait()


def _raw(readings: int, messages: int) -> float:
    """The same payloads into the same table, in commits of 500, with nothing before it."""
    made = list(payloads("0" * 12, 1, messages, readings))
    with tempfile.TemporaryDirectory() as directory:
        db = sqlite3.connect(Path(directory) / "raw.db", isolation_level=None)
        db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE journal (id INTEGER PRIMARY KEY, received_ms INTEGER, topic TEXT, payload BLOB);"
        )
        started = time.monotonic()
        for first in range(0, messages, 500):
            db.execute("BEGIN IMMEDIATE")
            rows = [(0, "city/city/roof-0/up/readings", one) for one in made[first : first + 500]]
            db.executemany("INSERT INTO journal (received_ms, topic, payload) VALUES (?, ?, ?)", rows)
            db.execute("COMMIT")
        rate = messages / (time.monotonic() - started)
        db.close()
    return rate


@contextlib.contextmanager
def _node(word: str) -> Iterator[WholeNode]:
    with tempfile.TemporaryDirectory(prefix=f"simpul-bench-{word}-") as directory:
        node = WholeNode(Path(directory), "mosquitto")
        for number in range(PUBLISHERS):
            node.agent(f"roof-{number}", "")
        node.broker.start()
        try:
            yield node
        finally:
            node.stop()


def _rate(node: WholeNode, readings: int, messages: int, count: Callable[[], int]) -> float:
    """Messages a second from the first publish to the last one counted; publishers run at most AHEAD before it."""
    expected = messages * PUBLISHERS
    ready = multiprocessing.Barrier(PUBLISHERS + 1)
    stored = multiprocessing.Value("q", 0, lock=False)
    publishers = []
    for number in range(PUBLISHERS):
        name = f"roof-{number}"
        password = (node.directory / "secrets" / name).read_text().strip()
        work = (ready, stored, node.broker.port, name, password, readings, messages)
        publishers.append(multiprocessing.Process(target=_publisher, args=work, daemon=True))
        publishers[-1].start()
    ready.wait(60)
    started = time.monotonic()
    while stored.value < expected:
        stored.value = count()
        if time.monotonic() - started > PATIENCE_S:
            raise AssertionError(f"{stored.value} of {expected} messages were stored in {PATIENCE_S} s")
        time.sleep(0.005)
    rate = expected / (time.monotonic() - started)
    for publisher in publishers:
        publisher.join()
    return rate


def _publisher(ready: Barrier, stored: Any, port: int, name: str, password: str, readings: int, messages: int) -> None:
    made = list(payloads("0" * 12, 1, messages, readings))
    hose = Firehose(port, name, password)
    ready.wait(60)
    hose.publish(topic(SITE, name, READINGS), _paced(made, stored))
    hose.close()


def _paced(made: list[bytes], stored: Any) -> Iterator[bytes]:
    for number, payload in enumerate(made):
        while number % 100 == 0 and number - stored.value // PUBLISHERS > AHEAD:
            time.sleep(0.002)
        yield payload


def _written(pid: int) -> int:
    """Bytes that the process has sent to the disk so far."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def _last_id(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as db:
        return int(db.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0])
