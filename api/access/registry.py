"""Sites, devices, accounts and tokens: what exists and who may connect. Nothing here commits."""

from __future__ import annotations

import fcntl
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from api.access.tokens import new_token
from api.config import Settings
from api.db import Account, Device, Site, Token, WebSession, reading
from api.errors import ConflictError, NotFoundError, invalid
from broker import accounts
from broker.contract.errors import ContractError
from broker.contract.ids import device_id, site_id
from broker.contract.topics import Role

SCOPES = ("read", "admin")
"""What a token may do: read everything; admin includes it and is for what changes things."""

MAX_TITLE = 120
DAY_MS = 86_400_000


class Place(NamedTuple):
    """Degrees north and east, WGS 84; None where not known."""

    latitude: float | None = None
    longitude: float | None = None


NOWHERE = Place()


def add_site(session: Session, *, id: str, title: str, place: Place = NOWHERE, now_ms: int) -> Site:
    """Register a site. Raises InvalidError, ConflictError."""
    _checked_id("site", id)
    if session.get(Site, id) is not None:
        raise ConflictError(f"there is a site {id!r} already; --if-missing leaves it as it is")
    latitude, longitude = _checked_place(place)
    site = Site(id=id, title=_checked_title(title), latitude=latitude, longitude=longitude, created_ms=now_ms)
    session.add(site)
    return site


def add_device(
    session: Session,
    *,
    id: str,
    site: str,
    title: str,
    place: Place = NOWHERE,
    role: Role = Role.DEVICE,
    password: str,
    now_ms: int,
) -> Device:
    """Register a device and its account at the broker. Raises InvalidError, NotFoundError, ConflictError."""
    _checked_id("device", id)
    if session.get(Site, site) is None:
        raise NotFoundError(f"there is no site {site!r}; `python -m api site add {site} --title …` makes it")
    if session.get(Device, id) is not None:
        raise ConflictError(f"there is a device {id!r} already; --if-missing leaves it as it is")
    if session.get(Account, id) is not None:
        raise ConflictError(f"{id!r} is the name of one of the server's own accounts; choose another id")
    latitude, longitude = _checked_place(place)
    device = Device(
        id=id, site_id=site, title=_checked_title(title), latitude=latitude, longitude=longitude, created_ms=now_ms
    )
    session.add(device)
    _add_account(session, name=id, role=role, site=site, device=id, password=password, now_ms=now_ms)
    return device


def revoke_device(session: Session, id: str, now_ms: int) -> None:
    """Shut a device out; what it sent stays. Its id is never given out again. Raises NotFoundError."""
    device, account = _device(session, id)
    device.revoked_ms = device.revoked_ms or now_ms
    account.revoked_ms = account.revoked_ms or now_ms


def rotate_device(session: Session, id: str, password: str) -> None:
    """Give a device a new password; the old one is refused from now on. Raises NotFoundError, ConflictError."""
    device, account = _device(session, id)
    if device.revoked_ms is not None:
        raise ConflictError(f"the device {id!r} is revoked; register its successor under a new id")
    account.password_hash = accounts.hash_password(password)


def server_accounts(settings: Settings) -> Sequence[tuple[str, Role]]:
    """The accounts of our own processes, by the settings."""
    mqtt = settings.mqtt
    return ((mqtt.ingest_account, Role.INGEST), (mqtt.api_account, Role.API), (mqtt.worker_account, Role.WORKER))


def ensure_account(session: Session, *, name: str, role: Role, password: str, now_ms: int) -> None:
    """An account of ours with that role and password, made or changed. Raises ConflictError: it is a device's."""
    account = session.get(Account, name)
    if account is None:
        _add_account(session, name=name, role=role, site="", device="", password=password, now_ms=now_ms)
        return
    if account.role != role.value:
        raise ConflictError(f"{name!r} is an account of role {account.role!r}; name another for {role.value} in [mqtt]")
    if not accounts.verify(account.password_hash, password):
        account.password_hash = accounts.hash_password(password)


def add_token(
    session: Session, *, title: str, scope: str, site: str | None, expires_days: int | None, now_ms: int
) -> str:
    """Make a token; returns its text, which is told once and kept nowhere. Raises InvalidError, NotFoundError."""
    if scope not in SCOPES:
        raise invalid("scope", f"one of {', '.join(SCOPES)} is wanted")
    if site is not None and session.get(Site, site) is None:
        raise NotFoundError(f"there is no site {site!r}")
    if expires_days is not None and not 1 <= expires_days <= 36_500:
        raise invalid("expires", "1 to 36500 days are wanted")
    new = new_token()
    session.add(
        Token(
            id=new.id,
            title=_checked_title(title),
            secret_hash=new.secret_hash,
            scopes=scope,
            site=site,
            created_ms=now_ms,
            expires_ms=now_ms + expires_days * DAY_MS if expires_days is not None else None,
        )
    )
    return new.text


def token_in_force(session: Session, title: str, now_ms: int) -> Token | None:
    """A token of that title that still opens something."""
    found = session.scalars(select(Token).where(Token.title == title, Token.revoked_ms.is_(None))).all()
    return next((token for token in found if token.expires_ms is None or token.expires_ms > now_ms), None)


def revoke_token(session: Session, id: str, now_ms: int) -> None:
    """End a token and every session that was opened with it. Raises NotFoundError."""
    token = session.get(Token, id)
    if token is None:
        raise NotFoundError(f"there is no token {id!r}; `python -m api token list` shows their ids")
    token.revoked_ms = token.revoked_ms or now_ms
    for opened in session.scalars(select(WebSession).where(WebSession.token_id == id)):
        session.delete(opened)


def publish_accounts(engine: Engine, file: Path) -> None:
    """Write who may connect to where the broker reads it.

    To be called after each commit that changed accounts. The lock makes every writer write what is true when it
    writes, so that of two at once the later does not bring back what the earlier removed.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (file.parent / f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with reading(engine) as session:
            rows = session.scalars(select(Account).where(Account.revoked_ms.is_(None))).all()
        accounts.save(file, [_published(row) for row in rows])


def _published(row: Account) -> accounts.Account:
    return accounts.Account(
        name=row.name, role=Role(row.role), site=row.site, device=row.device, hash=row.password_hash
    )


def _add_account(
    session: Session, *, name: str, role: Role, site: str, device: str, password: str, now_ms: int
) -> None:
    session.add(
        Account(
            name=name,
            role=role.value,
            site=site,
            device=device,
            password_hash=accounts.hash_password(password),
            created_ms=now_ms,
        )
    )


def _device(session: Session, id: str) -> tuple[Device, Account]:
    device, account = session.get(Device, id), session.get(Account, id)
    if device is None or account is None:
        raise NotFoundError(f"there is no device {id!r}; `python -m api device list` shows their ids")
    return device, account


def _checked_id(what: str, text: str) -> None:
    try:
        site_id(text) if what == "site" else device_id(text)
    except ContractError as error:
        raise invalid(what, error.detail) from None


def _checked_title(text: str) -> str:
    title = text.strip()
    if not 1 <= len(title) <= MAX_TITLE or not title.isprintable():
        raise invalid("title", f"1 to {MAX_TITLE} printable characters are wanted")
    return title


def _checked_place(place: Place) -> Place:
    for name, value, limit in (("latitude", place.latitude, 90), ("longitude", place.longitude, 180)):
        if value is not None and not (math.isfinite(value) and -limit <= value <= limit):
            raise invalid(name, f"degrees from -{limit} to {limit} are wanted")
    if (place.latitude is None) != (place.longitude is None):
        raise invalid("latitude", "give latitude and longitude together, or neither")
    return place
