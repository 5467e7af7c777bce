"""`python -m demo` prepares the node and becomes honcho; `python -m demo announce` says when and where the page is."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import NoReturn

from demo.node import DemoError, Node, prepare

ROOT = Path(__file__).parent.parent
PATIENCE_S = 60


def main() -> int:
    """Run one of the two; returns only when the demo cannot start, for honcho takes this process over."""
    if sys.argv[1:] == ["announce"]:
        _announce()
    try:
        _become_honcho(_asked())
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
    return 2


def _asked() -> Node:
    parser = argparse.ArgumentParser(prog="python -m demo", description="A whole node on this machine.")
    parser.add_argument("--dir", type=Path, default=Path("var/demo"), help="everything it writes")
    parser.add_argument("--port", type=int, default=8080, help="of the pages and the API")
    parser.add_argument("--mqtt-port", type=int, default=18883, help="of the broker")
    parser.add_argument("--pace", type=float, default=360, help="seconds of the recording in one of the present")
    parser.add_argument("--engine", choices=("auto", "mosquitto", "amqtt"), default="auto")
    asked = parser.parse_args()
    return Node(asked.dir.resolve(), asked.port, asked.mqtt_port, asked.pace, asked.engine)


def _become_honcho(node: Node) -> NoReturn:
    prepare(node)
    programs = Path(sys.executable).parent
    os.environ.update(node.environment, PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    os.chdir(ROOT)
    sys.stdout.flush()
    honcho = programs / "honcho"
    os.execv(honcho, [str(honcho), "start"])  # noqa: S606 - a fixed program of our own environment


def _announce() -> NoReturn:
    """Wait until the node is ready, say where it is, and stay: honcho ends everything when one process ends."""
    address = f"http://127.0.0.1:{os.environ['HTTP_PORT']}"
    token = (Path(os.environ["NODE"]) / "secrets" / "demo-token").read_text().strip()
    began = time.monotonic()
    while not _ready(address):
        if time.monotonic() - began > PATIENCE_S:
            print(f"not ready after {PATIENCE_S} s; see {address}/readyz and the lines above", flush=True)
            break
        time.sleep(0.2)
    else:
        print(f"ready after {time.monotonic() - began:.1f} s", flush=True)
    for line in ("", f"  page   {address}/login#token={token}", f"  token  {token}", "  Ctrl-C ends it.", ""):
        print(line, flush=True)
    while True:
        signal.pause()


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
