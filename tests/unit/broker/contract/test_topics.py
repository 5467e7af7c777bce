from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract.errors import ContractError, Reason
from broker.contract.ids import NAME
from broker.contract.topics import KINDS, Direction, Kind, Role, kind, parse, topic

ALL = tuple(KINDS.values())
NAMES = st.from_regex(re.compile(NAME), fullmatch=True)


@given(NAMES, NAMES, st.sampled_from(ALL))
def test_a_topic_is_taken_apart_into_what_it_was_made_of(site: str, device: str, of: Kind) -> None:
    assert parse(topic(site, device, of)) == (site, device, of)


@given(st.text() | st.lists(st.sampled_from(["city", "a", "up", "readings", "", "+", "#", "A"])).map("/".join))
def test_any_text_is_one_of_our_topics_or_refused_with_its_reason(text: str) -> None:
    found: ContractError | None = None
    try:
        site, device, of = parse(text)
    except ContractError as error:
        found = error
    if found is None:
        assert topic(site, device, of) == text
    else:
        assert found.reason is Reason.BAD_TOPIC
        assert len(found.detail) < 300


@pytest.mark.parametrize(
    "text",
    [
        "",
        "city",
        "city/a/b/up",
        "city/a/b/up/readings/x",
        "/city/a/b/up/readings",
        "City/a/b/up/readings",
        "city/a/b/sideways/readings",
        "city/a/b/up/unknown",
        "city/a/b/down/readings",
        "city//b/up/readings",
        "city/+/b/up/readings",
        "city/a/#/up/readings",
        "city/a/b/up/readings\n",
        "$SYS/broker/uptime",
    ],
)
def test_a_topic_that_no_kind_names_is_refused(text: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse(text)
    assert caught.value.reason is Reason.BAD_TOPIC


def test_a_kind_is_found_by_direction_and_name_only() -> None:
    assert kind(Direction.UP, "press").name == "press"
    with pytest.raises(ContractError, match="no kind down/press"):
        kind(Direction.DOWN, "press")


@pytest.mark.parametrize("of", ALL, ids=lambda of: f"{of.direction}/{of.name}")
def test_each_row_of_the_table_keeps_the_rules_of_its_direction(of: Kind) -> None:
    assert of.qos in (0, 1)
    assert of.writers
    assert of.readers
    assert of.says
    machines = {Role.DEVICE, Role.SENSOR}
    if of.direction is Direction.UP:
        assert of.writers <= machines
        assert not of.readers & machines
    else:
        assert not of.writers & machines
    assert not of.receipted or (of.direction is Direction.UP and of.qos == 1 and not of.retained)
    assert Role.WATCHER not in of.writers


def test_names_of_receipted_kinds_are_unique_because_an_outbox_row_has_the_name_alone() -> None:
    names = [of.name for of in ALL if of.direction is Direction.UP]
    assert len(set(names)) == len(names)
