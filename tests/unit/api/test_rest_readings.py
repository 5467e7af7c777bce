"""Series, latest values and readings, as a program meets them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from api.freshness import stale_after_ms
from broker.contract.series import Quality
from tests.node import NOW_MS, Node

NOW = datetime.fromisoformat("2026-01-31T19:00:00+07:00")
HOUR_MS = 3_600_000
BOOT = "0" * 12


def at(text: str) -> datetime:
    """A time of an answer, which always carries its zone."""
    time = datetime.fromisoformat(text)
    assert time.utcoffset() == timedelta(hours=7)
    return time


def test_series_are_listed_and_filtered(node: Node) -> None:
    node.measure("n-1", "pm2_5", 1.0, 2.0)
    node.measure("n-1", "temperature", 1.0, interval_ms=0)
    node.measure("s-1", "pm2_5", 3.0, site="south")
    token = node.token()
    items = node.get("/api/v1/series", token).json()["items"]
    assert [(item["id"], item["device"], item["quantity"], item["unit"], item["interval_s"]) for item in items] == [
        (1, "n-1", "pm2_5", "ug/m3", 60.0), (2, "n-1", "temperature", "Cel", None), (3, "s-1", "pm2_5", "ug/m3", 60.0),
    ]  # fmt: skip
    assert at(items[0]["first"]) == NOW - timedelta(seconds=120)
    for query, ids in (("site=south", [3]), ("device=n-1", [1, 2]), ("quantity=pm2_5", [1, 3]), ("device=n-2", [])):
        found = node.get(f"/api/v1/series?{query}", token).json()["items"]
        assert [item["id"] for item in found] == ids, query


def test_p5_the_latest_value_says_its_age_and_when_it_is_stale(node: Node) -> None:
    node.measure("n-1", "pm2_5", 7.0, 8.5, quality=Quality.SUSPECT)
    token = node.token()
    (item,) = node.get("/api/v1/latest", token).json()["items"]
    assert at(item.pop("at")) == NOW - timedelta(seconds=60)
    assert item == {
        "series": 1, "site": "north", "device": "n-1", "sensor": "air", "quantity": "pm2_5", "unit": "ug/m3",
        "value": 8.5, "quality": 3, "age_s": 60.0, "stale": False, "stale_after_s": 180.0,
    }  # fmt: skip
    node.clock.forward(120)
    assert not node.get("/api/v1/latest", token).json()["items"][0]["stale"]
    node.clock.forward(0.001)
    assert node.get("/api/v1/latest", token).json()["items"][0]["stale"]


def test_p5_a_value_from_the_future_is_no_younger_than_now(node: Node) -> None:
    node.measure("n-1", "pm2_5", 7.0, at_ms=NOW_MS + 60_000)
    assert node.get("/api/v1/latest", node.token()).json()["items"][0]["age_s"] == 0.0


@pytest.mark.parametrize(
    ("interval_ms", "stale_ms"),
    [(0, 900_000), (1_000, 60_000), (20_000, 60_000), (60_000, 180_000), (HOUR_MS, 10_800_000)],
)
def test_p5_a_value_is_stale_after_three_intervals_or_a_minute(interval_ms: int, stale_ms: int) -> None:
    assert stale_after_ms(interval_ms) == stale_ms


def test_raw_readings_are_those_of_the_span(node: Node) -> None:
    node.measure("n-1", "pm2_5", 1.0, 2.0, 3.0, at_ms=NOW_MS - 1)
    token = node.token()
    page = node.get("/api/v1/readings?series=1", token).json()
    assert [item["value"] for item in page["items"]] == [1.0, 2.0, 3.0]
    assert page["series"]["id"] == 1
    assert page["interval"] == "raw"
    assert at(page["to"]) == NOW
    assert at(page["from"]) == NOW - timedelta(days=1)
    first, _, third = (item["at"].replace("+", "%2B") for item in page["items"])
    page = node.get(f"/api/v1/readings?series=1&from={first}&to={third}", token).json()
    assert [item["value"] for item in page["items"]] == [1.0, 2.0]


def test_the_span_of_a_day_before_the_end_is_what_is_meant_without_a_beginning(node: Node) -> None:
    node.measure("n-1", "pm2_5", *map(float, range(50)), interval_ms=HOUR_MS, at_ms=NOW_MS)
    page = node.get("/api/v1/readings?series=1&to=2026-01-31T00:00:00Z", node.token()).json()
    assert len(page["items"]) == 24


def test_p5_buckets_say_how_complete_they_are_and_a_gap_has_none(node: Node) -> None:
    begin = NOW_MS - 3 * HOUR_MS
    node.measure("n-1", "pm2_5", *[10.0] * 30, *[20.0] * 28, at_ms=begin + 58 * 60_000)
    node.measure("n-1", "pm2_5", 9999.0, quality=Quality.FAIL, at_ms=begin + 59 * 60_000)
    node.measure("n-1", "pm2_5", *[30.0] * 61, at_ms=begin + 3 * HOUR_MS - 60_000)
    items = node.get("/api/v1/readings?series=1&interval=1h", node.token()).json()["items"]
    first, third = items[0], items[-1]
    assert at(third["start"]) - at(first["start"]) == timedelta(hours=2)
    assert {at(item["start"]).hour for item in items} == {16, 17, 18}
    assert first["failed"] == 1
    assert first["min"] == 10.0
    assert first["max"] == 20.0
    assert first["expected"] == 60
    assert first["completeness"] == pytest.approx(first["count"] / 60)
    assert third["completeness"] == 1.0
    node.clock.forward(86_400)
    assert node.get("/api/v1/readings?series=1&interval=1h", node.token()).json()["items"] == []


def test_p5_a_bucket_of_failed_values_has_a_count_of_none_and_no_figures(node: Node) -> None:
    node.measure("n-1", "pm2_5", 9999.0, quality=Quality.FAIL, interval_ms=0)
    (item,) = node.get("/api/v1/readings?series=1&interval=10m", node.token()).json()["items"]
    del item["start"]
    assert item == {
        "count": 0, "failed": 1, "min": None, "mean": None, "max": None, "sum": 0.0, "expected": None,
        "completeness": None,
    }  # fmt: skip


def test_days_begin_at_the_citys_midnight(node: Node) -> None:
    node.measure("n-1", "pm2_5", *map(float, range(72)), interval_ms=HOUR_MS, at_ms=NOW_MS)
    path = "/api/v1/readings?series=1&interval=1d&from=2026-01-29T00:00:00%2B07:00"
    items = node.get(path, node.token()).json()["items"]
    assert [(at(item["start"]).isoformat(), item["count"]) for item in items] == [
        ("2026-01-29T00:00:00+07:00", 24), ("2026-01-30T00:00:00+07:00", 24), ("2026-01-31T00:00:00+07:00", 20),
    ]  # fmt: skip


def test_numbers_that_json_does_not_know_become_null(node: Node) -> None:
    node.measure("n-1", "pm2_5", float("nan"), float("inf"))
    token = node.token()
    raw = node.get("/api/v1/readings?series=1", token)
    assert [item["value"] for item in raw.json()["items"]] == [None, None]
    assert node.get("/api/v1/latest", token).json()["items"][0]["value"] is None
    assert "NaN" not in raw.text
    assert "nfinity" not in node.get("/api/v1/readings?series=1&interval=1d&from=2026-01-01T00:00:00Z", token).text


def test_pages_of_readings_end_although_new_ones_arrive_all_the_time(node: Node) -> None:
    node.measure("n-1", "pm2_5", 1.0, 2.0, 3.0, at_ms=NOW_MS - 1)
    token = node.token()
    first = node.get("/api/v1/readings?series=1&limit=2", token).json()
    node.clock.forward(600)
    node.measure("n-1", "pm2_5", 4.0, at_ms=NOW_MS + 60_000)
    second = node.get(first["next"], token).json()
    assert [item["value"] for item in second["items"]] == [3.0]
    assert second["next"] is None
    assert (second["from"], second["to"]) == (first["from"], first["to"])
