"""Who may call: tokens and the web sessions that are opened with them, both kept as hashes only."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Engine, delete
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.access.throttle import Throttle
from api.db import Token, WebSession, reading, transaction
from api.errors import TooManyAttemptsError, UnauthorizedError

SESSION_MS = 30 * 86_400_000
"""A browser stays signed in for so long, or until its token ends."""

USED_EVERY_MS = 3_600_000
"""A token's last use is noted this coarsely, so that reading does not write."""

_TOKEN = re.compile(r"simpul_(?P<id>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9_-]{43})")
_SESSION = re.compile(r"[A-Za-z0-9_-]{43}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling.

    Attributes:
        token: the id of the token behind it.
        title: what the token is for.
        scopes: "read", "admin".
        site: the only site it may know of, None for all.
        session: the hash of its web session, None when the token itself was shown.
    """

    token: str
    title: str
    scopes: frozenset[str]
    site: str | None
    session: str | None = None


class NewToken(NamedTuple):
    """A token that was just made: `text` is told once and never kept."""

    id: str
    text: str
    secret_hash: str


class NewSession(NamedTuple):
    """A web session that was just opened: `text` goes into the cookie and is never kept."""

    text: str
    expires_ms: int


def new_token() -> NewToken:
    """A token of 256 random bits."""
    name, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return NewToken(name, f"simpul_{name}_{secret}", _hash(secret))


class Access:
    """Answers who a credential belongs to.

    A credential that holds is never refused because of others' failures at the same address: a city's displays share
    addresses, and 256 bits are not guessed. Only the sign-in form makes everybody at the address wait.
    """

    def __init__(self, engine: Engine, now: Callable[[], int], throttle: Throttle | None = None) -> None:
        self._engine = engine
        self._now = now
        self._throttle = throttle or Throttle()
        self._lock = threading.Lock()
        self._noted: dict[str, int] = {}

    def bearer(self, text: str, address: str) -> Principal:
        """Whose token `text` is. Raises UnauthorizedError, TooManyAttemptsError."""
        with reading(self._engine) as session:
            principal = self._by_token(session, text)
        if principal is None:
            raise self._failed(address)
        self._note_use(principal.token)
        return principal

    def session(self, text: str) -> Principal | None:
        """Who is signed in with the cookie `text`; None when nobody is any more."""
        if _SESSION.fullmatch(text) is None:
            return None
        with reading(self._engine) as session:
            principal = self._by_session(session, _hash(text))
        if principal is not None:
            self._note_use(principal.token)
        return principal

    def sign_in(self, token: str, address: str) -> NewSession:
        """Open a web session for whoever shows a good token. Raises UnauthorizedError, TooManyAttemptsError."""
        with self._lock:
            wait_s = self._throttle.wait_s(address, self._now())
        if wait_s:
            raise TooManyAttemptsError(wait_s)
        principal = self.bearer(token.strip(), address)
        text, now_ms = secrets.token_urlsafe(32), self._now()
        with transaction(self._engine) as session:
            session.execute(delete(WebSession).where(WebSession.expires_ms <= now_ms))
            until = session.get_one(Token, principal.token).expires_ms
            expires_ms = min(now_ms + SESSION_MS, until if until is not None else now_ms + SESSION_MS)
            session.add(
                WebSession(id_hash=_hash(text), token_id=principal.token, created_ms=now_ms, expires_ms=expires_ms)
            )
        return NewSession(text, expires_ms)

    def sign_out(self, text: str) -> None:
        """End the web session of the cookie `text`, if there is one."""
        with transaction(self._engine) as session:
            session.execute(delete(WebSession).where(WebSession.id_hash == _hash(text)))

    def still(self, principal: Principal) -> bool:
        """Whether a caller that was let in would be let in now."""
        with reading(self._engine) as session:
            if principal.session is not None:
                return self._by_session(session, principal.session) is not None
            token = session.get(Token, principal.token)
            return token is not None and self._in_force(token)

    def _by_token(self, session: Session, text: str) -> Principal | None:
        match = _TOKEN.fullmatch(text)
        token = session.get(Token, match["id"]) if match else None
        if match is None or token is None:
            return None
        same = hmac.compare_digest(token.secret_hash, _hash(match["secret"]))
        return _principal(token) if same and self._in_force(token) else None

    def _by_session(self, session: Session, id_hash: str) -> Principal | None:
        found = session.get(WebSession, id_hash)
        if found is None or found.expires_ms <= self._now():
            return None
        token = session.get(Token, found.token_id)
        return _principal(token, id_hash) if token is not None and self._in_force(token) else None

    def _in_force(self, token: Token) -> bool:
        return token.revoked_ms is None and (token.expires_ms is None or token.expires_ms > self._now())

    def _failed(self, address: str) -> UnauthorizedError | TooManyAttemptsError:
        with self._lock:
            wait_s = self._throttle.wait_s(address, self._now())
            if not wait_s:
                self._throttle.failed(address, self._now())
        if wait_s:
            return TooManyAttemptsError(wait_s)
        return UnauthorizedError("the token is unknown, expired or revoked; `python -m api token add` makes a new one")

    def _note_use(self, token: str) -> None:
        now_ms = self._now()
        with self._lock:
            if now_ms - self._noted.get(token, -USED_EVERY_MS) < USED_EVERY_MS:
                return
            self._noted[token] = now_ms
        try:
            with transaction(self._engine) as session:
                session.get_one(Token, token).last_used_ms = now_ms
        except SQLAlchemyError:
            _log.warning("the last use of token %s could not be noted", token, exc_info=True)


def _principal(token: Token, session: str | None = None) -> Principal:
    return Principal(token.id, token.title, frozenset(token.scopes.split()), token.site, session)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
