"""P6, nobody as another: everybody tries everything, and what counts is what somebody received.

The expectations below are written out by hand, apart from the table of kinds that both brokers derive theirs from.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from broker.contract.topics import KINDS, Kind, Role, topic
from tests import brokers, clients
from tests.brokers import Broker, account, device, password
from tests.clients import Client, Raw

SITE, DEVICE = "site-1", "own"
"""Whose topics everybody tries."""

WRITERS = {
    "up/readings": {"own"},
    "up/press": {"own"},
    "up/status": {"own"},
    "up/heartbeat": {"own"},
    "up/senml": {"own"},
    "down/receipt": {"ingest"},
    "state/latest": {"ingest"},
    "state/device": {"ingest"},
}
READERS = {
    "up/readings": {"ingest"},
    "up/press": {"ingest"},
    "up/status": {"ingest"},
    "up/heartbeat": {"ingest"},
    "up/senml": {"ingest"},
    "down/receipt": {"own"},
    "state/latest": {"api", "watcher"},
    "state/device": {"api", "watcher"},
}
ACCOUNTS = (
    *brokers.servers(),
    device(SITE, DEVICE),
    device(SITE, "neighbour"),
    device("site-2", "far"),
    device(SITE, "sensor", Role.SENSOR),
    account("watcher", Role.WATCHER, SITE),
    account("stranger", Role.WATCHER, "site-2"),
)
REVOKED = device(SITE, "revoked")
WIDE = ("#", "+/#", "city/#", f"city/{SITE}/#", f"city/{SITE}/{DEVICE}/#", "city/+/+/+/+", "+/+/+/+/+", "$SYS/#")
"""Filters that would show everything if they were answered as asked."""

ROUNDS = 20
"""Sentinel round trips after which nothing of what was asked before can be on its way."""


def path(kind: Kind) -> str:
    return f"{kind.direction}/{kind.name}"


TOPICS = {topic(SITE, DEVICE, kind): path(kind) for kind in KINDS.values()}


@pytest.fixture(scope="module", params=brokers.engines())
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    running = Broker(tmp_path_factory.mktemp(request.param), request.param, [*ACCOUNTS, REVOKED]).start()
    yield running
    running.stop()


@pytest.fixture
def everybody(shared: Broker) -> Iterator[dict[str, Client]]:
    """Every account, connected and subscribed to everything."""
    with contextlib.ExitStack() as stack:
        everyone = {one.name: stack.enter_context(Client(shared.login(one.name))) for one in ACCOUNTS}
        for client in everyone.values():
            client.subscribe(*TOPICS, *WIDE)
        yield everyone


def settle(everybody: dict[str, Client]) -> None:
    """Wait until the broker has dealt with whatever was acknowledged so far."""
    up, down = topic(SITE, DEVICE, KINDS["up", "press"]), topic(SITE, DEVICE, KINDS["down", "receipt"])
    state = topic(SITE, DEVICE, KINDS["state", "device"])
    for number in range(ROUNDS):
        sentinel = b"sentinel %d" % number
        everybody["own"].publish(up, sentinel)
        everybody["ingest"].wait_for(up, sentinel)
        everybody["ingest"].publish(down, sentinel)
        everybody["own"].wait_for(down, sentinel)
        everybody["ingest"].publish(state, sentinel)
        everybody["api"].wait_for(state, sentinel)


def received(client: Client) -> set[tuple[str, str]]:
    """(kind, who sent it) of everything but the sentinels."""
    return {
        (TOPICS.get(name, name), payload.decode()) for name, payload, _ in client.received if b"sentinel" not in payload
    }


def expected(reader: str) -> set[tuple[str, str]]:
    return {(kind, writer) for kind, readers in READERS.items() if reader in readers for writer in WRITERS[kind]}


def test_the_expectations_name_every_kind() -> None:
    kinds = {path(kind) for kind in KINDS.values()}
    assert set(WRITERS) == kinds
    assert set(READERS) == kinds


def test_p6_everybody_publishes_and_subscribes_to_everything_and_only_the_table_comes_through(
    shared: Broker, everybody: dict[str, Client]
) -> None:
    """Own device, same site, other site, third-party sensor, watchers and servers, on every kind."""
    for name, client in everybody.items():
        for target in TOPICS:
            client.publish(target, name.encode(), retain=True)
    for reader, client in everybody.items():
        client.wait(
            lambda reader=reader, client=client: expected(reader) <= received(client), f"what {reader} may read"
        )
    settle(everybody)
    for reader, client in everybody.items():
        assert received(client) == expected(reader), reader
        assert (client.lost, client.connects) == (0, 1), reader

    for reader in ("ingest", "api", "watcher", "own", "neighbour", "stranger"):
        everybody[reader].__exit__()
        with Client(shared.login(reader)) as late:
            late.subscribe(*TOPICS, *WIDE)
            late.wait(lambda reader=reader, late=late: expected(reader) <= received(late), f"what is kept for {reader}")
            assert received(late) == expected(reader), f"{reader}, who comes later"


def test_p6_a_sensor_publishes_its_own_senml_and_nothing_else(everybody: dict[str, Client]) -> None:
    for kind in KINDS.values():
        everybody["sensor"].publish(topic(SITE, "sensor", kind), b"sensor")
    settle(everybody)
    heard = {
        (name, payload)
        for client in everybody.values()
        for name, payload, kept in client.received
        if payload == b"sensor"
    }
    assert heard == {(f"city/{SITE}/sensor/up/senml", b"sensor")}


def test_p6_without_a_rule_the_answer_is_no(everybody: dict[str, Client]) -> None:
    """Topics that no kind names, under names that look like one."""
    others = [
        f"city/{SITE}/{DEVICE}/up/unknown",
        f"city/{SITE}/{DEVICE}/up/readings/x",
        f"city/{SITE}/{DEVICE}/down/readings",
        f"city/{SITE}/{DEVICE}",
        "city",
        "other/site-1/own/up/readings",
        f"City/{SITE}/{DEVICE}/up/readings",
        f"/city/{SITE}/{DEVICE}/up/readings",
        f"city//{DEVICE}/up/readings",
        f"city/{SITE}//up/readings",
    ]
    for name, client in everybody.items():
        client.subscribe(*others)
        for target in others:
            client.publish(target, b"nobody's: " + name.encode())
    settle(everybody)
    heard = {name for client in everybody.values() for name, payload, _ in client.received if b"nobody's" in payload}
    assert heard == set()


def strangers(shared: Broker) -> dict[str, bytes]:
    """CONNECT packets that must not be let in."""
    return {
        "anonymous": clients.connect("anonymous", None, None),
        "anonymous as own": clients.connect(DEVICE, None, None),
        "wrong password": clients.connect("ingest", "ingest", "wrong"),
        "no password": clients.connect("ingest", "ingest", None),
        "unknown": clients.connect("unknown", "unknown", password("unknown")),
        "revoked": clients.connect("revoked", "revoked", password("revoked")),
        "revoked as own": clients.connect(DEVICE, "revoked", password("revoked")),
    }


def test_p6_the_anonymous_and_the_revoked_neither_publish_nor_read(
    shared: Broker, everybody: dict[str, Client]
) -> None:
    """They do not wait to be let in: CONNECT, SUBSCRIBE and PUBLISH come in one breath."""
    revoked = Client(shared.login("revoked"), will=(f"city/{SITE}/revoked/up/status", b"revoked"))
    revoked.begin()
    revoked.wait(lambda: revoked.connects > 0, "being let in before")
    shared.revoke("revoked")
    revoked.wait(lambda: revoked.lost > 0, "being cut")
    mine = [topic(SITE, "revoked", kind) for kind in KINDS.values()]
    demands = clients.subscribe([*TOPICS, *WIDE]) + b"".join(
        clients.publish(target, b"stranger", retain=True) for target in (*TOPICS, *mine)
    )
    with contextlib.ExitStack() as stack:
        open_ones = {}
        for name, greeting in strangers(shared).items():
            open_ones[name] = stack.enter_context(Raw(shared.host, shared.port))
            open_ones[name].send(greeting + demands)
        settle(everybody)
        for name, connection in open_ones.items():
            heard = connection.until_closed()
            assert heard == b"" or (heard[:3] == b"\x20\x02\0" and heard[3] != 0), name
            assert heard[4:] == b"", name
    revoked.__exit__()
    for reader, client in everybody.items():
        assert client.lost == 0, reader
        assert not {sender for _, sender in received(client)} & {"stranger", "revoked"}, reader
    shared.add(REVOKED)
