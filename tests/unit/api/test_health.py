"""/healthz, /readyz and /metrics, and what a request leaves behind."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from api.db import Contact, QuarantineCount, transaction
from api.ports import SeriesStoreError
from tests.node import NOW_MS, Node


def test_ready_is_only_who_can_do_all_its_work(node: Node) -> None:
    def ready() -> tuple[int, dict[str, str]]:
        answer = node.get("/readyz")
        return answer.status_code, answer.json()

    assert node.get("/healthz").json() == {"status": "up"}
    assert ready() == (503, {"facts": "ok", "series": "ok", "mqtt": "away"})
    node.app.state.hub.link(connected=True)
    assert ready() == (200, {"facts": "ok", "series": "ok", "mqtt": "ok"})
    node.store.broken = SeriesStoreError("gone", retryable=True)
    assert ready() == (503, {"facts": "ok", "series": "away", "mqtt": "ok"})
    with transaction(node.engine) as session:
        session.connection().exec_driver_sql("DELETE FROM alembic_version")
    assert ready()[1]["facts"] == "not migrated"
    assert node.get("/healthz").status_code == 200


def test_metrics_count_requests_and_tell_of_the_node(node: Node) -> None:
    node.add(
        Contact(device="n-1", site="north", contact_ms=NOW_MS - 90_000, online=True, missing=4),
        QuarantineCount(device="n-1", reason="bad_body", total=7),
    )
    token = node.token()
    node.get("/api/v1/sites", token)
    node.get("/made/up/by/callers", token)
    node.get("/healthz")
    text = node.get("/metrics", token).text
    for line in (
        'simpul_http_requests_total{method="GET",path="/api/v1/sites",status="200"} 1.0',
        'simpul_http_requests_total{method="GET",path="/healthz",status="200"} 1.0',
        'simpul_http_requests_total{method="GET",path="other",status="404"} 1.0',
        'simpul_quarantined_total{device="n-1",reason="bad_body"} 7.0',
        'simpul_device_contact_age_seconds{device="n-1"} 90.0',
        'simpul_device_messages_missing{device="n-1"} 4.0',
        "simpul_mqtt_connected 0.0",
        "simpul_live_clients 0.0",
    ):
        assert line in text, text
    assert "made/up" not in text


def test_metrics_go_on_without_the_facts(node: Node) -> None:
    token = node.token()
    with transaction(node.engine) as session:
        session.connection().exec_driver_sql("DROP TABLE quarantine_count")
    text = node.get("/metrics", token).text
    assert "simpul_live_clients" in text
    assert "simpul_quarantined" not in text


def test_metrics_are_public_only_when_the_settings_say_so(tmp_path: Path) -> None:
    node = Node(tmp_path, http={"metrics_public": True})
    assert node.get("/metrics").status_code == 200
    node.close()


def test_p7_the_log_shows_the_path_and_neither_query_nor_token(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    token = node.token()
    with caplog.at_level(logging.DEBUG):
        node.get(f"/api/v1/sites?token={token}", token)
        node.get("/a%0Ab%1B[31m%20FAKE", token)
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "asyncio"))]
    lines = [record.getMessage() for record in ours if record.name == "api.access_log"]
    assert lines[0].startswith("9.9.9.9 GET /api/v1/sites 400 ")
    assert lines[1].startswith("9.9.9.9 GET /a?b?[31m?FAKE 404 ")
    assert not [record for record in ours if token[20:] in record.getMessage()]
