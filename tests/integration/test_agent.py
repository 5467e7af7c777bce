"""The agent as a real process on real brokers: whatever is killed or cut, nothing is lost."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from broker.contract.messages import Clock
from tests.agents import Agent, Server, eventually, last_seq
from tests.brokers import Broker, device
from tests.proxy import Proxy

BUTTONS = """
[[button]]
name = "panel"
driver = "gpio_buttons"
simulated = true
buttons = {{ red = 17 }}
control = "{control}"
"""


@pytest.fixture
def server(broker: Broker) -> Iterator[Server]:
    broker.add(device("rsud", "roof"))
    with Server(broker.login("ingest")) as running:
        yield running


@pytest.fixture
def agent(broker: Broker, server: Server, tmp_path: Path) -> Iterator[Agent]:
    with Agent(tmp_path / "agent", broker.login("roof"), "rsud") as running:
        yield running
        print(running.log)


def depth(agent: Agent) -> int:
    with closing(sqlite3.connect(f"file:{agent.outbox}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM row").fetchone()[0])


def test_birth_readings_and_heartbeat_arrive_and_receipts_empty_the_outbox(agent: Agent, server: Server) -> None:
    server.wait(lambda: len(server.messages) >= 5 and len(server.heartbeats) >= 2, "readings and heartbeats")
    assert server.statuses[-1].online
    assert len(server.statuses[-1].config) == 12
    assert {sensor.name for sensor in server.heartbeats[-1].sensors} == {"air", "sky"}
    assert all(sensor.simulated and sensor.error is None for sensor in server.heartbeats[-1].sensors)
    assert server.messages[-1].clock is Clock.SYNCED
    eventually(lambda: depth(agent) < 40, "rows deleted")
    assert agent.stop() == 0
    server.wait(lambda: not server.statuses[-1].online, "the goodbye")


def test_p1_an_agent_that_is_killed_again_and_again_loses_no_number(agent: Agent, server: Server) -> None:
    for number in range(4):
        server.wait(lambda: len(server.messages) > 5 * (number + 1), "readings")  # noqa: B023 awaited at once
        server.receipts = number % 2 == 1
        agent.kill()
        agent.start()
    server.receipts = True
    agent.stop()
    end = last_seq(agent)
    agent.start()
    server.wait(lambda: server.has_all_up_to(end), f"every number up to {end}", 20)
    assert len({message.epoch for message in server.messages}) == 1
    kept: dict[int, object] = {}
    for message in server.messages:
        assert kept.setdefault(message.seq, message) == message, "a number always means the same message"


def test_the_last_will_tells_of_a_killed_agent_and_names_its_session(agent: Agent, server: Server) -> None:
    server.wait(lambda: bool(server.statuses), "the birth")
    agent.kill()
    server.wait(lambda: not server.statuses[-1].online, "the will")
    assert server.statuses[-1].session == server.statuses[0].session
    agent.start()
    server.wait(lambda: server.statuses[-1].online, "the second birth")
    assert server.statuses[-1].session != server.statuses[0].session


def test_p1_a_broker_that_is_killed_and_comes_back_costs_nothing(agent: Agent, broker: Broker, server: Server) -> None:
    server.wait(lambda: len(server.messages) > 5, "readings")
    broker.kill()
    before = last_seq(agent)
    eventually(lambda: last_seq(agent) > before + 10, "readings go on without a broker")
    broker.start()
    server.wait(lambda: server.connects > 1, "the server is back")
    server.subscribe("city/+/+/up/readings")
    during = last_seq(agent)
    server.wait(lambda: server.has_all_up_to(during), "everything of the outage, its first second too", 30)


def test_p1_a_half_open_connection_is_noticed_and_costs_nothing(broker: Broker, server: Server, tmp_path: Path) -> None:
    """The proxy goes on holding the connection and passes nothing; then it is cut, as a keepalive would."""
    proxy = Proxy((broker.host, broker.port))
    login = broker.login("roof")
    through = type(login)(broker.host, proxy.port, login.account, login.password)
    with Agent(tmp_path / "agent", through, "rsud") as agent:
        server.wait(lambda: len(server.messages) > 5, "readings")
        proxy.stall()
        before = last_seq(agent)
        eventually(lambda: last_seq(agent) > before + 15, "readings into the void")
        proxy.cut()
        proxy.heal()
        end = last_seq(agent)
        server.wait(lambda: server.has_all_up_to(end), "everything", 30)


def test_p1_presses_through_a_panel_arrive_numbered_one_by_one_over_a_kill(
    broker: Broker, server: Server, tmp_path: Path
) -> None:
    control = tmp_path / "control"
    with Agent(tmp_path / "agent", broker.login("roof"), "rsud", BUTTONS.format(control=control)) as agent:
        for number in (1, 2, 3):
            press(control)
            server.wait(lambda: len(server.presses()) >= number, "the press")  # noqa: B023 awaited at once
        agent.kill()
        control.unlink(missing_ok=True)
        agent.start()
        press(control)
        server.wait(lambda: {one.count for one in server.presses()} == {1, 2, 3, 4}, "the fourth press")
        assert {one.seq for one in server.presses()} == {1, 2, 3, 4}


def press(control: Path) -> None:
    """One press of the simulated panel, answered when the finger has left it."""

    def there() -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(control)) == 0

    eventually(there, "the panel's socket")
    with socket.socket(socket.AF_UNIX) as finger:
        finger.connect(str(control))
        finger.sendall(b"press red\n")
        assert finger.recv(100).startswith(b"ok")


def test_p6_a_wrong_password_is_said_once_with_the_key_to_look_at(broker: Broker, tmp_path: Path) -> None:
    broker.add(device("rsud", "roof"))
    with Agent(tmp_path / "agent", broker.login("roof"), "rsud") as agent:
        agent.kill()
        (agent.home / "password").write_text("wrong")
        agent.start()
        eventually(lambda: "password_file" in agent.log, "the refusal")
        eventually(lambda: last_seq(agent) > 10, "readings are kept meanwhile")
        assert agent.log.count("password_file") == 1
