"""What the API refuses and how it says so: bad parameters, bad credentials, other sites, other paths."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from api.access import registry
from api.db import Contact, Press, Quarantine, QuarantineCount, Site, reading, transaction
from api.http.parameters import to_cursor
from api.ports import SeriesStoreError
from tests.node import NOW_MS, Node

RESOURCES = ("/sites", "/devices", "/quantities", "/series", "/latest", "/presses", "/quarantine", "/live")
WITH_SERIES = "/readings?series=1"
OPEN = {"/healthz", "/readyz", "/api/v1/openapi.json"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with the sites north and south and one series, for tests that change nothing."""
    made = Node(tmp_path_factory.mktemp("node"))
    for site in ("north", "south"):
        made.add_site(site)
        made.add_device(f"{site[0]}-1", site)
    made.measure("n-1", "pm2_5", 1.0)
    yield made
    made.close()


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem details of an error answer, which every one of them is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    details: dict[str, Any] = answer.json()
    assert set(details) == {"type", "title", "status", "detail", "instance", "errors"}
    assert details["status"] == status
    assert details["detail"]
    assert details["instance"] == answer.request.url.path
    return details


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("/sites?limit=0", "limit"),
        ("/sites?limit=10001", "limit"),
        ("/sites?limit=99999999999999999999999999", "limit"),
        ("/sites?limit=1e3", "limit"),
        ("/sites?limit=", "limit"),
        ("/sites?limit=%00", "limit"),
        ("/sites?limit=1&limit=2", "limit"),
        ("/sites?zz=1", "zz"),
        ("/sites?token=simpul_x", "token"),
        ("/sites?cursor=abc", "cursor"),
        ("/sites?cursor=%00", "cursor"),
        ("/sites?cursor=" + "A" * 200, "cursor"),
        ("/sites?cursor=" + to_cursor(7), "cursor"),
        ("/sites?cursor=" + to_cursor("A'; DROP TABLE site; --"), "cursor"),
        ("/series?cursor=" + to_cursor("north"), "cursor"),
        ("/series?cursor=" + to_cursor(-1), "cursor"),
        ("/series?cursor=" + to_cursor(2**63), "cursor"),
        ("/series?cursor=" + to_cursor(1, 2), "cursor"),
        ("/presses?cursor=" + to_cursor(1), "cursor"),
        ("/devices?site=%00", "site"),
        ("/devices?site=north%0A", "site"),
        ("/devices?site=NORTH", "site"),
        ("/devices?site=" + "a" * 49, "site"),
        ("/devices?site=north'%20OR%20'1'='1", "site"),
        ("/devices?sight=north", "sight"),
        ("/latest?device=../../etc/passwd", "device"),
        ("/latest?quantity=smell", "quantity"),
        ("/latest?quantity=", "quantity"),
        ("/quarantine?reason=unlucky", "reason"),
        ("/presses?button=UNION%20SELECT", "button"),
        ("/presses?from=yesterday", "from"),
        ("/presses?from=2026-01-31", "from"),
        ("/presses?from=2026-01-31T00:00:00", "from"),
        ("/presses?from=1769860800", "from"),
        ("/presses?from=2026-02-30T00:00:00Z", "from"),
        ("/presses?from=1999-12-31T23:59:59Z", "from"),
        ("/presses?to=2100-01-01T00:00:00Z", "to"),
        ("/presses?to=9999-12-31T23:59:59-23:59", "to"),
        ("/presses?to=2026-01-31T00:00:00%2B99:00", "to"),
        ("/presses?to=%00", "to"),
        ("/presses?from=2026-01-31T00:00:00Z&to=2026-01-31T00:00:00Z", "from"),
        ("/presses?from=2026-01-31T00:00:00Z&to=2026-01-30T00:00:00Z", "from"),
        ("/readings", "series"),
        ("/readings?series=0", "series"),
        ("/readings?series=-1", "series"),
        ("/readings?series=1.5", "series"),
        ("/readings?series=9223372036854775808", "series"),
        ("/readings?series=1%20OR%201=1", "series"),
        ("/readings?series=1&interval=2h", "interval"),
        ("/readings?series=1&from=2026-02-28T00:00:00Z", "from"),
        ("/readings?series=1&cursor=" + to_cursor("x"), "cursor"),
        ("/live?site=%00", "site"),
        ("/live?since=1", "since"),
    ],
)
def test_a_bad_parameter_is_a_400_that_names_it(shared: Node, query: str, field: str) -> None:
    details = problem(shared.get(f"/api/v1{query}", shared.token()), 400)
    assert field in [error["field"] for error in details["errors"]]
    assert all(error["message"] for error in details["errors"])
    with reading(shared.engine) as session:
        assert session.scalars(select(Site.id).order_by(Site.id)).all() == ["north", "south"]


