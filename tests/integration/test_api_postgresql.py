"""The API on PostgreSQL answers as it does on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api import migrations
from api.access import registry
from api.db import Contact, Press, Quarantine, QuarantineCount, open_engine, transaction
from tests.node import NOW_MS, Node
from tests.postgres import Postgres, postgres

__all__ = ["postgres"]

pytestmark = pytest.mark.postgresql

PATHS = (
    "/sites?limit=1", "/devices?limit=2", "/devices?site=south", "/series?limit=2", "/latest?device=n-1",
    "/presses?limit=2", "/presses?device=n-1&button=ticket&from=2026-01-31T00:00:00Z&limit=1", "/quarantine?limit=1",
    "/quarantine?site=north", "/quarantine?device=s-1&reason=bad_body", "/readings?series=1&limit=1",
)  # fmt: skip


@pytest.fixture
def nodes(postgres: Postgres, tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    """The same node on SQLite and on PostgreSQL."""
    url = postgres.database()
    engine = open_engine(url)
    migrations.upgrade(engine)
    engine.dispose()
    for name in ("sqlite", "postgresql"):
        (tmp_path / name).mkdir()
    both = Node(tmp_path / "sqlite"), Node(tmp_path / "postgresql", url=url)
    for node in both:
        fill(node)
    yield both
    for node in both:
        node.close()


def fill(node: Node) -> None:
    for site in ("north", "south"):
        node.add_site(site)
    for device, site in (("n-1", "north"), ("s-1", "south")):
        node.add_device(device, site)
        node.measure(device, "pm2_5", 1.0, 2.0, site=site)
        node.add(
            Contact(device=device, site=site, contact_ms=NOW_MS, online=True, heartbeat=b"{}"),
            QuarantineCount(device=device, reason="bad_body", total=2**40),
        )
        for number in range(3):
            node.add(
                Press(
                    site=site, device=device, button="ticket", at_ms=NOW_MS - number, received_ms=NOW_MS,
                    count=number + 1, clock="synced",
                ),
                Quarantine(
                    site=site, device=device, topic="t", reason="bad_body", detail="d", payload=b"\x00\xff",
                    size=2**40, received_ms=NOW_MS,
                ),
            )  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_list_is_the_same_page_after_page(nodes: tuple[Node, Node], path: str) -> None:
    on_sqlite, on_postgresql = (node.pages(f"/api/v1{path}", node.token()) for node in nodes)
    assert on_postgresql == on_sqlite
    assert on_sqlite


def test_signing_in_revoking_and_publishing_accounts_work(nodes: tuple[Node, Node]) -> None:
    asked: list[Callable[[Node], object]] = [
        lambda node: node.get("/readyz").json()["facts"],
        lambda node: "simpul_quarantined_total" in node.get("/metrics", node.token()).text,
        lambda node: node.get("/api/v1/quarantine", node.token()).json()["totals"],
        revoked_session,
    ]
    for question in asked:
        on_sqlite, on_postgresql = (question(node) for node in nodes)
        assert on_sqlite == on_postgresql


def revoked_session(node: Node) -> list[int]:
    token = node.token()
    cookie = {"Cookie": f"simpul_session={node.app.state.context.access.sign_in(token, 'here').text}"}
    before = node.get("/api/v1/sites", headers=cookie).status_code
    with transaction(node.engine) as session:
        registry.revoke_token(session, token[7:19], 1)
    registry.publish_accounts(node.engine, node.settings.accounts_file)
    return [before, node.get("/api/v1/sites", headers=cookie).status_code]
