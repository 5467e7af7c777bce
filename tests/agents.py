"""Agents as real processes, and the smallest server: it remembers what arrives and sends receipts."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from paho.mqtt.client import Client as Paho
from paho.mqtt.client import MQTTMessage

from broker.client import Login
from broker.contract import codec
from broker.contract.messages import VERSION, Heartbeat, Press, Readings, Receipt, Status
from broker.contract.topics import HEARTBEAT, PRESS, READINGS, RECEIPT, STATUS, parse, topic
from tests.clients import Client

SITE_FILE = """
[agent]
site = "{site}"
device = "{device}"
state_dir = "state"
heartbeat_s = 1
[mqtt]
host = "{login.host}"
port = {login.port}
password_file = "password"
[clock]
trust = "always"
[outbox]
commit_s = 0.1
"""

TWO_SENSORS = """
[[sensor]]
name = "air"
driver = "simulated"
interval_s = 0.05
[[sensor]]
name = "sky"
driver = "simulated"
interval_s = 0.1
quantities = ["noise", "rain"]
"""


class Agent:
    """`python -m edge run` in a directory of its own.

    Args:
        home: for its site file, password and state.
        login: of the device at the broker.
        site: where the device is.
        wiring: TOML of its sensors and buttons.
    """

    def __init__(self, home: Path, login: Login, site: str, wiring: str = TWO_SENSORS) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.device = home, login.account
        self.file = home / "site.toml"
        self.file.write_text(SITE_FILE.format(site=site, device=login.account, login=login) + wiring)
        (home / "password").write_text(login.password + "\n")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self if self.process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def log(self) -> str:
        return (self.home / "log").read_text()

    @property
    def outbox(self) -> Path:
        return self.home / "state" / "outbox.db"

    def start(self, **environment: str) -> Self:
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", str(self.file)], stderr=log, env=environment or None
            )
        return self

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        assert self.process is not None
        return self.process.wait(10)


class Server(Client):
    """A stand-in for ingest that remembers every message, and answers each with a receipt while `receipts` is set."""

    def __init__(self, login: Login) -> None:
        super().__init__(login)
        self.receipts = True
        self.messages: list[Readings | Press] = []
        self.statuses: list[Status] = []
        self.heartbeats: list[Heartbeat] = []

    def __enter__(self) -> Self:
        super().__enter__()
        self.subscribe("city/+/+/up/readings", "city/+/+/up/press", "city/+/+/up/status", "city/+/+/up/heartbeat")
        return self

    def _on_message(self, client: Paho, userdata: Any, message: MQTTMessage) -> None:
        address = parse(message.topic)
        content = codec.decode(address.kind, bytes(message.payload))
        with self._changed:
            if address.kind in {READINGS, PRESS}:
                self.messages.append(content)
            elif address.kind == STATUS:
                self.statuses.append(content)
            elif address.kind == HEARTBEAT:
                self.heartbeats.append(content)
            self._changed.notify_all()
        if address.kind.receipted and self.receipts:
            receipt = codec.encode(Receipt(v=VERSION, epoch=content.epoch, ranges=((content.seq, content.seq),)))
            client.publish(topic(address.site, address.device, RECEIPT), receipt, RECEIPT.qos)

    def presses(self) -> list[Press]:
        return [message for message in list(self.messages) if isinstance(message, Press)]

    def seqs(self) -> set[int]:
        return {message.seq for message in list(self.messages)}

    def has_all_up_to(self, seq: int) -> bool:
        """Whether every number from 1 to `seq` has arrived."""
        return self.seqs() >= set(range(1, seq + 1))


def eventually(condition: Callable[[], bool], what: str, patience_s: float = 15) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.01)


def last_seq(agent: Agent) -> int:
    """The newest number that the agent has given out, read from its outbox."""
    with closing(sqlite3.connect(f"file:{agent.outbox}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT last_seq FROM tally").fetchone()[0])
