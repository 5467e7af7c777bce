"""P6: who may do what, against a matcher that simply tries every topic."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract.access import Action, covers, grants, may
from broker.contract.topics import KINDS, Role, topic

LEVELS = ("a", "b", "c", "")
TOPICS = ["/".join(levels) for length in range(1, 5) for levels in itertools.product(LEVELS, repeat=length)]
"""`c` stands for every name that no filter below spells out."""

GRANTED = st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=3).map("/".join)
ASKED = st.builds(
    lambda levels, rest: "/".join([*levels, *rest]),
    st.lists(st.sampled_from(["a", "b", "+", ""]), min_size=1, max_size=3),
    st.sampled_from([(), ("#",)]),
) | st.just("#")


def matches(filter: str, name: str) -> bool:
    """MQTT 3.1.1, section 4.7."""
    wanted, levels = filter.split("/"), name.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return len(levels) >= place
        if place >= len(levels) or level not in ("+", levels[place]):
            return False
    return len(wanted) == len(levels)


@given(GRANTED, ASKED)
def test_p6_a_grant_covers_a_filter_when_it_matches_all_that_the_filter_can_match(granted: str, asked: str) -> None:
    reachable = [name for name in TOPICS if matches(asked, name)]
    everything = all(matches(granted, name) for name in reachable)
    empty_level = "" in asked.split("/")  # never one of ours, and never granted by +
    assert covers(granted, asked) is (everything and not empty_level)


@given(GRANTED, st.sampled_from(TOPICS))
def test_p6_a_grant_covers_a_topic_only_when_it_matches(granted: str, name: str) -> None:
    assert not covers(granted, name) or matches(granted, name)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "name", ["#", "+", "city/#", "city/+/+/+/+", "$SYS/#", "$SYS/broker/uptime", "", "/", "city//own/up/press"]
)
def test_p6_nobody_may_do_anything_wide_or_foreign(role: Role, name: str) -> None:
    for action in Action:
        assert not may(role, "site-1", "own", action, name)


@pytest.mark.parametrize("role", [Role.DEVICE, Role.SENSOR, Role.WATCHER])
@pytest.mark.parametrize(("site", "device"), [("", ""), ("", "own")])
def test_p6_an_account_without_a_place_has_no_grant(role: Role, site: str, device: str) -> None:
    assert grants(role, site, device) == []


@pytest.mark.parametrize("role", [Role.DEVICE, Role.SENSOR])
def test_p6_a_machine_writes_and_reads_under_its_own_name_alone(role: Role) -> None:
    for grant in grants(role, "site-1", "own"):
        assert grant.filter.startswith("city/site-1/own/")
        assert "+" not in grant.filter
    for kind in KINDS.values():
        for site, device in (("site-1", "other"), ("site-2", "own"), ("+", "own"), ("site-1", "+")):
            for action in Action:
                assert not may(role, "site-1", "own", action, topic(site, device, kind))


def test_p6_a_watcher_reads_the_state_of_its_site_and_writes_nothing() -> None:
    given_to = grants(Role.WATCHER, "site-1", "")
    assert not any(grant.write for grant in given_to)
    assert {grant.filter for grant in given_to} == {"city/site-1/+/state/latest", "city/site-1/+/state/device"}


def test_p6_every_grant_stands_in_the_table_and_every_line_of_the_table_is_granted() -> None:
    for kind in KINDS.values():
        for role in Role:
            asked = topic("site-1", "own", kind)
            assert may(role, "site-1", "own", Action.PUBLISH, asked) is (role in kind.writers)
            for action in (Action.SUBSCRIBE, Action.RECEIVE):
                assert may(role, "site-1", "own", action, asked) is (role in kind.readers)


def test_an_agent_may_publish_all_that_it_has_and_hear_its_receipts() -> None:
    assert may(Role.DEVICE, "s", "d", Action.PUBLISH, "city/s/d/up/press")
    assert may(Role.DEVICE, "s", "d", Action.SUBSCRIBE, "city/s/d/down/receipt")
    assert not may(Role.DEVICE, "s", "d", Action.PUBLISH, "city/s/d/down/receipt")
    assert not may(Role.DEVICE, "s", "d", Action.SUBSCRIBE, "city/s/d/up/press")