def test_an_unknown_parameter_is_told_which_are_known(shared: Node) -> None:
    token = shared.token()
    assert "'device'" in problem(shared.get("/api/v1/latest?devise=n-1", token), 400)["detail"]
    assert "cursor, limit" in problem(shared.get("/api/v1/sites?zz=1", token), 400)["detail"]
    assert problem(shared.get("/api/v1/sites?" + "&".join(f"a{n}=1" for n in range(200)), token), 400)


def test_a_plus_that_became_a_space_is_understood(shared: Node) -> None:
    token = shared.token()
    assert shared.get("/api/v1/presses?from=2026-01-31T00:00:00+07:00", token).status_code == 200


@pytest.mark.parametrize("path", [f"/api/v1{path}" for path in (*RESOURCES, WITH_SERIES)] + ["/metrics"])
def test_p6_nothing_answers_without_a_good_credential(node: Node, path: str) -> None:
    node.measure("n-1", "pm2_5", 1.0)
    expired, revoked = node.token(expires=1), node.token()
    with transaction(node.engine) as session:
        registry.revoke_token(session, revoked[7:19], 1)
    node.clock.forward(86_400)
    for header in (
        {}, {"Authorization": "Bearer"}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {node.token()}"},
        {"Authorization": f"Bearer {expired}"}, {"Authorization": f"Bearer {revoked}"}, {"Cookie": "simpul_session=x"},
        {"Cookie": f"simpul_session={node.token()}"},
    ):  # fmt: skip
        answer = node.get(path, headers=header)
        problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_p6_only_what_is_marked_public_answers_without_a_token(shared: Node) -> None:
    documented = set(shared.app.openapi()["paths"])
    assert documented == {f"/api/v1{path.partition('?')[0]}" for path in (*RESOURCES, WITH_SERIES)}
    for path in OPEN:
        assert shared.get(path).status_code in {200, 503}, path


def test_p6_a_token_of_one_site_sees_nothing_of_another(node: Node) -> None:
    for device, site, number in (("n-1", "north", 1), ("s-1", "south", 2)):
        node.measure(device, "pm2_5", 1.0, site=site)
        node.add(
            Press(
                site=site, device=device, button="b", at_ms=NOW_MS, received_ms=NOW_MS, count=number, clock="synced"
            ),
            Quarantine(
                site=site, device=device, topic="t", reason="bad_body", detail="d", payload=b"", size=number,
                received_ms=NOW_MS,
            ),
            QuarantineCount(device=device, reason="bad_body", total=number),
            Contact(device=device, site=site, contact_ms=NOW_MS, online=True),
        )  # fmt: skip
    bound = node.token(site="south")
    for path in ("sites", "devices", "series", "latest", "presses", "quarantine"):
        text = node.get(f"/api/v1/{path}", bound).text
        assert "south" in text, path
        assert "n-1" not in text, path
        assert "north" not in text.replace("true_north", ""), path
    assert node.get("/api/v1/quarantine", bound).json()["totals"] == {"bad_body": 2}
    assert node.get("/api/v1/readings?series=2", bound).status_code == 200
    assert problem(node.get("/metrics", bound), 403)


@pytest.mark.parametrize(
    ("foreign", "unknown"),
    [
        ("/devices?site=north", "/devices?site=nowhere"),
        ("/series?site=north", "/series?site=nowhere"),
        ("/latest?device=n-1", "/latest?device=none"),
        ("/presses?device=n-1", "/presses?device=none"),
        ("/presses?site=north", "/presses?site=nowhere"),
        ("/quarantine?device=n-1", "/quarantine?device=none"),
        ("/live?device=n-1", "/live?device=none"),
        ("/live?site=north", "/live?site=nowhere"),
        ("/readings?series=1", "/readings?series=99"),
    ],
)
def test_p6_what_is_anothers_is_answered_as_if_it_did_not_exist(shared: Node, foreign: str, unknown: str) -> None:
    bound = shared.token(site="south")
    hidden, missing = (problem(shared.get(f"/api/v1{path}", bound), 404)["detail"] for path in (foreign, unknown))
    neutral = str.maketrans("", "", "0123456789")
    for name in ("north", "nowhere", "n-1", "none"):
        hidden, missing = hidden.replace(name, "*"), missing.replace(name, "*")
    assert hidden.translate(neutral) == missing.translate(neutral)


