"""The hub of live states: who is told what, in which order, and what it costs to be slow."""

from __future__ import annotations

import asyncio
from zoneinfo import ZoneInfo

import msgspec
import pytest

from api.access import registry
from api.db import transaction
from api.errors import UnavailableError
from api.live import hub as live
from api.live.hub import Event, Hub, Watcher
from api.live.states import REGISTRY_MS, States
from broker.contract.ids import device_id, site_id
from broker.contract.messages import DeviceState, Latest, Value
from broker.contract.topics import DEVICE, LATEST, Address, Kind
from tests.node import NOW_MS, Clock, Node


@pytest.fixture
def hub() -> Hub:
    return Hub(Clock(), ZoneInfo("Asia/Jakarta"), run="0" * 16)


def changes(watcher: Watcher) -> list[Event]:
    """What a watcher would be sent now."""
    return asyncio.run(watcher.changes(0))


def told(watcher: Watcher) -> list[tuple[str, str, str]]:
    """Name, device and data of what a watcher would be sent now, without the state of the link."""
    return [(event.name, event.device, event.data) for event in changes(watcher) if event.site]


def test_a_new_watcher_is_told_the_present_of_all_in_the_order_of_its_changes(hub: Hub) -> None:
    hub.put("latest", "north", "a", "1")
    hub.put("device", "north", "b", "2")
    hub.put("latest", "north", "a", "3")
    watcher = hub.join(None, None)
    assert told(watcher) == [("device", "b", "2"), ("latest", "a", "3")]
    assert told(watcher) == []
    hub.put("device", "north", "b", "4")
    assert told(watcher) == [("device", "b", "4")]


def test_p6_a_watcher_of_a_site_or_device_is_told_of_no_other(hub: Hub) -> None:
    of_site, of_device, of_both = hub.join("north", None), hub.join(None, "b"), hub.join("north", "b")
    for site, device in (("north", "a"), ("north", "b"), ("south", "b")):
        hub.put("latest", site, device, "1")
    assert [device for _, device, _ in told(of_site)] == ["a", "b"]
    assert len(told(of_device)) == 2
    assert len(told(of_both)) == 1
    late = hub.join("south", None)
    assert [device for _, device, _ in told(late)] == ["b"]


def test_a_slow_watcher_gets_the_newest_state_and_costs_no_memory(hub: Hub) -> None:
    watcher = hub.join(None, None)
    for number in range(10_000):
        hub.put("latest", "north", f"d{number % 3}", str(number))
    waiting = changes(watcher)
    assert [event.data for event in waiting if event.site] == ["9997", "9998", "9999"]
    assert [event.number for event in waiting if event.site] == [9998, 9999, 10000]


def test_a_state_that_says_the_same_again_is_not_news(hub: Hub) -> None:
    hub.put("latest", "north", "a", "1")
    watcher = hub.join(None, None)
    assert told(watcher)
    hub.put("latest", "north", "a", "1")
    assert told(watcher) == []


def test_a_watcher_that_comes_back_is_told_what_has_changed_since(hub: Hub) -> None:
    for device in ("a", "b", "c"):
        hub.put("latest", "north", device, "1")
    seen = changes(hub.join(None, None))
    last_id = hub.id_of(seen[-1])
    hub.put("latest", "north", "b", "2")
    assert told(hub.join(None, None, last_id)) == [("latest", "b", "2")]
    assert told(hub.join(None, None, hub.id_of(seen[-2]))) == [("latest", "c", "1"), ("latest", "b", "2")]


@pytest.mark.parametrize(
    "last_id", ["", "7", "0" * 16, "0" * 16 + "-x", "f" * 16 + "-1", "\0", "0" * 16 + "-" + "9" * 99]
)
def test_an_id_that_is_none_of_this_process_begins_anew(hub: Hub, last_id: str) -> None:
    hub.put("latest", "north", "a", "1")
    assert told(hub.join(None, None, last_id)) == [("latest", "a", "1")]


def test_a_state_that_is_no_more_is_not_told(hub: Hub) -> None:
    hub.put("latest", "north", "a", "1")
    hub.put("latest", "north", "a", None)
    hub.put("latest", "north", "never", None)
    assert told(hub.join(None, None)) == []


