"""What both brokers must do with messages, on real processes."""

from __future__ import annotations

import contextlib
import statistics
import time
from pathlib import Path

from tests.brokers import Broker
from tests.clients import Client

READINGS = "city/site-1/dev-a/up/readings"
STATUS = "city/site-1/dev-a/up/status"
RECEIPT = "city/site-1/dev-a/down/receipt"
LATEST = "city/site-1/dev-a/state/latest"


def test_a_message_at_qos_1_arrives_once_and_in_order(shared_broker: Broker) -> None:
    with Client(shared_broker.login("ingest")) as ingest, Client(shared_broker.login("dev-a")) as agent:
        ingest.subscribe("city/+/+/up/readings")
        for number in range(300):
            agent.paho.publish(READINGS, str(number).encode(), 1)
        ingest.wait_for(READINGS, b"299")
        assert ingest.payloads(READINGS) == [str(number).encode() for number in range(300)]


def test_a_retained_message_reaches_who_comes_later_until_it_is_cleared(shared_broker: Broker) -> None:
    with Client(shared_broker.login("ingest")) as ingest:
        ingest.publish(LATEST, b"old", retain=True)
        ingest.publish(LATEST, b"new", retain=True)
        with Client(shared_broker.login("api")) as late:
            late.subscribe("city/+/+/state/+")
            late.wait_for(LATEST, b"new")
            assert late.received == [(LATEST, b"new", True)]
        ingest.publish(LATEST, b"", retain=True)
        with Client(shared_broker.login("api")) as later:
            later.subscribe("city/+/+/state/+")
            ingest.publish(LATEST, b"sentinel")
            later.wait_for(LATEST, b"sentinel")
            assert later.payloads(LATEST) == [b"sentinel"]


def test_p6_a_client_that_connects_is_sent_nothing_it_did_not_ask_for(shared_broker: Broker) -> None:
    """amqtt sends whoever connects the retained messages of every subscription that anybody holds."""
    with Client(shared_broker.login("ingest")) as ingest, Client(shared_broker.login("watch-1")) as watcher:
        ingest.subscribe("city/+/+/up/status")
        watcher.subscribe(LATEST)
        ingest.publish(LATEST, b"state", retain=True)
        with Client(shared_broker.login("dev-a")) as first:
            first.publish(STATUS, b"birth", retain=True)
        ingest.wait_for(STATUS, b"birth")
        for name in ("dev-b", "api"):
            with Client(shared_broker.login(name)) as curious:
                curious.subscribe(RECEIPT.replace("dev-a", "dev-b"))
                ingest.publish(RECEIPT.replace("dev-a", "dev-b"), b"sentinel")
                if name == "dev-b":
                    curious.wait_for(RECEIPT.replace("dev-a", "dev-b"), b"sentinel")
                assert {topic for topic, _, _ in curious.received} <= {RECEIPT.replace("dev-a", "dev-b")}
        ingest.publish(LATEST, b"", retain=True)


def test_a_lost_connection_announces_the_last_will_and_keeps_it(shared_broker: Broker) -> None:
    with Client(shared_broker.login("ingest")) as ingest:
        ingest.subscribe("city/+/+/up/status")
        agent = Client(shared_broker.login("dev-a"), will=(STATUS, b"lost"))
        agent.__enter__()
        agent.publish(STATUS, b"birth", retain=True)
        ingest.wait_for(STATUS, b"birth")
        agent.drop()
        ingest.wait_for(STATUS, b"lost")
    with Client(shared_broker.login("ingest")) as late:
        late.subscribe("city/+/+/up/status")
        late.wait_for(STATUS, b"lost")


def test_a_client_that_was_away_is_given_what_waited_for_it(shared_broker: Broker) -> None:
    """A convenience that no promise rests on, up to a limit that both brokers have.

    Once each, in whatever order: amqtt may deliver what comes just now before what has waited.
    """
    filters = ("city/+/+/up/readings",)
    with Client(shared_broker.login("ingest"), clean=False) as before:
        before.subscribe(*filters)
    with Client(shared_broker.login("dev-b")) as agent:
        for number in range(50):
            agent.publish("city/site-1/dev-b/up/readings", str(number).encode())
    with Client(shared_broker.login("ingest"), clean=False) as after:
        after.wait(lambda: len(after.payloads("city/site-1/dev-b/up/readings")) >= 50, "all that waited")
        assert sorted(map(int, after.payloads("city/site-1/dev-b/up/readings"))) == list(range(50))
        after.paho.unsubscribe(filters[0])


def test_subscriptions_that_come_and_go_cost_the_others_no_message(shared_broker: Broker) -> None:
    """amqtt drops a message when a subscription is made while it looks for who wants it."""
    with contextlib.ExitStack() as stack:
        names = ("ingest", "api", "watch-1", "watch-2")
        ingest, api, watcher, restless = (stack.enter_context(Client(shared_broker.login(name))) for name in names)
        api.subscribe("city/+/+/state/latest")
        watcher.subscribe("city/site-1/+/state/latest")
        for number in range(300):
            ingest.paho.publish(LATEST, str(number).encode(), 1)
            restless.paho.subscribe(f"city/site-1/d{number}/state/latest", 1)
            restless.paho.unsubscribe(f"city/site-1/d{number - 1}/state/latest")
        for client in (api, watcher):
            client.wait_for(LATEST, b"299")
            assert client.payloads(LATEST) == [str(number).encode() for number in range(300)]


def test_a_small_round_trip_has_no_40_ms_trap(shared_broker: Broker) -> None:
    """Nagle and delayed acknowledgement together cost 44 ms a trip; without them it is below one."""
    with Client(shared_broker.login("ingest")) as ingest, Client(shared_broker.login("dev-a")) as agent:
        ingest.subscribe("city/+/+/up/press")
        agent.subscribe(RECEIPT)
        ingest.paho.on_message = lambda client, _userdata, message: client.publish(RECEIPT, message.payload, 1)
        trips_ms = []
        for number in range(50):
            payload = str(number).encode()
            began = time.perf_counter()
            agent.paho.publish("city/site-1/dev-a/up/press", payload, 1)
            agent.wait_for(RECEIPT, payload)
            trips_ms.append((time.perf_counter() - began) * 1000)
    median = statistics.median(trips_ms)
    print(f"{shared_broker.engine}: median of 50 round trips {median:.2f} ms")
    assert median < 20


def test_its_files_are_readable_by_their_owner_alone(shared_broker: Broker) -> None:
    files = [path for path in shared_broker.directory.rglob("*") if path.is_file() and path.name != "mosquitto.db"]
    assert files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o077 for path in [shared_broker.directory, *shared_broker.directory.rglob("*")]} == {
        0
    }
    assert Path(shared_broker.directory / "accounts.json") in files
