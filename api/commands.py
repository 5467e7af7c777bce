"""What the command line does: each command opens what it needs, does one thing in one transaction, and says it.

Secrets and lists go to standard output, explanations to standard error: a script can take the one without the other.
"""

from __future__ import annotations

import contextlib
import sys
from argparse import Namespace
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from api import migrations
from api.access import registry
from api.clock import now_ms
from api.config import Settings
from api.db import Account, Contact, Device, Site, Token, open_engine, reading, transaction
from api.errors import ConflictError, UnavailableError
from broker.accounts import new_password, write_private
from broker.contract.topics import Role


@contextlib.contextmanager
def facts(settings: Settings) -> Iterator[Engine]:
    """The facts, migrated. Raises UnavailableError when they are not there or not migrated."""
    engine = open_engine(settings.facts_url)
    try:
        try:
            with engine.connect() as connection:
                current = migrations.is_current(connection)
        except DBAPIError as error:
            raise UnavailableError(
                f"the facts cannot be opened ({error.orig}); check [facts] url, and run `python -m api init`"
            ) from None
        if not current:
            raise UnavailableError("the facts are not migrated; run `python -m api migrate` first")
        yield engine
    finally:
        engine.dispose()


def check(settings: Settings) -> None:
    """Raises UnavailableError when the facts are not there or not migrated."""
    with facts(settings):
        return


def migrate(settings: Settings, asked: Namespace) -> None:
    """Bring the schema of the facts up to date."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    engine = open_engine(settings.facts_url)
    try:
        migrations.upgrade(engine)
        if asked.draft:
            _say(f"drafted {migrations.draft(engine, asked.draft)}")
    except DBAPIError as error:
        raise UnavailableError(f"the facts cannot be migrated ({error.orig}); check [facts] url and data_dir") from None
    finally:
        engine.dispose()


def init(settings: Settings, asked: Namespace) -> None:
    """Make the data directory, the schema and the server's own accounts; what is there stays."""
    migrate(settings, asked)
    with facts(settings) as engine:
        for name, role in registry.server_accounts(settings):
            file = settings.secret_file(name)
            password = file.read_text("utf-8").strip() if file.is_file() else ""
            if not password:
                password = new_password()
                write_private(file, f"{password}\n".encode())
            with transaction(engine) as session:
                registry.ensure_account(session, name=name, role=role, password=password, now_ms=now_ms())
        registry.publish_accounts(engine, settings.accounts_file)
    _say(f"{settings.data_dir} is ready")


def site_add(settings: Settings, asked: Namespace) -> None:
    """Register a site."""
    with facts(settings) as engine, transaction(engine) as session:
        if asked.if_missing and session.get(Site, asked.id) is not None:
            return
        place = registry.Place(asked.latitude, asked.longitude)
        registry.add_site(session, id=asked.id, title=asked.title or asked.id, place=place, now_ms=now_ms())


def site_list(settings: Settings, _: Namespace) -> None:
    """One site a line."""
    with facts(settings) as engine, reading(engine) as session:
        for site in session.scalars(select(Site).order_by(Site.id)):
            _row(site.id, site.title, _or_dash(site.latitude), _or_dash(site.longitude))


def device_add(settings: Settings, asked: Namespace) -> None:
    """Register a device and tell its password once."""
    with facts(settings) as engine:
        with reading(engine) as session:
            present = session.get(Device, asked.id) is not None
        if present and asked.if_missing:
            _need_secret(asked, f"the device {asked.id!r} exists", f"device rotate {asked.id}")
            return
        password = new_password()
        with transaction(engine) as session:
            registry.add_device(
                session,
                id=asked.id,
                site=asked.site,
                title=asked.title or asked.id,
                place=registry.Place(asked.latitude, asked.longitude),
                role=Role(asked.role),
                password=password,
                now_ms=now_ms(),
            )
            _tell(password, asked.secret_file)
        registry.publish_accounts(engine, settings.accounts_file)
    _say(f"device {asked.id!r} is registered at {asked.site!r}; {_where(asked)}")


