"""What both brokers must do with connections: let in, keep apart, give up, cut."""

from __future__ import annotations

import random
import time

import pytest

from broker.contract import codec
from broker.contract.topics import Role
from tests import brokers, clients
from tests.brokers import Broker, device, password
from tests.clients import Client, Raw

READINGS = "city/site-1/dev-a/up/readings"
STATUS = "city/site-1/dev-a/up/status"
REVOKED_WITHIN_S = 5
"""About two seconds on a quiet machine."""


def refused(broker: Broker, name: str, word: str | None = None) -> bool:
    """Whether the broker does not let that name in, with its password or another word."""
    with Raw(broker.host, broker.port) as connection:
        connection.send(clients.connect(name, name, password(name) if word is None else word))
        return connection.socket.recv(4)[3:] != b"\0"


def test_p6_a_wrong_password_an_unknown_name_and_no_name_are_refused(shared_broker: Broker) -> None:
    assert not refused(shared_broker, "ingest")
    assert refused(shared_broker, "ingest", "wrong")
    assert refused(shared_broker, "ingest", "")
    assert refused(shared_broker, "nobody")
    for name, word in ((None, None), ("ingest", None), ("", "")):
        with Raw(shared_broker.host, shared_broker.port) as anonymous:
            anonymous.send(clients.connect("ingest", name, word))
            assert b"\x20\x02\x00\x00" not in anonymous.until_closed()


def test_a_client_that_says_goodbye_leaves_no_last_will(shared_broker: Broker) -> None:
    with Client(shared_broker.login("ingest")) as ingest:
        ingest.subscribe("city/+/+/up/+")
        for number in range(20):
            with Client(shared_broker.login("dev-b"), will=("city/site-1/dev-b/up/status", b"lost")) as agent:
                agent.publish("city/site-1/dev-b/up/readings", str(number).encode())
            with Raw(
                shared_broker.host, shared_broker.port
            ) as quick:  # DISCONNECT and the end of the stream in one segment
                quick.send(
                    clients.connect("dev-b", "dev-b", password("dev-b"), will=("city/site-1/dev-b/up/status", b"lost"))
                )
                quick.expect(clients.LET_IN)
                quick.send(b"\xe0\0")
        with Client(shared_broker.login("dev-b")) as agent:
            agent.publish("city/site-1/dev-b/up/readings", b"sentinel")
        ingest.wait_for("city/site-1/dev-b/up/readings", b"sentinel")
        assert ingest.payloads("city/site-1/dev-b/up/status") == []


def test_a_silent_half_open_connection_is_given_up_and_its_will_announced(shared_broker: Broker) -> None:
    with Client(shared_broker.login("ingest")) as ingest, Raw(shared_broker.host, shared_broker.port) as agent:
        ingest.subscribe("city/+/+/up/status")
        agent.send(
            clients.connect(
                "dev-b", "dev-b", password("dev-b"), keepalive_s=1, will=("city/site-1/dev-b/up/status", b"silent")
            )
        )
        ingest.wait_for("city/site-1/dev-b/up/status", b"silent")
        agent.until_closed()


def test_p6_a_last_will_cannot_speak_as_another(shared_broker: Broker) -> None:
    with Client(shared_broker.login("ingest")) as ingest:
        ingest.subscribe("city/+/+/up/status")
        with Raw(shared_broker.host, shared_broker.port) as liar:
            liar.send(clients.connect("dev-b", "dev-b", password("dev-b"), will=(STATUS, b"a lie")))
        with Client(shared_broker.login("dev-b")) as agent:
            agent.publish("city/site-1/dev-b/up/status", b"sentinel")
        ingest.wait_for("city/site-1/dev-b/up/status", b"sentinel")
        assert b"a lie" not in ingest.payloads(STATUS)


def test_p6_a_stranger_with_the_client_id_of_another_disturbs_nothing(shared_broker: Broker) -> None:
    """amqtt drops, takes over or rewrites the session of the claimed client id before it looks at the password."""
    mine = "city/site-1/dev-a/up/readings"
    with Client(shared_broker.login("ingest"), clean=False) as ingest, Client(shared_broker.login("dev-a")) as agent:
        ingest.subscribe("city/+/+/up/+")
        for clean in (True, False):
            for name, word in (("ingest", "guess"), (None, None), ("dev-b", "guess")):
                with Raw(shared_broker.host, shared_broker.port) as stranger:
                    stranger.send(clients.connect("ingest", name, word, clean=clean, will=(STATUS, b"a lie")))
                    stranger.until_closed()
        with Raw(shared_broker.host, shared_broker.port) as other:  # let in or not, it is dev-b and never ingest
            other.send(clients.connect("ingest", "dev-b", password("dev-b"), clean=False))
            other.send(clients.subscribe(["city/+/+/up/+"]))
            other.socket.recv(4)
        agent.publish(mine, b"sentinel")
        ingest.wait_for(mine, b"sentinel")
        assert ingest.connects == 1
        assert ingest.lost == 0
        assert b"a lie" not in ingest.payloads(STATUS)
        ingest.paho.unsubscribe("city/+/+/up/+")


@pytest.mark.parametrize("clean", [True, False])
def test_the_newest_connection_of_an_account_takes_over_and_receives(shared_broker: Broker, clean: bool) -> None:
    with Client(shared_broker.login("dev-b")) as agent:
        for number in range(5):
            first = Raw(shared_broker.host, shared_broker.port)
            first.send(
                clients.connect("ingest", "ingest", password("ingest"), clean=clean)
                + clients.subscribe(["city/+/+/up/readings"])
            )
            with Client(shared_broker.login("ingest"), clean=clean) as second:
                second.subscribe("city/+/+/up/readings")
                first.until_closed()
                agent.publish("city/site-1/dev-b/up/readings", str(number).encode())
                second.wait_for("city/site-1/dev-b/up/readings", str(number).encode())
            first.socket.close()
    with Client(shared_broker.login("ingest")):
        pass


