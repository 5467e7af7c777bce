"""The resources of /api/v1, as a program meets them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from api.db import Contact, Press, Quarantine, QuarantineCount
from broker.contract.messages import Clock as DeviceClock
from broker.contract.messages import Heartbeat, Sensor, Status
from broker.contract.quantities import QUANTITIES
from tests.node import NOW_MS, Node

NOW = datetime.fromisoformat("2026-01-31T19:00:00+07:00")
HOUR_MS = 3_600_000
BOOT = "0" * 12


def at(text: str) -> datetime:
    """A time of an answer, which always carries its zone."""
    time = datetime.fromisoformat(text)
    assert time.utcoffset() == timedelta(hours=7)
    return time


def press(
    number: int, *, device: str = "n-1", site: str = "north", button: str = "ticket", at_ms: int = NOW_MS
) -> Press:
    return Press(
        site=site, device=device, button=button, at_ms=at_ms, received_ms=at_ms + 20, count=number, clock="synced"
    )


def heartbeat(**changed: Any) -> bytes:
    whole = {
        "v": 1,
        "at": NOW_MS / 1000,
        "clock": DeviceClock.SYNCED,
        "boot": BOOT,
        "uptime_s": 90.5,
        "interval_s": 30.0,
        "epoch": "a" * 12,
        "last_seq": 12,
        "outbox": 2,
        "outbox_bytes": 4096,
        "oldest_s": 0.5,
        "stuck": 1,
        "evicted": 3,
        "refused": 4,
        "sensors": (Sensor(name="air", driver="sen5x", error="no bus", since=NOW_MS / 1000),),
    }
    return msgspec.json.encode(Heartbeat(**{**whole, **changed}))


def birth(**changed: Any) -> bytes:
    whole = {
        "v": 1,
        "session": "b" * 12,
        "online": True,
        "at": NOW_MS / 1000,
        "boot": BOOT,
        "version": "0.1.0",
        "config": "c" * 12,
        "sensors": (Sensor(name="old", driver="replay", simulated=True),),
    }
    return msgspec.json.encode(Status(**{**whole, **changed}))


def contact(device: str = "n-1", **changed: Any) -> Contact:
    whole = {
        "device": device,
        "site": "north",
        "contact_ms": NOW_MS - 10_000,
        "online": True,
        "status": birth(),
        "heartbeat": heartbeat(),
        "received": 90,
        "missing": 10,
        "duplicates": 5,
        "quarantined": 2,
    }
    return Contact(**{**whole, **changed})


def test_sites_are_listed_in_the_order_of_their_ids(node: Node) -> None:
    answer = node.get("/api/v1/sites", node.token()).json()
    assert answer == {
        "items": [
            {"id": "north", "title": "North", "latitude": 1.5, "longitude": 2.5},
            {"id": "south", "title": "South", "latitude": 1.5, "longitude": 2.5},
        ],
        "next": None,
    }


def test_a_device_shows_its_last_signs_of_life(node: Node) -> None:
    node.add(contact())
    first = node.get("/api/v1/devices", node.token()).json()["items"][0]
    assert at(first.pop("contact")) == NOW - timedelta(seconds=10)
    (sensor,) = first.pop("sensors")
    assert at(sensor.pop("since")) == NOW
    assert sensor == {"name": "air", "driver": "sen5x", "simulated": False, "error": "no bus"}
    assert first == {
        "id": "n-1", "site": "north", "title": "N-1", "latitude": None, "longitude": None, "role": "device",
        "revoked": False, "online": True, "clock": "synced", "version": "0.1.0", "config": "c" * 12,
        "uptime_s": 90.5, "heartbeat_interval_s": 30.0, "silent": False,
        "outbox": {"depth": 2, "bytes": 4096, "oldest_s": 0.5, "stuck": 1, "evicted": 3, "refused": 4},
        "messages": {"received": 90, "missing": 10, "duplicates": 5, "quarantined": 2, "completeness": 0.9},
    }  # fmt: skip


def test_a_device_that_was_never_heard_says_so(node: Node) -> None:
    first = node.get("/api/v1/devices?site=south", node.token()).json()["items"][0]
    assert (first["online"], first["contact"], first["outbox"], first["silent"]) == (None, None, None, True)
    assert first["messages"] == {
        "received": 0, "missing": 0, "duplicates": 0, "quarantined": 0, "completeness": None,
    }  # fmt: skip


def test_p5_a_device_is_silent_after_three_heartbeat_intervals(node: Node) -> None:
    node.add(contact())
    token = node.token()
    node.clock.forward(80)
    assert not node.get("/api/v1/devices", token).json()["items"][0]["silent"]
    node.clock.forward(0.001)
    assert node.get("/api/v1/devices", token).json()["items"][0]["silent"]


def test_after_a_restart_the_birth_tells_of_the_drivers_until_the_first_heartbeat(node: Node) -> None:
    node.add(contact(status=birth(boot="1" * 12)))
    (sensor,) = node.get("/api/v1/devices", node.token()).json()["items"][0]["sensors"]
    assert (sensor["name"], sensor["simulated"]) == ("old", True)


def test_p4_a_device_that_claims_impossible_times_spoils_no_list(node: Node) -> None:
    node.add(
        contact(heartbeat=heartbeat(sensors=(Sensor(name="air", driver="x", error="e", since=1e300),))),
        contact("n-2", status=b"not json", heartbeat=b'{"v":9}'),
    )
    first, second, _ = node.get("/api/v1/devices", node.token()).json()["items"]
    assert first["sensors"][0]["since"] is None
    assert (second["version"], second["outbox"], second["messages"]["received"]) == (None, None, 90)


def test_quantities_are_the_contracts(node: Node) -> None:
    items = node.get("/api/v1/quantities", node.token()).json()["items"]
    assert [item["name"] for item in items] == list(QUANTITIES)
    assert items[0]["unit"] == "ug/m3"


def test_presses_are_listed_by_time_and_filtered(node: Node) -> None:
    node.add(
        press(1, at_ms=NOW_MS), press(2, at_ms=NOW_MS - 5), press(3, device="n-2"), press(4, button="call"),
        press(5, device="s-1", site="south", at_ms=NOW_MS + 5),
    )  # fmt: skip
    token = node.token()
    items = node.get("/api/v1/presses", token).json()["items"]
    assert [item["count"] for item in items] == [2, 1, 3, 4, 5]
    assert items[0] == {
        "id": 2, "site": "north", "device": "n-1", "button": "ticket", "at": "2026-01-31T18:59:59.995000+07:00",
        "received": "2026-01-31T19:00:00.015000+07:00", "count": 2, "clock": "synced",
    }  # fmt: skip
    noon = "2026-01-31T12:00:00Z"
    for query, counts in (
        ("device=n-1", [2, 1, 4]), ("button=call", [4]), ("site=south", [5]), (f"from={noon}", [1, 3, 4, 5]),
        (f"to={noon}", [2]), (f"from={noon}&device=n-2&button=ticket", [3]), ("button=none", []),
    ):  # fmt: skip
        found = node.get(f"/api/v1/presses?{query}", token).json()["items"]
        assert [item["count"] for item in found] == counts, query


def test_p4_what_was_put_aside_is_seen_newest_first_with_its_totals(node: Node) -> None:
    for number, (device, site, reason) in enumerate(
        (
            ("n-1", "north", "bad_body"),
            ("n-1", "north", "time_past"),
            ("s-1", "south", "bad_body"),
            ("", "", "bad_topic"),
        )
    ):
        node.add(
            Quarantine(
                site=site,
                device=device,
                topic="city/x",
                reason=reason,
                detail=f"detail {number}",
                payload=b'{"v":\x00\x1b[31m\xff}' + b"x" * 300,
                size=5000 + number,
                received_ms=NOW_MS,
            )
        )
        node.add(QuarantineCount(device=device, reason=reason, total=10 + number))
    token = node.token()
    page = node.get("/api/v1/quarantine", token).json()
    assert [item["size"] for item in page["items"]] == [5003, 5002, 5001, 5000]
    assert page["totals"] == {"bad_body": 22, "bad_topic": 13, "time_past": 11}
    preview = page["items"][0]["preview"]
    assert preview.startswith('{"v":..[31m')
    assert preview.isprintable()
    assert len(preview) <= 200
    for query, sizes, totals in (
        ("device=n-1", [5001, 5000], {"bad_body": 10, "time_past": 11}),
        ("reason=bad_body", [5002, 5000], {"bad_body": 22, "bad_topic": 13, "time_past": 11}),
        ("site=south", [5002], {"bad_body": 12}),
    ):
        page = node.get(f"/api/v1/quarantine?{query}", token).json()
        assert ([item["size"] for item in page["items"]], page["totals"]) == (sizes, totals), query


def _fill(node: Node) -> None:
    for number in range(7):
        node.measure("n-1", "pm2_5", float(number), sensor=f"s{number}")
        node.add(
            press(number, at_ms=NOW_MS + number // 3),
            Quarantine(
                site="north", device="n-1", topic="t", reason="bad_body", detail="d", payload=b"", size=number,
                received_ms=NOW_MS,
            ),
        )  # fmt: skip
    for number in range(4):
        node.add_site(f"more-{number}")
        node.add_device(f"x-{number}", "north")
    node.measure("n-1", "pm10", *map(float, range(7)), at_ms=NOW_MS - 1)


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/api/v1/sites", 6), ("/api/v1/devices", 7), ("/api/v1/series", 8), ("/api/v1/latest", 8),
        ("/api/v1/presses", 7), ("/api/v1/quarantine", 7), ("/api/v1/readings?series=8", 7),
        ("/api/v1/readings?series=8&interval=1m", 7), ("/api/v1/presses?device=n-1&from=2026-01-01T00:00:00Z", 7),
    ],
)  # fmt: skip
@pytest.mark.parametrize("limit", [1, 3, 7, 10_000])
def test_pages_of_any_size_make_up_the_whole_list_and_end(node: Node, path: str, count: int, limit: int) -> None:
    _fill(node)
    token = node.token()
    whole = node.get(path, token).json()
    assert len(whole["items"]) == count
    assert whole["next"] is None
    paged = node.pages(f"{path}{'&' if '?' in path else '?'}limit={limit}", token)
    assert paged == whole["items"]