def device_list(settings: Settings, _: Namespace) -> None:
    """One device a line: id, site, role, state, last contact, title."""
    query = (
        select(Device, Account.role, Contact.contact_ms)
        .outerjoin(Account, Account.name == Device.id)
        .outerjoin(Contact, Contact.device == Device.id)
        .order_by(Device.id)
    )
    with facts(settings) as engine, reading(engine) as session:
        for device, role, contact_ms in session.execute(query):
            state = "revoked" if device.revoked_ms else "registered"
            _row(device.id, device.site_id, role or "-", state, _time(settings, contact_ms), device.title)


def device_revoke(settings: Settings, asked: Namespace) -> None:
    """Shut a device out, at the broker within seconds."""
    with facts(settings) as engine:
        with transaction(engine) as session:
            registry.revoke_device(session, asked.id, now_ms())
        registry.publish_accounts(engine, settings.accounts_file)
    _say(f"device {asked.id!r} is revoked")


def device_rotate(settings: Settings, asked: Namespace) -> None:
    """Give a device a new password and tell it once."""
    password = new_password()
    with facts(settings) as engine:
        with transaction(engine) as session:
            registry.rotate_device(session, asked.id, password)
            _tell(password, asked.secret_file)
        registry.publish_accounts(engine, settings.accounts_file)
    _say(f"device {asked.id!r} has a new password, and the old one is refused; {_where(asked)}")


def token_add(settings: Settings, asked: Namespace) -> None:
    """Make a token and tell it once."""
    with facts(settings) as engine, transaction(engine) as session:
        if asked.if_missing and registry.token_in_force(session, asked.title, now_ms()) is not None:
            _need_secret(asked, f"a token {asked.title!r} is in force", "token add with another title")
            return
        text = registry.add_token(
            session, title=asked.title, scope=asked.scope, site=asked.site, expires_days=asked.expires, now_ms=now_ms()
        )
        _tell(text, asked.secret_file)
    _say(f"token {asked.title!r} is made; {_where(asked)}")


def token_list(settings: Settings, _: Namespace) -> None:
    """One token a line: id, scope, site, state, expiry, last use, title; never the token itself."""
    with facts(settings) as engine, reading(engine) as session:
        for token in session.scalars(select(Token).order_by(Token.created_ms, Token.id)):
            ended = token.expires_ms is not None and token.expires_ms <= now_ms()
            state = "revoked" if token.revoked_ms else "expired" if ended else "in force"
            times = _time(settings, token.expires_ms), _time(settings, token.last_used_ms)
            _row(token.id, token.scopes, token.site or "all sites", state, *times, token.title)


def token_revoke(settings: Settings, asked: Namespace) -> None:
    """End a token and the web sessions that were opened with it."""
    with facts(settings) as engine, transaction(engine) as session:
        registry.revoke_token(session, asked.id, now_ms())
    _say(f"token {asked.id!r} is revoked")


def _tell(secret: str, file: Path | None) -> None:
    """Hand over a secret before its hash is committed: a file that cannot be written leaves nothing behind."""
    if file is None:
        sys.stdout.write(f"{secret}\n")
        return
    try:
        write_private(file, f"{secret}\n".encode())
    except OSError as error:
        raise ConflictError(f"--secret-file {file} cannot be written: {error.strerror}") from None


def _where(asked: Namespace) -> str:
    place = f"in {asked.secret_file}" if asked.secret_file else "told here once"
    return f"its secret is {place}, and the server keeps only a hash"


def _need_secret(asked: Namespace, what: str, remedy: str) -> None:
    if asked.secret_file is not None and not asked.secret_file.is_file():
        raise ConflictError(f"{what}, but {asked.secret_file} is not there and its secret is kept nowhere; {remedy}")


def _time(settings: Settings, at_ms: int | None) -> str:
    return datetime.fromtimestamp(at_ms / 1000, settings.zone).isoformat(timespec="seconds") if at_ms else "-"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _row(*cells: Any) -> None:
    sys.stdout.write("\t".join(str(cell) for cell in cells) + "\n")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