def test_a_packet_over_the_limit_ends_its_own_connection_only(shared_broker: Broker) -> None:
    with Client(shared_broker.login("ingest")) as ingest:
        ingest.subscribe("city/+/+/up/readings")
        with Client(shared_broker.login("dev-b")) as agent:
            agent.publish("city/site-1/dev-b/up/readings", bytes(codec.MAX_PACKET - 100))
            ingest.wait(lambda: len(ingest.received) == 1, "the largest packet")
        for lie in (None, 200_000_000):
            with Raw(shared_broker.host, shared_broker.port) as agent:
                agent.send(clients.connect("dev-b", "dev-b", password("dev-b")))
                body = clients.text("city/site-1/dev-b/up/readings") + b"\0\1" + bytes(codec.MAX_PACKET)
                agent.send(clients.packet(0x32, body, lie))
                agent.until_closed()
        assert len(ingest.received) == 1
        assert ingest.lost == 0


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"\x00\x00", id="reserved packet type"),
        pytest.param(b"\x30\xff\xff\xff\xff\x7f", id="length of five bytes"),
        pytest.param(clients.packet(0x32, b"\xff\xff" + b"city"), id="topic longer than its packet"),
        pytest.param(clients.packet(0x32, clients.text("city/#") + b"\0\1x"), id="publish to a filter"),
        pytest.param(clients.packet(0x32, b""), id="publish without content"),
        pytest.param(clients.packet(0x82, b"\0\1\0\xffx"), id="filter longer than its packet"),
        pytest.param(random.Random(7).randbytes(300), id="noise"),
    ],
)
def test_malformed_packets_end_their_own_connection_only(shared_broker: Broker, junk: bytes) -> None:
    with Client(shared_broker.login("ingest")) as ingest:
        ingest.subscribe("city/+/+/up/readings")
        with Raw(shared_broker.host, shared_broker.port) as unknown:
            unknown.send(junk)
        with Raw(shared_broker.host, shared_broker.port) as known:
            known.send(clients.connect("dev-b", "dev-b", password("dev-b")) + junk + b"\xc0\0")
        with Client(shared_broker.login("dev-b")) as agent:
            agent.publish("city/site-1/dev-b/up/readings", b"sentinel")
        ingest.wait_for("city/site-1/dev-b/up/readings", b"sentinel")
        assert ingest.lost == 0


def test_p6_a_revoked_account_is_cut_and_a_new_one_let_in_while_the_others_stay(broker: Broker) -> None:
    broker.add(device("site-1", "dev-a"), device("site-1", "dev-b"))
    with Client(broker.login("ingest")) as ingest:
        ingest.subscribe("city/+/+/up/readings")
        agent, other = (
            Client(broker.login(name), will=(f"city/site-1/{name}/up/status", b"lost")) for name in ("dev-a", "dev-b")
        )
        for client in (agent, other):
            client.paho.reconnect_delay_set(1, 1)
            client.begin()
            client.wait(lambda client=client: client.connects > 0, "being let in")
        agent.publish(READINGS, b"before")
        ingest.wait_for(READINGS, b"before")
        began = time.monotonic()
        broker.revoke("dev-a")
        agent.wait(lambda: agent.lost > 0, "being cut", REVOKED_WITHIN_S)
        print(f"{broker.engine}: a revoked account was cut after {time.monotonic() - began:.2f} s")
        agent.wait(lambda: agent.refused > 0, "being refused")
        other.publish("city/site-1/dev-b/up/readings", b"sentinel")
        ingest.wait_for("city/site-1/dev-b/up/readings", b"sentinel")
        assert (ingest.lost, other.lost) == (0, 0)
        agent.__exit__()
        other.__exit__()


def test_a_changed_password_ends_the_connection_that_used_the_old_one(broker: Broker) -> None:
    broker.add(device("site-1", "dev-a"))
    old = Client(broker.login("dev-a"))
    old.begin()
    old.wait(lambda: old.connects + old.refused > 0, "an answer")
    old.wait(lambda: old.connects > 0, "being let in once the file is read")
    broker.add(device("site-1", "dev-a"))  # the same password under another salt
    changed = brokers.Account("dev-a", Role.DEVICE, "site-1", "dev-a", brokers.accounts.hash_password("another"))
    broker.add(changed)
    old.wait(lambda: old.refused > 0, "being refused", REVOKED_WITHIN_S)
    old.__exit__()


def test_a_broken_accounts_file_changes_nothing_and_the_next_good_one_counts(broker: Broker) -> None:
    path = broker.directory / "accounts.json"
    good = path.read_bytes()
    path.write_text("{")
    with Client(broker.login("ingest")) as ingest:
        broker.wait_for_log("the accounts stay as they were")
        assert ingest.lost == 0
        assert not refused(broker, "api")
    path.write_bytes(good)
    broker.revoke("api")
    deadline = time.monotonic() + REVOKED_WITHIN_S
    while not refused(broker, "api"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_killed_broker_comes_back_on_its_port_and_clients_return(broker: Broker) -> None:
    with Client(broker.login("api")) as api:
        broker.kill()
        assert not broker.answers()
        broker.start()
        api.wait(lambda: api.connects == 2, "coming back")
