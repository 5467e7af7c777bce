"""Sites, devices, accounts and tokens, and the file that the broker reads."""

from __future__ import annotations

import fcntl
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from api.access import registry
from api.access.registry import Place
from api.db import Account, Device, transaction
from api.errors import ConflictError, InvalidError, NotFoundError, Problem
from broker import accounts
from broker.contract.topics import Role
from tests.node import Node


def published(node: Node, directory: Path) -> dict[str, accounts.Account]:
    registry.publish_accounts(node.engine, directory / "broker" / "accounts.json")
    return accounts.load(directory / "broker" / "accounts.json")


def test_p6_a_device_gets_an_account_of_its_own_site_and_name(node: Node, tmp_path: Path) -> None:
    with transaction(node.engine) as session:
        registry.add_device(
            session, id="noise-1", site="south", title="Noise", role=Role.SENSOR, password="word", now_ms=1
        )
    account = published(node, tmp_path)["noise-1"]
    assert (account.role, account.site, account.device) == (Role.SENSOR, "south", "noise-1")
    assert accounts.verify(account.hash, "word")
    assert not accounts.verify(account.hash, "other")


def test_p6_a_revoked_device_is_in_the_brokers_file_no_more_and_keeps_its_row(node: Node, tmp_path: Path) -> None:
    assert set(published(node, tmp_path)) == {"n-1", "n-2", "s-1"}
    with transaction(node.engine) as session:
        registry.revoke_device(session, "n-1", 5)
        registry.revoke_device(session, "n-1", 6)
    assert set(published(node, tmp_path)) == {"n-2", "s-1"}
    with transaction(node.engine) as session:
        assert session.get_one(Device, "n-1").revoked_ms == 5
        with pytest.raises(ConflictError):
            registry.rotate_device(session, "n-1", "new")
        with pytest.raises(ConflictError):
            registry.add_device(session, id="n-1", site="north", title="again", password="p", now_ms=7)


def test_p6_after_rotating_only_the_new_password_is_good(node: Node, tmp_path: Path) -> None:
    with transaction(node.engine) as session:
        registry.rotate_device(session, "n-1", "new")
    kept = published(node, tmp_path)["n-1"].hash
    assert accounts.verify(kept, "new")
    assert not accounts.verify(kept, "p")


def test_the_brokers_file_is_for_its_owner_alone(node: Node, tmp_path: Path) -> None:
    published(node, tmp_path)
    assert stat.S_IMODE((tmp_path / "broker" / "accounts.json").stat().st_mode) == 0o600


def test_p6_of_writers_at_once_the_last_says_what_is_true(node: Node, tmp_path: Path) -> None:
    file = tmp_path / "broker" / "accounts.json"
    registry.publish_accounts(node.engine, file)
    with (file.parent / f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        writer = threading.Thread(target=registry.publish_accounts, args=(node.engine, file))
        writer.start()
        writer.join(0.1)
        assert writer.is_alive()
        node.add_device("late", "north")
    writer.join()
    assert "late" in accounts.load(file)


def test_the_servers_accounts_are_made_once_and_follow_their_secrets(node: Node) -> None:
    for word in ("first", "first", "second"):
        with transaction(node.engine) as session:
            registry.ensure_account(session, name="ingest", role=Role.INGEST, password=word, now_ms=1)
    with transaction(node.engine) as session:
        (account,) = session.scalars(select(Account).where(Account.role == "ingest"))
        assert accounts.verify(account.password_hash, "second")


def test_a_device_and_a_server_account_never_share_a_name(node: Node) -> None:
    with transaction(node.engine) as session:
        registry.ensure_account(session, name="ingest", role=Role.INGEST, password="p", now_ms=1)
    with transaction(node.engine) as session, pytest.raises(ConflictError, match="choose another id"):
        registry.add_device(session, id="ingest", site="north", title="t", password="p", now_ms=1)
    with transaction(node.engine) as session, pytest.raises(ConflictError, match="name another"):
        registry.ensure_account(session, name="n-1", role=Role.API, password="p", now_ms=1)


@pytest.mark.parametrize(
    "id", ["", "A", "a b", "a/b", "+", "#", "-a", "a-", "a" * 49, "a\n", "a\0", "'; DROP TABLE site; --", "é", "../x"]
)
def test_names_that_are_not_safe_everywhere_are_refused(node: Node, id: str) -> None:
    with transaction(node.engine) as session:
        with pytest.raises(InvalidError):
            registry.add_site(session, id=id, title="t", now_ms=1)
        with pytest.raises(InvalidError):
            registry.add_device(session, id=id, site="north", title="t", password="p", now_ms=1)


@pytest.mark.parametrize("title", ["", "  ", "t" * 121, "a\0b", "a\nb", "a\x1b[31mb"])
def test_titles_that_do_not_print_are_refused(node: Node, title: str) -> None:
    with transaction(node.engine) as session, pytest.raises(InvalidError, match="title"):
        registry.add_site(session, id="new", title=title, now_ms=1)


@pytest.mark.parametrize(
    "place",
    [Place(91, 0), Place(0, 181), Place(float("nan"), 0), Place(0, -float("inf")), Place(1, None), Place(None, 1)],
)
def test_places_that_are_not_on_earth_are_refused(node: Node, place: Place) -> None:
    with transaction(node.engine) as session, pytest.raises(InvalidError):
        registry.add_site(session, id="new", title="t", place=place, now_ms=1)


def test_what_is_missing_or_there_already_is_said(node: Node) -> None:
    with transaction(node.engine) as session:
        for error, call in (
            (ConflictError, lambda: registry.add_site(session, id="north", title="t", now_ms=1)),
            (NotFoundError, lambda: registry.add_device(session, id="x", site="z", title="t", password="p", now_ms=1)),
            (NotFoundError, lambda: registry.revoke_device(session, "none", 1)),
            (NotFoundError, lambda: registry.rotate_device(session, "none", "p")),
            (NotFoundError, lambda: registry.revoke_token(session, "none", 1)),
        ):
            with pytest.raises(error):
                call()


@pytest.mark.parametrize(
    "wrong", [{"scope": "write"}, {"site": "nowhere"}, {"expires_days": 0}, {"expires_days": 10**9}, {"title": ""}]
)
def test_a_token_that_makes_no_sense_is_not_made(node: Node, wrong: dict[str, object]) -> None:
    asked = {"title": "t", "scope": "read", "site": None, "expires_days": None, "now_ms": 1, **wrong}
    with transaction(node.engine) as session, pytest.raises(Problem):
        registry.add_token(session, **asked)  # type: ignore[arg-type]
