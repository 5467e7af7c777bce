"""The demo as a new user starts it: three stations with real values, gaps kept, and killed processes that come back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import free_port
from tests.whole_node import until

ROOT = Path(__file__).parents[2]
STATIONS = {"aotizhongxin", "huairou", "wanliu"}


class Demo:
    """`python -m demo` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.mqtt_port = free_port(), free_port()
        self.log = directory / "demo.log"

    def command(self) -> list[str]:
        ports = ["--port", str(self.port), "--mqtt-port", str(self.mqtt_port), "--engine", "amqtt"]
        return [sys.executable, "-m", "demo", "--dir", str(self.directory / "node"), "--pace", "3600", *ports]

    @contextlib.contextmanager
    def running(self) -> Iterator[Demo]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(self.command(), cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        try:
            yield self
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def get(self, path: str) -> Any:
        token = (self.directory / "node" / "secrets" / "demo-token").read_text().strip()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1{path}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def stations(self) -> set[str]:
        with contextlib.suppress(OSError):
            return {item["device"] for item in self.get("/latest?quantity=pm2_5")["items"] if not item["stale"]}
        return set()

    def received(self) -> dict[str, int]:
        return {item["id"]: item["messages"]["received"] for item in self.get("/devices")["items"]}


@pytest.mark.slow
def test_the_demo_shows_three_stations_keeps_their_gaps_and_survives_kills(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with demo.running():
        until(lambda: demo.stations() == STATIONS, "three stations show values")
        assert re.search(r"http://127\.0\.0\.1:\d+/login#token=simpul_", demo.log.read_text())
        until(lambda: _hours(demo) >= HOURS_OF_WANLIU, "the past of a station is there")
        assert _hours(demo) == HOURS_OF_WANLIU, "hours without a value stay gaps"
        for pattern in ("api ingest", "api worker", "edge run .*wanliu", "broker serve"):
            before = demo.received()["wanliu"]
            _kill(tmp_path, pattern)
            until(lambda before=before: _still(demo) and demo.received()["wanliu"] > before + 2, f"{pattern} is back")
        devices = demo.get("/devices")["items"]
        assert [device["messages"]["missing"] for device in devices] == [0, 0, 0]


def test_a_taken_port_is_named_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with socket.create_server(("127.0.0.1", demo.port)):
        ended = subprocess.run(demo.command(), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert f"port {demo.port} cannot be had" in ended.stderr
    assert f"make demo PORT={demo.port + 1}" in ended.stderr


def _recorded_hours() -> int:
    rows = (ROOT / "demo" / "data" / "wanliu.csv").read_text().splitlines()
    column = rows[0].split(",").index("pm2_5")
    return sum(bool(row.split(",")[column]) for row in rows[1:])


HOURS_OF_WANLIU = _recorded_hours() - 1
"""The last hour of the recording falls on now, where the present goes on."""


def _hours(demo: Demo) -> int:
    """Hours of the past, the present one left out, in which Wanliu has PM2.5."""
    series = demo.get("/series?device=wanliu&quantity=pm2_5")["items"][0]
    begin = datetime.fromisoformat(series["first"]) - timedelta(hours=1)  # its bucket begins before it
    count, path = 0, f"/readings?series={series['id']}&interval=1h&from={_quoted(begin.isoformat())}&limit=1000"
    present = datetime.fromisoformat(demo.get("/latest?device=wanliu&quantity=pm2_5")["items"][0]["at"])
    while path:
        page = demo.get(path)
        count += sum((present - datetime.fromisoformat(item["start"])).total_seconds() > 3600 for item in page["items"])
        path = (page["next"] or "").removeprefix("/api/v1")
    return count


def _quoted(text: str) -> str:
    return text.replace("+", "%2B")


def _still(demo: Demo) -> bool:
    with contextlib.suppress(OSError):
        return bool(demo.get("/sites")["items"])
    return False


def _kill(directory: Path, pattern: str) -> None:
    """SIGKILL to the Python process of this demo whose command matches, not to the loop that restarts it."""
    killed = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            ours = str(directory) in (entry / "environ").read_bytes().decode(errors="replace")
            if ours and re.match(rf"\S*python -m {pattern}", command):
                os.kill(int(entry.name), signal.SIGKILL)
                killed += 1
    assert killed == 1, f"{killed} processes match {pattern}"
    time.sleep(0.2)