def test_p5_every_stream_says_whether_it_is_live_at_its_beginning_and_at_each_change() -> None:
    clock = Clock()
    hub = Hub(clock, ZoneInfo("Asia/Jakarta"))
    watcher = hub.join("north", "a")
    (first,) = changes(watcher)
    assert (first.name, first.data) == ("offline", '{"since":"2026-01-31T19:00:00+07:00"}')
    assert hub.id_of(first) is None
    clock.forward(5)
    for connected in (True, True, False, True):
        hub.link(connected=connected)
    (now,) = changes(watcher)
    assert (now.name, now.data) == ("online", '{"since":"2026-01-31T19:00:05+07:00"}')
    hub.link(connected=False)
    assert [event.name for event in changes(watcher)] == ["offline"]


def test_closing_ends_every_watcher_and_lets_none_in(hub: Hub) -> None:
    watcher = hub.join(None, None)
    changes(watcher)
    hub.close()
    assert watcher.closed
    assert changes(watcher) == []
    with pytest.raises(UnavailableError):
        hub.join(None, None)


def test_watchers_are_counted_and_bounded(hub: Hub) -> None:
    watchers = [hub.join(None, None) for _ in range(live.MAX_WATCHERS)]
    with pytest.raises(UnavailableError):
        hub.join(None, None)
    hub.leave(watchers[0])
    hub.leave(watchers[0])
    assert len(hub) == live.MAX_WATCHERS - 1
    assert hub.join(None, None)


def test_watching_returns_as_soon_as_something_changes(hub: Hub) -> None:
    async def wait() -> list[Event]:
        watcher = hub.join(None, None)
        await watcher.changes(0)
        asyncio.get_running_loop().call_soon(hub.put, "latest", "north", "a", "1")
        return await watcher.changes(60)

    assert [event.data for event in asyncio.run(wait())] == ["1"]


def address(site: str, device: str, kind: Kind) -> Address:
    return Address(site_id(site), device_id(device), kind)


def state(contact_s: float = NOW_MS / 1000) -> DeviceState:
    return DeviceState(
        v=1, online=True, contact=contact_s, heartbeat=None, status=None, received=3, missing=0, duplicates=0,
        quarantined=0,
    )  # fmt: skip


def test_a_live_device_is_what_the_list_of_devices_shows(node: Node) -> None:
    rendered = States(node.engine, node.settings.zone, node.clock).render(address("north", "n-1", DEVICE), state())
    assert rendered is not None
    shown = msgspec.json.decode(rendered)
    listed = node.get("/api/v1/devices", node.token()).json()["items"][0]
    assert shown.keys() == listed.keys()
    assert (shown["id"], shown["title"], shown["role"], shown["messages"]["received"]) == ("n-1", "N-1", "device", 3)


def test_live_values_carry_zone_and_quality_and_no_nan(node: Node) -> None:
    values = (
        Value(sensor="air", quantity="pm2_5", at=NOW_MS / 1000, value=7.5, quality=3),
        Value(sensor="air", quantity="pm10", at=NOW_MS / 1000, value=float("nan"), quality=2),
    )
    rendered = States(node.engine, node.settings.zone, node.clock).render(
        address("north", "n-1", LATEST), Latest(v=1, values=values)
    )
    assert msgspec.json.decode(rendered or "") == {
        "site": "north", "device": "n-1",
        "values": [
            {"sensor": "air", "quantity": "pm2_5", "at": "2026-01-31T19:00:00+07:00", "value": 7.5, "quality": 3},
            {"sensor": "air", "quantity": "pm10", "at": "2026-01-31T19:00:00+07:00", "value": None, "quality": 2},
        ],
    }  # fmt: skip


def test_p6_a_device_that_is_not_registered_at_that_site_is_not_shown(node: Node) -> None:
    states = States(node.engine, node.settings.zone, node.clock)
    assert states.render(address("south", "n-1", DEVICE), state()) is None
    assert states.render(address("north", "stranger", DEVICE), state()) is None


def test_a_change_in_the_registry_shows_after_a_while(node: Node) -> None:
    states = States(node.engine, node.settings.zone, node.clock)
    of = address("north", "n-1", DEVICE)
    assert '"revoked":false' in (states.render(of, state()) or "")
    with transaction(node.engine) as session:
        registry.revoke_device(session, "n-1", 1)
    assert '"revoked":false' in (states.render(of, state()) or "")
    node.clock.forward(REGISTRY_MS / 1000)
    assert '"revoked":true' in (states.render(of, state()) or "")
