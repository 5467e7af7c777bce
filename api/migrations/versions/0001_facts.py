"""The facts of the spine: registry, access, inbox, presses, quarantine, contact, cursors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _registry()
    _access()
    _arrivals()
    _upkeep()


def _registry() -> None:
    op.create_table(
        "site",
        _text("id", 48),
        _text("title", 120),
        sa.Column("latitude", sa.Double()),
        sa.Column("longitude", sa.Double()),
        _number("created_ms"),
        _key("site", "id"),
    )
    op.create_table(
        "device",
        _text("id", 48),
        _text("site_id", 48),
        _text("title", 120),
        sa.Column("latitude", sa.Double()),
        sa.Column("longitude", sa.Double()),
        _number("created_ms"),
        _number("revoked_ms", nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="device_site_id_exists"),
        _key("device", "id"),
    )
    op.create_index("device_by_site_id", "device", ["site_id"])


def _access() -> None:
    op.create_table(
        "account",
        _text("name", 48),
        _text("role", 16),
        _text("site", 48),
        _text("device", 48),
        _text("password_hash", 200),
        _number("created_ms"),
        _number("revoked_ms", nullable=True),
        _key("account", "name"),
    )
    op.create_table(
        "token",
        _text("id", 16),
        _text("title", 120),
        _text("secret_hash", 64),
        _text("scopes", 120),
        _text("site", 48, nullable=True),
        _number("created_ms"),
        _number("expires_ms", nullable=True),
        _number("revoked_ms", nullable=True),
        _number("last_used_ms", nullable=True),
        _key("token", "id"),
    )
    op.create_table(
        "web_session",
        _text("id_hash", 64),
        _text("token_id", 16),
        _number("created_ms"),
        _number("expires_ms"),
        sa.ForeignKeyConstraint(["token_id"], ["token.id"], name="web_session_token_id_exists"),
        _key("web_session", "id_hash"),
    )
    op.create_index("web_session_by_expires_ms", "web_session", ["expires_ms"])


def _arrivals() -> None:
    op.create_table(
        "inbox",
        _text("device", 48),
        _text("epoch", 12),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        _text("kind", 32),
        _number("received_ms"),
        _key("inbox", "device", "epoch", "seq"),
    )
    op.create_table(
        "press",
        sa.Column("id", _ID, nullable=False),
        _text("site", 48),
        _text("device", 48),
        _text("button", 48),
        _number("at_ms"),
        _number("received_ms"),
        _number("count"),
        _text("clock", 16),
        _key("press", "id"),
    )
    op.create_index("press_by_button", "press", ["device", "button", "at_ms"])
    op.create_index("press_by_time", "press", ["at_ms", "id"])
    op.create_table(
        "quarantine",
        sa.Column("id", _ID, nullable=False),
        _text("site", 48),
        _text("device", 48),
        _text("topic", 200),
        _text("reason", 32),
        _text("detail", 300),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        _number("size"),
        _number("received_ms"),
        _key("quarantine", "id"),
    )
    op.create_index("quarantine_by_device", "quarantine", ["device", "reason", "id"])
    op.create_table(
        "quarantine_count",
        _text("device", 48),
        _text("reason", 32),
        _number("total"),
        _key("quarantine_count", "device", "reason"),
    )


def _upkeep() -> None:
    op.create_table(
        "contact",
        _text("device", 48),
        _text("site", 48),
        _number("contact_ms"),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("status", sa.LargeBinary()),
        sa.Column("heartbeat", sa.LargeBinary()),
        _number("received"),
        _number("missing"),
        _number("duplicates"),
        _number("quarantined"),
        _key("contact", "device"),
    )
    op.create_table("cursor", _text("job", 48), _number("position"), _key("cursor", "job"))


def _text(name: str, length: int, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"{table}_key")
