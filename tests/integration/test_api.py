"""The API over real sockets: live streams fed by a real broker, ended tokens, and stopping."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx
import pytest
import uvicorn

from api.access import registry
from api.app import create_app
from api.db import transaction
from api.serving import Server
from broker.contract.codec import encode
from broker.contract.messages import DeviceState, Latest, Value
from broker.contract.topics import DEVICE, LATEST, topic
from tests.brokers import Broker, free_port
from tests.clients import Client
from tests.node import NOW_MS, Node

PATIENCE_S = 20


class Event(NamedTuple):
    """One server-sent event."""

    name: str
    id: str
    data: Any


class Stream:
    """An open stream; `next` waits for the next event, and raises StopIteration when the stream has ended."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines()

    def next(self) -> Event:
        fields: dict[str, str] = {}
        for line in self._lines:
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                return Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
        raise StopIteration

    def until(self, name: str) -> Event:
        """The next event of that name."""
        while (event := self.next()).name != name:
            pass
        return event


class Served:
    """A node's application on a port of its own, in a thread."""

    def __init__(self, node: Node, *, follow: bool = True) -> None:
        self.app = create_app(node.settings, store=node.store, now=node.clock, follow=follow)
        self.app.state.hub.recheck_s = 0.1
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(self.app, log_config=None, timeout_graceful_shutdown=2)
        self.server = Server(config, self.app.state.hub.close)
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self._socket]})

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: self.server.started, "the server to start")
        return self

    def __exit__(self, *_: object) -> None:
        self.server.handle_exit(signal.SIGTERM, None)
        self._thread.join(PATIENCE_S)
        self._socket.close()
        assert not self._thread.is_alive()

    @contextmanager
    def stream(self, token: str, query: str = "", **headers: str) -> Iterator[Stream]:
        """GET /live."""
        with stream(f"{self.url}/api/v1/live{query}", token, **headers) as opened:
            yield opened


