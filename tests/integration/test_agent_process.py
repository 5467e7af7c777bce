"""The agent as a process, where the kind of broker makes no difference: command line, signals, service manager."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.client import Login
from edge.events import Connected, Event
from edge.mqtt import Connection
from tests.agents import Agent, Server, eventually, last_seq
from tests.brokers import Broker, device, servers
from tests.clients import LET_IN


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    names = ("roof", "one", "two", "three")
    listed = [*servers(), *(device("rsud", name) for name in names)]
    running = Broker(tmp_path_factory.mktemp("node"), "amqtt", listed).start()
    yield running
    running.stop()


@pytest.fixture
def server(broker: Broker) -> Iterator[Server]:
    with Server(broker.login("ingest")) as running:
        yield running


@pytest.fixture
def agent(broker: Broker, server: Server, tmp_path: Path) -> Iterator[Agent]:
    with Agent(tmp_path / "agent", broker.login("roof"), "rsud") as running:
        yield running
        print(running.log)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", *arguments], capture_output=True, text=True, timeout=20, check=False
    )


def test_a_hangup_takes_up_a_changed_site_file_and_refuses_a_wrong_one(agent: Agent, server: Server) -> None:
    server.wait(lambda: bool(server.heartbeats), "a heartbeat")
    right = agent.file.read_text()
    agent.file.write_text(right.replace("interval_s", "intervall_s"))
    agent.signal(signal.SIGHUP)
    eventually(lambda: "did you mean 'interval_s'" in agent.log, "the refusal in the log")
    before = len(server.messages)
    server.wait(lambda: len(server.messages) > before + 3, "readings go on")
    agent.file.write_text(right.replace('"sky"', '"cloud"'))
    agent.signal(signal.SIGHUP)
    server.wait(lambda: any(s.name == "cloud" for s in server.heartbeats[-1].sensors), "the new file's heartbeat")
    end = last_seq(agent)
    server.wait(lambda: server.has_all_up_to(end), "everything")
    assert len({message.epoch for message in server.messages}) == 1
    assert agent.stop() == 0


def test_a_storm_of_hangups_kills_nothing_and_loses_nothing(agent: Agent, server: Server) -> None:
    server.wait(lambda: bool(server.messages), "the first reading")
    for number in range(3):
        seen = len(server.statuses)
        for _ in range(10):
            agent.signal(signal.SIGHUP)
        server.wait(lambda: len(server.statuses) > seen, f"storm {number} is over")  # noqa: B023 awaited at once
    before = last_seq(agent)
    eventually(lambda: last_seq(agent) > before + 3, "readings go on")
    end = last_seq(agent)
    server.wait(lambda: server.has_all_up_to(end), "everything")
    assert agent.stop() == 0


def test_a_second_agent_on_the_same_state_directory_is_refused(agent: Agent, server: Server) -> None:
    server.wait(lambda: bool(server.messages), "the first agent")
    second = command("run", str(agent.file))
    assert second.returncode == 1
    assert agent.process is not None
    assert f"process id {agent.process.pid}" in second.stderr
    assert "state_dir" in second.stderr


def test_several_agents_on_one_machine_do_not_disturb_each_other(
    broker: Broker, server: Server, tmp_path: Path
) -> None:
    agents = [Agent(tmp_path / name, broker.login(name), "rsud").start() for name in ("one", "two", "three")]
    try:
        server.wait(lambda: len({message.epoch for message in server.messages}) == 3, "all three")
    finally:
        assert [agent.stop() for agent in agents] == [0, 0, 0]


def test_the_service_manager_hears_that_it_is_ready_and_alive(broker: Broker, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        agent = Agent(tmp_path / "agent", broker.login("roof"), "rsud")
        with agent.start(**os.environ, NOTIFY_SOCKET=str(tmp_path / "notify")):
            heard = {manager.recv(100) for _ in range(3)}
    assert heard == {b"READY=1", b"WATCHDOG=1"}


def test_an_interrupt_from_a_terminal_ends_it_in_order(agent: Agent, server: Server) -> None:
    server.wait(lambda: bool(server.messages), "the first reading")
    agent.signal(signal.SIGINT)
    assert agent.process is not None
    assert agent.process.wait(10) == 0
    server.wait(lambda: not server.statuses[-1].online, "the goodbye")


def test_check_config_says_what_would_run_and_a_wrong_file_ends_with_2(broker: Broker, tmp_path: Path) -> None:
    agent = Agent(tmp_path / "agent", broker.login("roof"), "rsud")
    checked = command("check-config", str(agent.file))
    assert checked.returncode == 0
    assert "air: simulated, made up, every 0.05 s" in checked.stdout
    agent.file.write_text(agent.file.read_text().replace("host", "hosts").replace("interval_s", "intervals"))
    for asked in ("check-config", "run"):
        refused = command(asked, str(agent.file))
        assert refused.returncode == 2
        assert "did you mean 'host'" in refused.stderr
        assert "did you mean 'interval_s'" in refused.stderr
    assert not agent.outbox.parent.exists(), "checked before anything is opened"


def test_a_missing_password_file_ends_with_1_and_names_its_key(broker: Broker, tmp_path: Path) -> None:
    agent = Agent(tmp_path / "agent", broker.login("roof"), "rsud")
    (agent.home / "password").unlink()
    refused = command("run", str(agent.file))
    assert refused.returncode == 1
    assert "[mqtt] password_file" in refused.stderr


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_connection_whose_thread_has_died_begins_again(broker: Broker) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    connection = Connection(broker.login("one"), site="rsud", emit=events.put)
    broken = threading.Event()

    def status(_session: str, _online: bool) -> bytes:
        if not broken.is_set():
            broken.set()
            raise ZeroDivisionError("a mistake on the connection's thread")
        return b"{}"

    def tended() -> bool:
        connection.tend()
        return not events.empty()

    connection.start(status)
    try:
        assert broken.wait(10)
        eventually(tended, "a connection")
        assert isinstance(events.get(), Connected)
    finally:
        connection.stop()


def test_p1_where_receipts_are_denied_nothing_is_sent_and_the_reason_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """A broker that lets the device in and refuses its subscription (MQTT 3.1.1, section 3.9.3)."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        connection = Connection(Login("127.0.0.1", port, "mute", "x"), site="rsud", emit=events.put)
        connection.start(lambda _session, _online: b"{}")
        with listener.accept()[0] as peer:
            peer.recv(1000)
            peer.sendall(LET_IN)
            subscribe = peer.recv(1000)
            peer.sendall(b"\x90\x03" + subscribe[2:4] + b"\x80")
            eventually(lambda: "denies receipts" in caplog.text, "the reason in the log")
            assert events.empty()
            assert not connection.publish(1, "press", b"{}")
        connection.stop()
