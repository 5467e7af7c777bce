"""The processes of a node around a broker, for tests: ingest and worker as real processes on one data directory."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import migrations
from api.db import open_engine
from api.ingest.journal import JournalReader, path_for
from tests.brokers import Broker

T = TypeVar("T")
PATIENCE_S = 20.0


class Node:
    """The server's side of a broker's data directory."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.directory = broker.data_dir
        self.config = self.directory / "simpul.toml"
        self.config.write_text(f'data_dir = "."\n[mqtt]\nport = {broker.port}\n')
        self.engine = open_engine(f"sqlite:///{self.directory / 'facts.db'}")
        migrations.upgrade(self.engine)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start `ingest` or `worker`."""
        command = [sys.executable, "-m", "api", "--config", str(self.config), name]
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def listen(self) -> None:
        """Start ingest and wait until it has subscribed: what comes before its first subscription, a broker drops."""
        before = self.said("ingest", "ingest listens")
        self.start("ingest")
        until(lambda: self.said("ingest", "ingest listens") > before, "ingest subscribes")

    def said(self, name: str, what: str) -> int:
        """How often a process has said that."""
        return self.log(name).read_text().count(what) if self.log(name).exists() else 0

    def end(self, name: str, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        process = self._processes.pop(name)
        process.send_signal(number)
        return process.wait(PATIENCE_S)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.end(name, signal.SIGKILL)

    def log(self, name: str) -> Path:
        """What the process says."""
        return self.directory / f"{name}.log"

    def close(self) -> None:
        """End what still runs."""
        for name in list(self._processes):
            self.end(name)
        self.engine.dispose()

    def facts(self, entity: type[Any]) -> list[Any]:
        """Every row of a table."""
        with Session(self.engine) as session:
            return list(session.scalars(select(entity)))

    def journal(self) -> list[bytes]:
        """The payloads in the journal."""
        reader = JournalReader(path_for(self.directory, "ingest"))
        try:
            return [row.payload for row in reader.after(0, 1_000_000)]
        finally:
            reader.close()


def until(ask: Callable[[], T], what: str) -> T:
    """Ask until the answer is true; then give it."""
    end_s = time.monotonic() + PATIENCE_S
    while not (answer := ask()):
        assert time.monotonic() < end_s, f"in vain: {what}"
        time.sleep(0.02)
    return answer


@pytest.fixture
def node(broker: Broker) -> Iterator[Node]:
    """A node whose broker runs; its processes are started by the test."""
    made = Node(broker)
    yield made
    made.close()
