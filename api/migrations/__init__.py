"""The schema of the facts, step by step; run from Python, with no ini file."""

from __future__ import annotations

import functools

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

_LOCK = 7_460_713
"""An arbitrary number that names "migrating Simpul" among PostgreSQL's advisory locks."""


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision, in one transaction; doing it again changes nothing."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        command.upgrade(_config(connection), "head")


def is_current(connection: Connection) -> bool:
    """Whether the schema is the one that this version of the code works with."""
    return MigrationContext.configure(connection).get_current_revision() == _newest()


def draft(engine: Engine, message: str) -> str:
    """Write a new revision from the difference between the models and the database; returns its path.

    What Alembic guesses is a draft: read it, name things, and test it on SQLite and PostgreSQL.
    """
    with engine.begin() as connection:
        revision = command.revision(_config(connection), message, autogenerate=True)
    if revision is None or isinstance(revision, list):
        raise TypeError("Alembic wrote no single revision")
    return revision.path


@functools.cache
def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "api:migrations")
    config.attributes["connection"] = connection
    return config
