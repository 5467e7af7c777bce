"""What each safeguard of ingest costs: microseconds a message, one step after the other on the same messages."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from api.ingest.journal import Journal
from api.ingest.outcome import Incoming
from api.ingest.pipeline import sort
from api.ingest.screening import screen
from broker.contract import codec
from broker.contract.messages import Readings
from broker.contract.topics import READINGS, topic
from tests.bench.chain import payloads
from tests.bench.table import Row, median

BATCH = 500
BATCHES = 40
RUNS = 5
SIZES = (1, 20)


def run() -> list[Row]:
    """Decoding is the limit that the others stand beside: it is what any consumer has to do."""
    rows = []
    for readings in SIZES:
        made = list(payloads("a" * 12, 1, BATCH * BATCHES, readings))
        decode = _each(made, lambda one: codec.decode(READINGS, one))
        messages = [codec.decode(READINGS, one) for one in made]
        screening = _each(messages, partial(_screen, now_ms=time.time_ns() // 1_000_000))
        whole, journal = _batches(made)
        steps = {
            "times, units and plausible ranges of every reading": screening,
            "identity, dedupe, routing, newest values, receipts": max(0.0, whole - decode - screening),
            "durable commit of rows and received numbers": journal,
        }
        size = f"{readings} readings a message" if readings > 1 else "1 reading a message"
        for name, value in steps.items():
            rows.append(
                Row(f"what each safeguard of ingest costs, {size}", name, value, "µs/message", decode, "decoding alone")
            )
    return rows


def _screen(message: Readings, *, now_ms: int) -> object:
    return screen(message.e, message.clock, now_ms)


def _each(items: list[Any], step: Callable[[Any], object]) -> float:
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        for item in items:
            step(item)
        seconds.append(time.perf_counter() - began)
    return median(seconds) / len(items) * 1e6


def _batches(made: list[bytes]) -> tuple[float, float]:
    """The whole of `sort`, and the journal's commit, for each batch as ingest does them."""
    sorting, storing = [], []
    name = topic("city", "roof-0", READINGS)
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as directory:
            journal = Journal(Path(directory) / "journal-ingest.db")
            ledger = journal.ledger()
            sort_s = store_s = 0.0
            for first in range(0, len(made), BATCH):
                now_ms = time.time_ns() // 1_000_000
                batch = [Incoming(name, payload, now_ms, False) for payload in made[first : first + BATCH]]
                began = time.perf_counter()
                outcome = sort(batch, ledger)
                sorted_s = time.perf_counter()
                received = [(stream, ledger.joined(stream, numbers)) for stream, numbers in outcome.fresh.items()]
                journal.append(outcome.rows, received, outcome.duplicates, now_ms)
                ledger.take(outcome.fresh)
                store_s += time.perf_counter() - sorted_s
                sort_s += sorted_s - began
            journal.close()
        sorting.append(sort_s / len(made) * 1e6)
        storing.append(store_s / len(made) * 1e6)
    return median(sorting), median(storing)
