"""The embedded broker's answers to who may do what."""

from __future__ import annotations

import asyncio
import itertools
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from amqtt.contexts import Action as Asked
from hypothesis import given
from hypothesis import strategies as st

from broker import accounts
from broker.accounts import Account
from broker.contract.access import Action
from broker.contract.topics import Role
from broker.embedded_access import DENIALS_LOGGED, AccessPlugin, Table, meets

HASH = accounts.hash_password("secret", bytes(12))
LISTED = {
    "own": Account("own", Role.DEVICE, "site-1", "own", HASH),
    "ingest": Account("ingest", Role.INGEST, hash=HASH),
    "api": Account("api", Role.API, hash=HASH),
}
TOPICS = [
    "/".join(levels) for length in range(1, 5) for levels in itertools.product(("a", "b", "c", ""), repeat=length)
]


def matches(filter: str, name: str) -> bool:
    """MQTT 3.1.1, section 4.7."""
    wanted, levels = filter.split("/"), name.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return len(levels) >= place
        if place >= len(levels) or level not in ("+", levels[place]):
            return False
    return len(wanted) == len(levels)


@given(
    st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=3).map("/".join),
    st.lists(st.sampled_from(["a", "b", "+", ""]), max_size=3).flatmap(
        lambda levels: st.sampled_from(["/".join([*levels, "#"]), "/".join(levels)] if levels else ["#"])
    ),
)
def test_two_filters_meet_when_a_topic_matches_both(granted: str, asked: str) -> None:
    assert meets(granted, asked) is any(matches(granted, name) and matches(asked, name) for name in TOPICS)


def test_p6_a_password_opens_its_own_account_only() -> None:
    table = Table(LISTED)
    assert table.knows("own", "secret")
    for name, password in (
        ("own", "Secret"),
        ("own", ""),
        ("own", None),
        ("", "secret"),
        (None, None),
        ("other", "secret"),
    ):
        assert not table.knows(name, password)


def test_p6_without_an_account_every_answer_is_no() -> None:
    table = Table(LISTED)
    for name in (None, "", "other", "own "):
        for action in Action:
            assert not table.may(name, action, "city/site-1/own/up/press")


def test_a_wide_filter_may_be_subscribed_to_and_only_what_is_granted_is_received_by_it() -> None:
    table = Table(LISTED)
    assert table.may("api", Action.SUBSCRIBE, "city/+/+/state/+")
    assert table.may("api", Action.RECEIVE, "city/site-1/own/state/latest")
    assert not table.may("api", Action.RECEIVE, "city/site-1/own/up/press")
    assert not table.may("api", Action.SUBSCRIBE, "city/+/+/up/press")
    assert not table.may("api", Action.PUBLISH, "city/site-1/own/state/latest")


def test_replacing_the_accounts_names_those_that_are_gone_or_changed() -> None:
    table = Table(LISTED)
    moved = Account("own", Role.DEVICE, "site-2", "own", HASH)
    new = Account("new", Role.API, hash=HASH)
    assert table.replace({"own": moved, "ingest": LISTED["ingest"], "new": new}) == {"own", "api"}
    assert table.knows("new", "secret")
    assert not table.knows("api", "secret")
    assert table.may("own", Action.PUBLISH, "city/site-2/own/up/press")
    assert not table.may("own", Action.PUBLISH, "city/site-1/own/up/press")
    assert not table.may("api", Action.RECEIVE, "city/site-1/own/state/latest")


def test_a_denial_is_logged_once_and_a_broken_device_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    table = Table(LISTED)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            table.may("own", Action.PUBLISH, "city/site-1/other/up/press")
        assert [record.getMessage() for record in caplog.records] == [
            "own may not publish 'city/site-1/other/up/press'"
        ]
        for number in range(DENIALS_LOGGED + 100):
            table.may("own", Action.PUBLISH, f"city/{number}")
    assert len(caplog.records) == DENIALS_LOGGED


def plugin(table: Any) -> AccessPlugin:
    return AccessPlugin(SimpleNamespace(config=AccessPlugin.Config(table), logger=logging.getLogger()))


def session(username: str | None, client_id: str | None, password: str | None = "secret") -> Any:
    return SimpleNamespace(username=username, client_id=client_id, password=password)


def test_p6_the_plugin_lets_in_an_account_under_its_own_client_id_only() -> None:
    ours = plugin(Table(LISTED))
    assert asyncio.run(ours.authenticate(session=session("own", "own")))
    for stranger in (
        session("own", "ingest"),
        session("own", None),
        session(None, None),
        session("own", "own", "wrong"),
    ):
        assert not asyncio.run(ours.authenticate(session=stranger))


def test_p6_the_plugin_asks_the_table_for_every_action() -> None:
    ours = plugin(Table(LISTED))

    def allowed(name: str, action: Asked, topic: str) -> bool:
        return asyncio.run(ours.topic_filtering(session=session(name, name), topic=topic, action=action))

    assert allowed("own", Asked.PUBLISH, "city/site-1/own/up/press")
    assert not allowed("own", Asked.PUBLISH, "city/site-1/own/down/receipt")
    assert allowed("own", Asked.SUBSCRIBE, "city/site-1/own/down/receipt")
    assert allowed("own", Asked.RECEIVE, "city/site-1/own/down/receipt")
    assert not allowed("own", Asked.RECEIVE, "city/site-1/own/up/press")
    assert not asyncio.run(ours.topic_filtering())


def test_p6_a_fault_in_answering_is_a_no(caplog: pytest.LogCaptureFixture) -> None:
    broken = plugin(None)
    assert asyncio.run(broken.authenticate(session=session("own", "own"))) is False
    asked = broken.topic_filtering(
        session=session("own", "own"), topic="city/site-1/own/up/press", action=Asked.PUBLISH
    )
    assert asyncio.run(asked) is False
    assert "taken for a no" in caplog.text
