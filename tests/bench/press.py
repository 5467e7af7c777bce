"""From a button's edge to its receipt, both commits durable: the agent in this process, broker and ingest beside it."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from broker.client import Client, Login, new_client
from broker.contract.topics import READINGS, RECEIPT, topic
from edge import config, main
from edge.clock import SystemClock
from edge.events import Connected, EdgeSeen, Event, Received, Stop
from edge.mqtt import Connection
from edge.outbox import SqliteOutbox
from edge.ports import Edge
from tests.bench.chain import payloads
from tests.bench.load import Firehose
from tests.bench.table import Row, percentile
from tests.whole_node import SITE, WholeNode, until

PRESSES = 300
BACKGROUND_PER_S = 2000
TABLES = """
[clock]
trust = "always"
[[button]]
name = "panel"
driver = "gpio_buttons"
simulated = true
buttons = { call = 17 }
lockout_ms = 0
min_open_ms = 1
"""


class Stopwatch(queue.SimpleQueue[Event]):
    """The agent's queue, which notes when it is connected and when a receipt comes."""

    def __init__(self) -> None:
        self.connected, self.receipt = threading.Event(), threading.Event()
        self.received_s = 0.0

    def put(self, item: Event, block: bool = True, timeout: float | None = None) -> None:
        if isinstance(item, Received):
            self.received_s = time.perf_counter()
            self.receipt.set()
        super().put(item, block, timeout)
        if isinstance(item, Connected):
            self.connected.set()


def run() -> list[Row]:
    """Idle and under load, with the round trip of a bare responder on the same broker as the limit."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="simpul-bench-press-") as directory:
        node = WholeNode(Path(directory), "mosquitto")
        node.agent("kiosk", TABLES)
        node.agent("noise", "")
        node.agent("echo", "")
        node.start("ingest", "worker")
        until(lambda: "as ingest (" in node.broker.log, "ingest is connected")
        try:
            bare = _bare(node)
            rows += _rows("idle", _press(node), bare, "aim p50 4 ms, p99 12 ms")
            with _noise(node):
                rows += _rows(f"under {BACKGROUND_PER_S} messages/s", _press(node), bare, "")
        finally:
            node.stop()
    return rows


def _rows(when: str, seconds: list[float], bare: list[float], aim: str) -> list[Row]:
    return [
        Row("button edge to receipt", f"{when}, p{percent}", percentile(seconds, percent) * 1000, "ms",
            percentile(bare, percent) * 1000, "a responder that stores nothing", aim)
        for percent in (50, 99)
    ]  # fmt: skip


def _press(node: WholeNode) -> list[float]:
    site_file = node.directory / "kiosk.toml"
    site = config.load(site_file)
    events = Stopwatch()
    connection = Connection(main.login(site), site=SITE, emit=events.put)
    state = node.directory / "kiosk"
    state.mkdir(exist_ok=True)
    outbox_ready: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def serve() -> None:  # SQLite belongs to the thread that opened it
        outbox = SqliteOutbox(state / "outbox.db", max_bytes=1 << 28)
        clock = SystemClock(always_trusted=True)
        agent = main._agent(site, site_file, events, clock=clock, outbox=outbox, connection=connection)
        outbox_ready.put(agent)
        agent.run()
        outbox.close()

    thread = threading.Thread(target=serve)
    thread.start()
    connection.start(outbox_ready.get(timeout=10).status)
    assert events.connected.wait(10), "the agent is connected"
    time.sleep(1)
    seconds = []
    for _ in range(PRESSES):
        events.receipt.clear()
        started = time.perf_counter()
        events.put(EdgeSeen("panel", "call", Edge(time.clock_gettime_ns(time.CLOCK_BOOTTIME), closed=True)))
        assert events.receipt.wait(10), "a press is receipted"
        seconds.append(events.received_s - started)
        events.put(EdgeSeen("panel", "call", Edge(time.clock_gettime_ns(time.CLOCK_BOOTTIME), closed=False)))
        time.sleep(0.01)
    events.put(Stop())
    thread.join(10)
    connection.stop()
    return seconds


def _bare(node: WholeNode) -> list[float]:
    """publish -> broker -> subscriber -> broker -> publisher, nothing stored: ingest's and a device's account."""
    answered = threading.Event()
    node.processes["ingest"].stop()
    password = (node.directory / "secrets" / "ingest").read_text().strip()
    responder = new_client(Login("127.0.0.1", node.broker.port, "ingest", password), clean=True)
    responder.on_message = _echo
    password = (node.directory / "secrets" / "echo").read_text().strip()
    asker = new_client(Login("127.0.0.1", node.broker.port, "echo", password), clean=True)
    asker.on_message = lambda *_: answered.set()
    for client, asked in ((responder, topic(SITE, "echo", READINGS)), (asker, topic(SITE, "echo", RECEIPT))):
        client.connect("127.0.0.1", node.broker.port)
        client.loop_start()
        client.subscribe(asked, 1)
    time.sleep(1)
    seconds = []
    for _ in range(PRESSES):
        answered.clear()
        started = time.perf_counter()
        asker.publish(topic(SITE, "echo", READINGS), b"", 1)
        assert answered.wait(10), "the responder answers"
        seconds.append(time.perf_counter() - started)
        time.sleep(0.01)
    for client in (responder, asker):
        client.disconnect()
        client.loop_stop()
    node.processes["ingest"].start()
    until(lambda: node.broker.log.count("as ingest (") > 2, "ingest is connected again")
    return seconds


def _echo(client: Client, _userdata: object, _message: object) -> None:
    client.publish(topic(SITE, "echo", RECEIPT), b"", 1)


@contextlib.contextmanager
def _noise(node: WholeNode) -> Iterator[None]:
    password = (node.directory / "secrets" / "noise").read_text().strip()
    process = multiprocessing.Process(target=_publish_steadily, args=(node.broker.port, password), daemon=True)
    process.start()
    time.sleep(1)
    try:
        yield
    finally:
        process.kill()
        process.join()


def _publish_steadily(port: int, password: str) -> None:
    hose = Firehose(port, "noise", password)
    began, sent = time.monotonic(), 0
    while True:
        sent += hose.publish(topic(SITE, "noise", READINGS), payloads("f" * 12, sent + 1, BACKGROUND_PER_S // 100, 1))
        time.sleep(max(0.0, began + sent / BACKGROUND_PER_S - time.monotonic()))
