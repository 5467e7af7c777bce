"""A whole node as real processes: broker, ingest, worker, API and agents, each started and killed at will."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from api.__main__ import main as api
from tests.brokers import Broker, free_port

SITE = "city"


def until(condition: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
    """Wait for a condition; fail with `what` when it does not come true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.05)


class Process:
    """One process of a node; its output goes to `<name>.log` in the node's directory."""

    def __init__(self, name: str, command: list[str], directory: Path, environment: dict[str, str]) -> None:
        self.name = name
        self._command = [sys.executable, *command]
        self._log = directory / f"{name}.log"
        self._environment = os.environ | environment
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._running is not None, f"{self.name} was never started"
        return self._running.pid

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def alive(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def start(self) -> None:
        assert not self.alive(), f"{self.name} runs already"
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def stop(self) -> None:
        self.end(signal.SIGTERM)

    def end(self, number: int) -> None:
        if self._running is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._running.send_signal(number)
        self._running.wait(15)


class WholeNode:
    """A node in `directory`, on free ports, with its registry initialised and nothing started."""

    def __init__(self, directory: Path, engine: str) -> None:
        self.directory = directory
        self.http_port = free_port()
        self.settings = directory / "simpul.toml"
        self.broker = Broker(directory, engine, port=free_port())
        self.settings.write_text(
            f'data_dir = "."\n[http]\nport = {self.http_port}\nmetrics_public = true\n'
            f"[mqtt]\nport = {self.broker.port}\n"
        )
        self.run("init")
        self.run("site", "add", SITE, "--title", "The city", "--if-missing")
        self.processes: dict[str, Process] = {}
        for name in ("ingest", "worker", "serve"):
            self._add(name, ["-m", "api", name])

    def run(self, *arguments: str) -> None:
        """A command of the registry, in this process."""
        status = api(["--config", str(self.settings), *arguments])
        assert status == 0, f"python -m api {' '.join(arguments)} ended with {status}"

    def agent(
        self, name: str, tables: str, *, mqtt_port: int | None = None, command: tuple[str, ...] = ("-m", "edge", "run")
    ) -> Process:
        """Register a device and make its site file; `tables` holds its sensors, buttons and other settings."""
        secret = self.directory / "secrets" / name
        self.run("device", "add", name, "--site", SITE, "--secret-file", str(secret), "--if-missing")
        path = self.directory / f"{name}.toml"
        path.write_text(
            f'[agent]\nsite = "{SITE}"\ndevice = "{name}"\nstate_dir = "{name}"\nheartbeat_s = 1\n'
            f'[mqtt]\nhost = "127.0.0.1"\nport = {mqtt_port or self.broker.port}\n'
            f'password_file = "secrets/{name}"\n{tables}'
        )
        return self._add(name, [*command, str(path)])

    def token(self, title: str = "test", scope: str = "read") -> str:
        """The text of a token."""
        path = self.directory / f"token-{title}"
        if not path.exists():
            self.run("token", "add", title, "--scope", scope, "--secret-file", str(path))
        return path.read_text().strip()

    def get(self, path: str) -> Any:
        """GET from the API, as JSON."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}", headers={"Authorization": f"Bearer {self.token()}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def ready(self) -> bool:
        with contextlib.suppress(urllib.error.URLError, OSError):
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/readyz", timeout=2).status == 200)
        return False

    def start(self, *names: str) -> None:
        """Start the broker and the processes of those names; none: all of them."""
        if not self.broker.answers():
            self.broker.start()
        for name in names or self.processes:
            self.processes[name].start()

    def stop(self) -> None:
        for process in self.processes.values():
            process.stop()
        self.broker.stop()

    def _add(self, name: str, command: list[str]) -> Process:
        process = Process(name, command, self.directory, {"SIMPUL_CONFIG": str(self.settings)})
        self.processes[name] = process
        return process


@contextlib.contextmanager
def running(directory: Path, engine: str) -> Iterator[WholeNode]:
    """A node that is stopped at the end, whatever happens."""
    node = WholeNode(directory, engine)
    try:
        yield node
    finally:
        node.stop()
