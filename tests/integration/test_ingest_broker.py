"""Ingest as a process on real brokers (promises P1, P2, P4)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.db import Contact, Press, Quarantine, QuarantineCount
from broker.client import MAX_INFLIGHT
from broker.contract import codec
from broker.contract.messages import DeviceState, Latest
from broker.contract.seqset import SeqSet
from broker.contract.topics import DEVICE as STATE
from broker.contract.topics import LATEST, PRESS, READINGS, RECEIPT, SENML, Role, topic
from tests.brokers import Broker, device, servers
from tests.clients import Client
from tests.integration.nodes import Node, node, until
from tests.unit.api.ingest.messages import (
    DEVICE,
    EPOCH,
    NOW_MS,
    SITE,
    altered,
    at,
    birth,
    heartbeat,
    press,
    readings,
    will,
)

__all__ = ["node"]

RECEIPTS = topic(SITE, DEVICE, RECEIPT)
LAG_MS = round(time.time() * 1000) - NOW_MS
"""From the time of the test messages to now: they are sent with the times of now."""


class Agent(Client):
    """A device that reads its receipts."""

    def receipted(self) -> SeqSet:
        held = SeqSet()
        for payload in self.payloads(RECEIPTS):
            message = codec.decode(RECEIPT, payload)
            if message.epoch == EPOCH:
                for first, last in message.ranges:
                    held.add_range(first, last)
        return held

    def send(self, *messages: object) -> None:
        for message in messages:
            self.paho.publish(message.topic, message.payload, 1, message.topic.endswith(("status", "heartbeat")))

    def await_receipts(self, ranges: list[tuple[int, int]], patience_s: float = 20) -> None:
        self.wait(lambda: self.receipted().ranges() == ranges, f"receipts for {ranges}", patience_s)


@pytest.fixture
def broker(engine: str, tmp_path: Path) -> Iterator[Broker]:
    """A running broker that knows the devices of these tests; runs the test once on each engine."""
    running = Broker(tmp_path, engine, [*servers(), device(SITE, DEVICE), device(SITE, "thing", Role.SENSOR)]).start()
    yield running
    running.stop()


@pytest.fixture
def agent(node: Node) -> Iterator[Agent]:
    with Agent(node.broker.login(DEVICE)) as made:
        made.subscribe(RECEIPTS)
        yield made


def now(message: object) -> object:
    """The message with every time of it moved to now."""
    kind = message.topic.rpartition("/")[2]
    if kind == "press":
        return altered(message, at=(NOW_MS + LAG_MS) / 1000)
    return message


def reading(seq: int) -> object:
    pack = [{"bt": (NOW_MS + LAG_MS) / 1000, "n": "sds/pm2_5", "v": seq % 100}]
    return altered(readings(seq), e=pack)


def test_messages_are_stored_and_receipted(node: Node, agent: Agent) -> None:
    node.listen()
    agent.send(reading(1), now(press(2)), altered(reading(3), e="poison"), reading(4))
    agent.await_receipts([(1, 4)])
    assert len(node.journal()) == 2
    assert [one.count for one in node.facts(Press)] == [2]
    assert [one.reason for one in node.facts(Quarantine)] == ["bad_body"]
    assert node.end("ingest") == 0


def test_what_came_while_ingest_was_dead_is_stored_once(node: Node, agent: Agent) -> None:
    """P1 and P2: killed in the middle of a stream; the outbox sends again what has no receipt."""
    node.listen()
    agent.send(reading(1))
    agent.await_receipts([(1, 1)])
    messages = {seq: now(press(seq)) if seq % 10 == 0 else reading(seq) for seq in range(1, 401)}
    agent.send(*(messages[seq] for seq in range(2, 251)))
    node.kill("ingest")
    agent.send(*(messages[seq] for seq in range(251, 401)))
    node.start("ingest")

    def all_receipted() -> bool:
        missing = [messages[seq] for seq in messages if seq not in agent.receipted()]
        agent.send(*missing)
        time.sleep(0.5 if missing else 0)
        return not missing

    until(all_receipted, "every number is receipted")
    assert sorted(node.journal()) == sorted(one.payload for seq, one in messages.items() if seq % 10)
    assert sorted(one.count for one in node.facts(Press)) == [seq for seq in messages if seq % 10 == 0]


def test_poison_beyond_the_window_of_unacknowledged_messages_holds_up_nothing(node: Node, agent: Agent) -> None:
    """P4: what is never acknowledged would block the session after so many."""
    node.listen()
    count = MAX_INFLIGHT + 100
    for seq in range(1, count + 1):
        agent.paho.publish(topic(SITE, DEVICE, READINGS), b"{" if seq % 2 else altered(reading(seq), e=0).payload, 1)
        if seq % 200 == 0:
            time.sleep(0.05)  # amqtt takes 4,000 a second
    agent.send(reading(count + 1))
    agent.wait(lambda: count + 1 in agent.receipted(), "the good one's receipt", 40)
    totals = {one.reason: one.total for one in node.facts(QuarantineCount)}
    assert totals == {"bad_envelope": count // 2, "bad_body": count // 2}


def test_ingest_finds_the_broker_again_and_subscribes_anew(node: Node, agent: Agent) -> None:
    """P1: the broker is killed and has forgotten everything."""
    node.listen()
    agent.send(reading(1))
    agent.await_receipts([(1, 1)])
    node.broker.kill()
    node.broker.start()
    agent.wait(lambda: agent.connects > 1, "the agent's second connection")
    agent.subscribe(RECEIPTS)

    def receipted() -> bool:
        agent.send(reading(2))
        time.sleep(0.2)
        return 2 in agent.receipted()

    until(receipted, "a receipt over the new connection")
    assert len(node.journal()) == 2
    assert (node.said("ingest", "the broker is away"), node.said("ingest", "ingest listens")) == (1, 2)


def test_a_third_party_is_journalled_without_receipt(node: Node, agent: Agent) -> None:
    node.listen()
    agent.send(reading(1))
    agent.await_receipts([(1, 1)])
    with Client(node.broker.login("thing")) as thing:
        thing.publish(topic(SITE, "thing", READINGS), reading(1).payload)
        thing.publish(topic(SITE, "thing", SENML), b'[{"n":"noise","v":51.5}]')
        until(lambda: len(node.journal()) == 2, "the reading is journalled")
    assert node.journal()[1] == b'[{"n":"noise","v":51.5}]'


def test_watchers_see_the_newest_values_and_the_state_of_the_device(node: Node, agent: Agent) -> None:
    node.listen()
    agent.send(birth("aaaaaaaaaaaa"), heartbeat(), reading(1), reading(3))
    agent.await_receipts([(1, 1), (3, 3)])
    with Client(node.broker.login("api")) as watcher:
        watcher.subscribe(topic("+", "+", LATEST), topic("+", "+", STATE))

        def state() -> DeviceState | None:
            seen = watcher.payloads(topic(SITE, DEVICE, STATE))
            return codec.decode_as(DeviceState, STATE, seen[-1]) if seen else None

        until(lambda: (found := state()) is not None and found.received == 2, "the state says two messages")
        found = state()
        assert found is not None
        assert (found.online, found.missing, found.heartbeat is not None) == (True, 1, True)
        latest = codec.decode_as(Latest, LATEST, watcher.payloads(topic(SITE, DEVICE, LATEST))[-1])
        assert [(value.sensor, value.quantity, value.value) for value in latest.values] == [("sds", "pm2_5", 3.0)]
        agent.send(will("aaaaaaaaaaaa"))
        until(lambda: not state().online, "the state says that it is gone")
    until(lambda: [one.online for one in node.facts(Contact)] == [False], "the row says so too")


def test_a_retained_heartbeat_is_no_contact_when_ingest_comes_back(node: Node, agent: Agent) -> None:
    """P5: a device that fell silent does not look alive because ingest was started again."""
    node.listen()
    agent.send(birth("aaaaaaaaaaaa"), heartbeat())
    until(lambda: [one for one in node.facts(Contact) if one.heartbeat], "the heartbeat is stored")
    assert node.end("ingest") == 0
    (before,) = node.facts(Contact)
    node.listen()
    with Client(node.broker.login("thing")) as thing:  # what the broker retained has come before what is sent now
        thing.publish(topic(SITE, "thing", SENML), b'[{"n":"noise","v":51.5}]')
        until(node.journal, "the new ingest works")
    assert node.end("ingest") == 0
    after = {one.device: one for one in node.facts(Contact)}
    assert (after[DEVICE].contact_ms, after[DEVICE].online) == (before.contact_ms, True)
    assert after["thing"].contact_ms > before.contact_ms


def test_a_wrong_password_is_named_once(node: Node) -> None:
    (node.directory / "secrets" / "ingest").write_text("wrong")
    node.start("ingest")
    until(lambda: node.said("ingest", "have its present password?"), "the log names the account")
    assert node.end("ingest") == 0
    assert node.said("ingest", "the broker is away") == 1


def test_a_second_ingest_of_the_same_account_says_why_it_ends(node: Node, agent: Agent) -> None:
    node.listen()
    agent.send(at(PRESS, now(press(1)).payload))
    agent.await_receipts([(1, 1)])
    first = node._processes.pop("ingest")
    node.start("ingest")
    second = node._processes["ingest"]
    assert second.wait(20) == 2
    assert node.said("ingest", "another ingest process writes it") == 1
    node._processes["ingest"] = first
