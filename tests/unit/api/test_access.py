"""Tokens and web sessions: who is let in, and for how long."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from api.access import registry
from api.access.tokens import Principal, new_token
from api.db import Token, WebSession, reading, transaction
from api.errors import TooManyAttemptsError, UnauthorizedError
from tests.node import Node

HERE = "9.9.9.9"
DAY_S = 86_400


def revoke(node: Node, who: Principal) -> None:
    with transaction(node.engine) as session:
        registry.revoke_token(session, who.token, node.clock())


def test_a_token_opens_until_it_expires(node: Node) -> None:
    text = node.token(expires=2, site="north", scope="admin", title="wall")
    who = node.access.bearer(text, HERE)
    assert (who.title, who.scopes, who.site) == ("wall", frozenset({"admin"}), "north")
    node.clock.forward(2 * DAY_S - 1)
    assert node.access.still(who)
    node.clock.forward(1)
    assert not node.access.still(who)
    with pytest.raises(UnauthorizedError):
        node.access.bearer(text, HERE)


def test_a_revoked_token_is_refused_at_once(node: Node) -> None:
    text = node.token()
    who = node.access.bearer(text, HERE)
    revoke(node, who)
    assert not node.access.still(who)
    with pytest.raises(UnauthorizedError):
        node.access.bearer(text, HERE)


@pytest.mark.parametrize("change", ["", "x", "simpul_", "Simpul_", "\0", " ", "'--", "é"])
def test_what_is_not_the_token_is_refused(node: Node, change: str) -> None:
    text = node.token()
    with pytest.raises(UnauthorizedError):
        node.access.bearer(change or text[:-1], HERE)
    with pytest.raises(UnauthorizedError):
        node.access.bearer(text + (change or "A"), HERE)


def test_another_tokens_secret_does_not_open_this_one(node: Node) -> None:
    one, other = node.token(), node.token()
    with pytest.raises(UnauthorizedError):
        node.access.bearer(one[:20] + other[20:], HERE)


def test_no_secret_is_at_rest(node: Node) -> None:
    text = node.token()
    session = node.access.sign_in(text, HERE)
    with node.engine.connect() as connection:
        everything = "\n".join(connection.connection.iterdump())  # type: ignore[attr-defined]
    assert text.removeprefix("simpul_")[:12] in everything
    assert text[20:] not in everything
    assert session.text not in everything


def test_tokens_never_repeat_and_carry_256_bits() -> None:
    texts = {new_token().text for _ in range(100)}
    assert len(texts) == 100
    assert {len(text) for text in texts} == {7 + 12 + 1 + 43}


def test_a_session_lasts_thirty_days_or_as_long_as_its_token(node: Node) -> None:
    long, short = node.access.sign_in(node.token(), HERE), node.access.sign_in(node.token(expires=1), HERE)
    assert node.access.session(long.text) is not None
    node.clock.forward(DAY_S)
    assert node.access.session(short.text) is None
    node.clock.forward(29 * DAY_S)
    assert node.access.session(long.text) is None


def test_a_session_ends_with_its_token_and_at_signing_out(node: Node) -> None:
    token = node.token()
    first, second = node.access.sign_in(token, HERE), node.access.sign_in(f" {token}\n", HERE)
    node.access.sign_out(first.text)
    assert node.access.session(first.text) is None
    who = node.access.session(second.text)
    assert who is not None
    revoke(node, who)
    assert node.access.session(second.text) is None
    assert not node.access.still(who)


def test_expired_sessions_are_swept_at_the_next_sign_in(node: Node) -> None:
    node.access.sign_in(node.token(expires=1), HERE)
    node.clock.forward(2 * DAY_S)
    node.access.sign_in(node.token(), HERE)
    with reading(node.engine) as session:
        assert len(session.scalars(select(WebSession)).all()) == 1


@pytest.mark.parametrize("text", ["", "x" * 43, "x" * 44, "\0" * 43, "' OR 1=1 --"])
def test_no_session_is_nobody(node: Node, text: str) -> None:
    assert node.access.session(text) is None


def test_failures_at_one_address_make_its_sign_ins_wait_and_shut_out_no_good_token(node: Node) -> None:
    good = node.token()
    for _ in range(10):
        with pytest.raises(UnauthorizedError):
            node.access.bearer(new_token().text, HERE)
    with pytest.raises(TooManyAttemptsError) as caught:
        node.access.bearer(new_token().text, HERE)
    assert caught.value.headers["Retry-After"] == "300"
    with pytest.raises(TooManyAttemptsError):
        node.access.sign_in(good, HERE)
    assert node.access.bearer(good, HERE)
    assert node.access.sign_in(good, "8.8.8.8")
    node.clock.forward(300)
    assert node.access.sign_in(good, HERE)


def test_the_last_use_is_noted_once_an_hour(node: Node) -> None:
    text = node.token()

    def used() -> int | None:
        with reading(node.engine) as session:
            return session.scalars(select(Token.last_used_ms)).one()

    assert used() is None
    began_ms = node.clock()
    for seconds, noted_ms in ((0, began_ms), (3_599, began_ms), (1, began_ms + 3_600_000)):
        node.clock.forward(seconds)
        node.access.bearer(text, HERE)
        assert used() == noted_ms
