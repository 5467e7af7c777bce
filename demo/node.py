"""What a demo node needs on disk: settings, accounts, a token, and one site file for each agent."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from api.__main__ import main as api

SITE = "beijing"
DATA = Path(__file__).parent / "data"


class Station(NamedTuple):
    """One recorded station: its id, title, and degrees north and east."""

    id: str
    title: str
    latitude: float
    longitude: float


STATIONS = (
    Station("aotizhongxin", "Aotizhongxin", 39.982, 116.397),
    Station("huairou", "Huairou", 40.328, 116.628),
    Station("wanliu", "Wanliu", 39.987, 116.287),
)


class DemoError(Exception):
    """The demo cannot start; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Node:
    """Where the demo lives and how it is reached.

    Attributes:
        directory: everything it writes.
        port: of the pages and the API.
        mqtt_port: of the broker.
        pace: seconds of the recording in one second of the present.
        engine: "auto", "mosquitto" or "amqtt".
    """

    directory: Path
    port: int
    mqtt_port: int
    pace: float
    engine: str

    @property
    def settings(self) -> Path:
        """The server's settings file."""
        return self.directory / "simpul.toml"

    @property
    def token(self) -> Path:
        """The file with the token for the page."""
        return self.directory / "secrets" / "demo-token"

    @property
    def environment(self) -> dict[str, str]:
        """What the Procfile's lines are told."""
        return {
            "NODE": str(self.directory),
            "SIMPUL_CONFIG": str(self.settings),
            "MQTT_PORT": str(self.mqtt_port),
            "ENGINE": self.engine,
            "HTTP_PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
        }


def prepare(node: Node) -> None:
    """Write what is missing; what is there stays, so a second start goes on where the first ended.

    Raises:
        DemoError: a port is taken, or a command of the server failed; it has said why.
    """
    _check_port(node.port, "PORT")
    _check_port(node.mqtt_port, "MQTT_PORT")
    (node.directory / "agents").mkdir(parents=True, exist_ok=True)
    node.settings.write_text(_settings(node))
    _run(node, "init")
    _run(node, "site", "add", SITE, "--title", "Beijing 2016-17", "--if-missing")
    for station in STATIONS:
        secret = node.directory / "secrets" / station.id
        _run(
            node, "device", "add", station.id, "--site", SITE, "--title", station.title,
            "--latitude", str(station.latitude), "--longitude", str(station.longitude),
            "--secret-file", str(secret), "--if-missing",
        )  # fmt: skip
        (node.directory / "agents" / f"{station.id}.toml").write_text(_site_file(node, station))
    _run(node, "token", "add", "demo", "--secret-file", str(node.token), "--if-missing")


def _run(node: Node, *arguments: str) -> None:
    if api(["--config", str(node.settings), *arguments]):
        raise DemoError(
            f"`python -m api {' '.join(arguments)}` failed; see above. To begin afresh: rm -r {node.directory}"
        )


def _check_port(port: int, setting: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(f"port {port} cannot be had ({error.strerror}): make demo {setting}={port + 1}") from None


def _settings(node: Node) -> str:
    return f"""\
data_dir = "."
zone = "Asia/Jakarta"

[http]
port = {node.port}
metrics_public = true

[mqtt]
port = {node.mqtt_port}
"""


def _site_file(node: Node, station: Station) -> str:
    buttons = f"""
[[button]]
name = "panel"
driver = "gpio_buttons"
simulated = true
buttons = {{ call = 17 }}
control = "{node.directory.resolve()}/panel.sock"
"""
    return f"""\
[agent]
site = "{SITE}"
device = "{station.id}"
state_dir = "{station.id}"
heartbeat_s = 10

[mqtt]
host = "127.0.0.1"
port = {node.mqtt_port}
password_file = "../secrets/{station.id}"

[clock]
trust = "always"

[[sensor]]
name = "station"
driver = "replay"
file = "{DATA / station.id}.csv"
pace = {node.pace}
{buttons if station is STATIONS[-1] else ""}"""