def test_p6_a_token_without_the_scope_may_not_read(node: Node) -> None:
    token = node.token()
    with transaction(node.engine) as session:
        session.connection().exec_driver_sql("UPDATE token SET scopes = 'write'")
    problem(node.get("/api/v1/sites", token), 403)


def test_a_browser_is_let_in_by_its_cookie(node: Node) -> None:
    opened = node.app.state.context.access.sign_in(node.token(site="south"), "9.9.9.9")
    answer = node.get("/api/v1/devices", headers={"Cookie": f"simpul_session={opened.text}"})
    assert [item["id"] for item in answer.json()["items"]] == ["s-1"]


def test_too_many_wrong_tokens_from_one_address_are_429(node: Node) -> None:
    for _ in range(10):
        problem(node.get("/api/v1/sites", "wrong"), 401)
    answer = node.get("/api/v1/sites", "wrong")
    assert problem(answer, 429)
    assert answer.headers["Retry-After"] == "300"
    problem(node.get("/api/v1/sites", "wrong", client=("8.8.8.8", 1)), 401)
    assert node.get("/api/v1/sites", node.token()).status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/api", "/api/v1", "/api/v1/", "/api/v1/sites/", "/api/v2/x", "/docs"])
def test_an_unknown_path_is_a_problem_too(shared: Node, path: str) -> None:
    problem(shared.get(path, shared.token()), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_method_is_a_problem_that_names_what_is_allowed(shared: Node, method: str) -> None:
    answer = shared.request(method, "/api/v1/sites", shared.token())
    problem(answer, 405)
    assert answer.headers["Allow"] == "GET"


def test_a_store_that_is_away_is_a_503_with_a_time_to_come_back(node: Node) -> None:
    node.measure("n-1", "pm2_5", 1.0)
    token = node.token()
    node.store.broken = SeriesStoreError("disk gone at /secret/path", retryable=True)
    for path in ("/api/v1/series", "/api/v1/latest", "/api/v1/readings?series=1"):
        answer = node.get(path, token)
        assert "secret" not in problem(answer, 503)["detail"]
        assert answer.headers["Retry-After"] == "5"
    assert node.get("/api/v1/devices", token).status_code == 200
    node.store.broken = SeriesStoreError("no such bucket", retryable=False)
    problem(node.get("/api/v1/latest", token), 500)


def test_facts_that_are_broken_are_a_503_that_shows_no_statement(node: Node) -> None:
    token = node.token()
    with transaction(node.engine) as session:
        session.connection().exec_driver_sql("DROP TABLE press")
    assert "SELECT" not in problem(node.get("/api/v1/presses", token), 503)["detail"]


def test_a_fault_of_ours_is_a_500_that_shows_nothing(node: Node) -> None:
    node.measure("n-1", "pm2_5", 1.0)
    token = node.token()
    node.store.broken = ZeroDivisionError("password=hunter2")  # type: ignore[assignment]  # a fault no port allows
    assert "hunter2" not in str(problem(node.get("/api/v1/latest", token), 500))


def test_a_body_that_is_too_large_is_refused(shared: Node) -> None:
    problem(shared.request("POST", "/login", data={"token": "x" * 100_000}), 413)


def test_a_body_that_grows_too_large_is_refused_while_it_is_read(shared: Node) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"token="
        for _ in range(100):
            yield b"x" * 1000

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert shared.request("POST", "/login", content=body(), headers=headers).status_code == 413


def test_every_answer_carries_the_security_headers(shared: Node) -> None:
    for path in ("/api/v1/sites", "/healthz", "/nothing", "/login"):
        headers = shared.get(path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"], path
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path


def test_an_answer_is_sent_again_only_when_it_has_changed(node: Node) -> None:
    token = node.token()
    first = node.get("/api/v1/sites", token)
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    assert first.headers["Cache-Control"] == "private, no-cache"
    for condition in (tag, f'"other", W/{tag}', "*"):
        again = node.get("/api/v1/sites", token, headers={"If-None-Match": condition})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert node.get("/api/v1/sites", token, headers={"If-None-Match": '"other"'}).status_code == 200
    node.add_site("west")
    assert node.get("/api/v1/sites", token, headers={"If-None-Match": tag}).status_code == 200