@contextmanager
def stream(url: str, token: str, **headers: str) -> Iterator[Stream]:
    with httpx.stream(
        "GET", url, headers={"Authorization": f"Bearer {token}", **headers}, timeout=PATIENCE_S
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield Stream(answer)


def wait_for(condition: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node without a broker."""
    made = make_node(tmp_path)
    yield made
    made.close()


@pytest.fixture
def joined(broker: Broker, tmp_path: Path) -> Iterator[Node]:
    """A node whose API follows `broker`, on each engine."""
    made = make_node(tmp_path, mqtt={"host": broker.host, "port": broker.port})
    yield made
    made.close()


def make_node(directory: Path, **tables: Any) -> Node:
    made = Node(directory, **tables)
    for site, device in (("north", "n-1"), ("south", "s-1")):
        made.add_site(site)
        made.add_device(device, site)
    return made


def latest(value: float) -> bytes:
    return encode(
        Latest(v=1, values=(Value(sensor="air", quantity="pm2_5", at=NOW_MS / 1000, value=value, quality=2),))
    )


def state(*, received: int = 1) -> bytes:
    return encode(
        DeviceState(
            v=1, online=True, contact=NOW_MS / 1000, heartbeat=None, status=None, received=received, missing=0,
            duplicates=0, quarantined=0,
        )
    )  # fmt: skip


def test_what_ingest_publishes_reaches_every_watcher_that_may_see_it(joined: Node, broker: Broker) -> None:
    with Client(broker.login("ingest")) as ingest, Served(joined) as served:
        ingest.publish(topic("north", "n-1", LATEST), latest(7.5), retain=True)
        ingest.publish(topic("south", "s-1", DEVICE), state(), retain=True)
        with served.stream(joined.token()) as whole, served.stream(joined.token(site="south")) as south:
            assert whole.until("latest").data["values"][0]["value"] == 7.5
            assert south.until("device").data["id"] == "s-1"
            ingest.publish(topic("north", "n-1", LATEST), b"not a state", retain=True)
            ingest.publish(topic("north", "n-1", LATEST), latest(8.5), retain=True)
            ingest.publish(topic("south", "s-1", DEVICE), state(received=9), retain=True)
            wait_for(lambda: whole.until("latest").data["values"][0]["value"] == 8.5, "the new value")
            changed = south.next()
            assert (changed.name, changed.data["messages"]["received"]) == ("device", 9)


def test_a_process_that_starts_late_knows_the_present_from_the_retained_states(joined: Node, broker: Broker) -> None:
    with Client(broker.login("ingest")) as ingest:
        ingest.publish(topic("north", "n-1", LATEST), latest(7.5), retain=True)
    with Served(joined) as served, served.stream(joined.token()) as opened:
        assert opened.until("latest").data == {
            "site": "north", "device": "n-1",
            "values": [
                {"sensor": "air", "quantity": "pm2_5", "at": "2026-01-31T19:00:00+07:00", "value": 7.5, "quality": 2}
            ],
        }  # fmt: skip


def test_p5_while_the_broker_is_away_every_stream_says_that_it_is_not_live(joined: Node, broker: Broker) -> None:
    with Served(joined) as served, served.stream(joined.token()) as opened:
        opened.until("online")
        broker.kill()
        opened.until("offline")
        with served.stream(joined.token()) as late:
            assert late.next().name == "offline"
        broker.start()
        opened.until("online")


def test_p6_a_stream_ends_soon_after_its_token_is_revoked(node: Node) -> None:
    with Served(node, follow=False) as served:
        token, other = node.token(), node.token()
        with served.stream(token) as ending, served.stream(other) as staying:
            ending.until("offline")
            staying.until("offline")
            with transaction(node.engine) as session:
                registry.revoke_token(session, token[7:19], 1)
            with pytest.raises(StopIteration):
                ending.next()
            served.app.state.hub.link(connected=True)
            assert staying.next().name == "online"
        wait_for(lambda: len(served.app.state.hub) == 0, "watchers to leave")


def test_p6_a_stream_ends_when_its_token_expires_although_it_is_busy(node: Node) -> None:
    with Served(node, follow=False) as served, served.stream(node.token(expires=1)) as opened:
        opened.until("offline")
        node.clock.forward(86_400)
        served.app.state.hub.put("latest", "north", "n-1", "{}")
        with pytest.raises(StopIteration):
            opened.until("the end")


def test_a_reader_that_comes_back_gets_what_it_missed(node: Node) -> None:
    with Served(node, follow=False) as served:
        hub, token = served.app.state.hub, node.token()
        hub.put("latest", "north", "n-1", '{"n":1}')
        hub.put("latest", "south", "s-1", '{"n":2}')
        with served.stream(token) as opened:
            opened.until("latest")
            seen = opened.until("latest")
        hub.put("latest", "north", "n-1", '{"n":3}')
        with served.stream(token, **{"Last-Event-ID": seen.id}) as again:
            assert again.until("latest").data == {"n": 3}
        with served.stream(token, "?device=s-1") as one:
            assert one.until("latest").data == {"n": 2}


def test_a_reader_that_goes_away_is_forgotten(node: Node) -> None:
    with Served(node, follow=False) as served:
        with served.stream(node.token()) as opened:
            opened.next()
            assert len(served.app.state.hub) == 1
        wait_for(lambda: len(served.app.state.hub) == 0, "the watcher to leave")


@contextmanager
def process(directory: Path, token_file: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`python -m api serve` on a fresh node whose broker is away; its address."""
    port, mqtt_port = free_port(), free_port()
    settings = directory / "simpul.toml"
    settings.write_text(f"data_dir = 'node'\n[http]\nport = {port}\n[mqtt]\nport = {mqtt_port}\n")
    environment = {**os.environ, "SIMPUL_CONFIG": str(settings)}
    for command in (["init"], ["token", "add", "test", "--secret-file", str(token_file)]):
        subprocess.run([sys.executable, "-m", "api", *command], env=environment, check=True, timeout=60)
    running = subprocess.Popen([sys.executable, "-m", "api", "serve"], env=environment)
    try:
        wait_for(lambda: _answers(port), "the server to answer")
        yield running, f"http://127.0.0.1:{port}"
    finally:
        if running.poll() is None:
            running.kill()
        running.wait(PATIENCE_S)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_process_stops_within_two_seconds_although_streams_are_open(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    with process(tmp_path, secret) as (running, url):
        token = secret.read_text().strip()
        with stream(f"{url}/api/v1/live", token) as one, stream(f"{url}/api/v1/live", token) as two:
            assert one.next().name == "offline"
            assert two.next().name == "offline"
            began = time.monotonic()
            running.send_signal(signal.SIGTERM)
            with pytest.raises(StopIteration):
                one.next()
            running.wait(PATIENCE_S)
            assert time.monotonic() - began < 2
        assert running.returncode in {0, -signal.SIGTERM}
