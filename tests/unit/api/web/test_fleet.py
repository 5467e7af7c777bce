"""Devices as the fleet page sees them: what is wrong is said, and the worst stands first."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from api.web.answers import Device, Messages, Outbox, Sensor, Site
from api.web.fleet import Card, Severity, cards, reason_text
from api.web.i18n import Speech
from broker.contract.errors import Reason

NOW = datetime(2026, 1, 31, 7, 0, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
EN = Speech("en", ZoneInfo("Asia/Jakarta"))
ID = Speech("id", ZoneInfo("Asia/Jakarta"))
SITES = [Site("rsud", "RSUD")]
EMPTY = Outbox(depth=0, bytes=0, oldest_s=0, stuck=0, evicted=0, refused=0)


def device(name: str = "roof", **other: object) -> Device:
    well = {
        "id": name,
        "site": "rsud",
        "title": name,
        "online": True,
        "contact": NOW,
        "heartbeat_interval_s": 30.0,
        "clock": "synced",
        "outbox": EMPTY,
        "messages": Messages(10, 0, 0, 0),
    }
    return Device(**{**well, **other})  # type: ignore[arg-type]


def card(later_s: int = 0, **other: object) -> Card:
    (only,) = cards([device(**other)], SITES, EN, NOW_MS + later_s * 1000)
    return only


def outbox(**other: float) -> Outbox:
    return Outbox(**{**{name: getattr(EMPTY, name) for name in EMPTY.__struct_fields__}, **other})  # type: ignore[arg-type]


def test_a_device_in_order_has_no_problem() -> None:
    assert card().state == "online"
    assert card().problems == []
    assert card().severity == Severity.WELL
    assert card().completeness == 1.0


@pytest.mark.parametrize(
    ("other", "severity", "says"),
    [
        ({"online": False}, Severity.FAILURE, "Offline"),
        ({"clock": "untrusted"}, Severity.WARNING, "not synchronised"),
        ({"sensors": (Sensor("bme", "bme280", error="no answer"),)}, Severity.WARNING, "Sensor bme cannot be read"),
        ({"outbox": outbox(refused=1)}, Severity.FAILURE, "Disk full: 1 reading could"),
        ({"outbox": outbox(evicted=7)}, Severity.WARNING, "7 old readings were given up"),
        ({"outbox": outbox(stuck=4)}, Severity.WARNING, "4 messages were sent again"),
        ({"outbox": outbox(depth=9, oldest_s=7200)}, Severity.NOTICE, "waiting in the outbox for 2 h"),
        ({"messages": Messages(10, 3, 0, 0)}, Severity.NOTICE, "3 messages have not arrived"),
        ({"messages": Messages(10, 0, 0, 1)}, Severity.NOTICE, "1 message is in quarantine"),
    ],
)
def test_each_trouble_is_said_with_its_weight(other: dict[str, object], severity: Severity, says: str) -> None:
    found = card(**other)
    assert [problem.severity for problem in found.problems] == [severity]
    assert says in found.problems[0].says
    assert found.severity == severity


def test_p5_a_device_is_silent_after_three_intervals_however_well_it_was() -> None:
    assert card(later_s=90).state == "online"
    assert card(later_s=91).state == "silent"
    assert card(later_s=91).severity == Severity.FAILURE


def test_a_short_wait_in_the_outbox_is_no_problem() -> None:
    assert card(outbox=outbox(depth=3, oldest_s=20)).problems == []


def test_a_third_partys_instrument_is_not_called_offline() -> None:
    found = card(role="sensor", online=False, heartbeat_interval_s=None, clock=None, outbox=None)
    assert found.state == "heard"
    assert found.problems == []


def test_problems_sort_first_and_revoked_devices_last() -> None:
    devices = [
        device("well"),
        device("revoked", revoked=True, online=False),
        device("aside", messages=Messages(9, 0, 0, 1)),
        device("offline", online=False),
        device("clock", clock="untrusted"),
        device("also-well"),
    ]
    found = cards(devices, SITES, EN, NOW_MS)
    assert [one.device.id for one in found] == ["offline", "clock", "aside", "also-well", "well", "revoked"]


def test_the_worst_problem_of_a_device_is_said_first() -> None:
    found = card(clock="untrusted", online=False, messages=Messages(9, 1, 0, 0))
    assert [problem.severity for problem in found.problems] == [3, 2, 1]


def test_completeness_is_unknown_before_the_first_message() -> None:
    assert card(messages=Messages(0, 0, 0, 0)).completeness is None
    assert card(messages=Messages(3, 1, 0, 0)).completeness == 0.75


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_the_contract_is_told_in_words(reason: Reason) -> None:
    assert reason_text(reason.value, ID) != reason.value
    assert "_" not in reason_text(reason.value, EN)


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    assert reason_text("new_reason", ID) == "new_reason"
