"""The facts: tables, and the engine that opens them on SQLite or PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Double,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    create_engine,
    event,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

Id = BigInteger().with_variant(Integer, "sqlite")
"""A growing integer key; SQLite numbers only INTEGER by itself."""


class Base(DeclarativeBase):
    """All tables of the facts; every constraint has a name, so that a migration can change it."""

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_by_%(column_0_name)s",
            "uq": "%(table_name)s_one_%(column_0_name)s",
            "fk": "%(table_name)s_%(column_0_name)s_exists",
            "pk": "%(table_name)s_key",
        }
    )


class Site(Base):
    """A place: a hospital, a station, an office."""

    __tablename__ = "site"
    id: Mapped[str] = mapped_column(String(48), primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    latitude: Mapped[float | None] = mapped_column(Double)
    longitude: Mapped[float | None] = mapped_column(Double)
    created_ms: Mapped[int] = mapped_column(BigInteger)


class Device(Base):
    """An agent or a third-party instrument at a site; never deleted, only revoked."""

    __tablename__ = "device"
    id: Mapped[str] = mapped_column(String(48), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), index=True)
    title: Mapped[str] = mapped_column(String(120))
    latitude: Mapped[float | None] = mapped_column(Double)
    longitude: Mapped[float | None] = mapped_column(Double)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    revoked_ms: Mapped[int | None] = mapped_column(BigInteger)


class Account(Base):
    """Who may connect to the broker: a device by its id, a process of ours, a watcher of a site."""

    __tablename__ = "account"
    name: Mapped[str] = mapped_column(String(48), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    site: Mapped[str] = mapped_column(String(48), default="")
    device: Mapped[str] = mapped_column(String(48), default="")
    password_hash: Mapped[str] = mapped_column(String(200))
    created_ms: Mapped[int] = mapped_column(BigInteger)
    revoked_ms: Mapped[int | None] = mapped_column(BigInteger)


class Token(Base):
    """Who may call the API and open the pages."""

    __tablename__ = "token"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[str] = mapped_column(String(120))
    site: Mapped[str | None] = mapped_column(String(48))
    created_ms: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int | None] = mapped_column(BigInteger)
    revoked_ms: Mapped[int | None] = mapped_column(BigInteger)
    last_used_ms: Mapped[int | None] = mapped_column(BigInteger)


class WebSession(Base):
    """A browser that has signed in with a token."""

    __tablename__ = "web_session"
    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[str] = mapped_column(ForeignKey("token.id"))
    created_ms: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class Inbox(Base):
    """Which messages have taken effect: the row is written in the transaction of the effect (promise P2)."""

    __tablename__ = "inbox"
    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(12), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(32))
    received_ms: Mapped[int] = mapped_column(BigInteger)


class Press(Base):
    """A press of a button."""

    __tablename__ = "press"
    __table_args__ = (
        Index("press_by_button", "device", "button", "at_ms"),
        Index("press_by_time", "at_ms", "id"),
    )
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    site: Mapped[str] = mapped_column(String(48))
    device: Mapped[str] = mapped_column(String(48))
    button: Mapped[str] = mapped_column(String(48))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    received_ms: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(BigInteger)
    clock: Mapped[str] = mapped_column(String(16))


class Quarantine(Base):
    """A message or reading that could not be used, kept where a person sees it (promise P4)."""

    __tablename__ = "quarantine"
    __table_args__ = (Index("quarantine_by_device", "device", "reason", "id"),)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    site: Mapped[str] = mapped_column(String(48))
    device: Mapped[str] = mapped_column(String(48))
    topic: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(String(300))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int] = mapped_column(BigInteger)
    received_ms: Mapped[int] = mapped_column(BigInteger)


class QuarantineCount(Base):
    """How many were ever put aside; the rows themselves are kept up to a number per device and reason."""

    __tablename__ = "quarantine_count"
    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    reason: Mapped[str] = mapped_column(String(32), primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger)


class Contact(Base):
    """What the server last heard of a device; the state topic says the same."""

    __tablename__ = "contact"
    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    site: Mapped[str] = mapped_column(String(48))
    contact_ms: Mapped[int] = mapped_column(BigInteger)
    online: Mapped[bool]
    status: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The last birth, or the will that ended it, as JSON of the contract."""
    heartbeat: Mapped[bytes | None] = mapped_column(LargeBinary)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    missing: Mapped[int] = mapped_column(BigInteger, default=0)
    duplicates: Mapped[int] = mapped_column(BigInteger, default=0)
    quarantined: Mapped[int] = mapped_column(BigInteger, default=0)


class Cursor(Base):
    """How far a restartable job has come."""

    __tablename__ = "cursor"
    job: Mapped[str] = mapped_column(String(48), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///path` or `postgresql+psycopg://…`; on SQLite every commit survives a power cut."""
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    return engine


@contextlib.contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One request or message: committed at the end, rolled back on any error."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One consistent view of the facts, which waits for no writer and holds none up; nothing in it is committed."""
    how = {_READING: True} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with Session(engine.execution_options(**how), expire_on_commit=False) as session:
        yield session


_READING = "simpul_reading"


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    """Writers take the lock at once: a transaction that reads first and writes later could not be retried."""
    reads = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
