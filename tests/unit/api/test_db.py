"""How the facts are opened, read and migrated."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, select, text

from api import migrations
from api.db import Base, Site, open_engine, reading, transaction

URLS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=URLS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        opened = open_engine(f"sqlite:///{tmp_path / 'facts.db'}")
    else:
        opened = open_engine(request.getfixturevalue("postgres").database())
    yield opened
    opened.dispose()


def test_migrated_schema_and_models_are_the_same(engine: Engine) -> None:
    migrations.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
        names = {
            table: (inspect(connection).get_pk_constraint(table)["name"], *_names(connection, table))
            for table in inspect(connection).get_table_names()
            if table != "alembic_version"
        }
    modelled = {
        table.name: (
            table.primary_key.name,
            {index.name for index in table.indexes},
            {constraint.name for constraint in table.foreign_key_constraints},
        )
        for table in Base.metadata.tables.values()
    }
    assert names == modelled


def _names(connection: object, table: str) -> tuple[set[object], set[object]]:
    found = inspect(connection)
    return (
        {index["name"] for index in found.get_indexes(table)},  # type: ignore[attr-defined]
        {key["name"] for key in found.get_foreign_keys(table)},  # type: ignore[attr-defined]
    )


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        assert not migrations.is_current(connection)
    migrations.upgrade(engine)
    with transaction(engine) as session:
        session.add(Site(id="a", title="A", created_ms=1))
    migrations.upgrade(engine)
    with engine.connect() as connection:
        assert migrations.is_current(connection)
        assert connection.scalar(select(Site.id)) == "a"


def test_p1_every_commit_on_sqlite_survives_a_power_cut(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'facts.db'}")
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
    engine.dispose()


def test_a_reader_waits_for_no_writer_and_sees_one_moment(engine: Engine) -> None:
    migrations.upgrade(engine)
    with transaction(engine) as writer:
        writer.add(Site(id="a", title="A", created_ms=1))
        writer.flush()
        with reading(engine) as reader:
            assert reader.scalars(select(Site.id)).all() == []
    with reading(engine) as reader:
        assert reader.scalars(select(Site.id)).all() == ["a"]
        with transaction(engine) as writer:
            writer.add(Site(id="b", title="B", created_ms=1))
        assert reader.scalars(select(Site.id)).all() == ["a"]


def test_what_is_written_while_reading_is_discarded(engine: Engine) -> None:
    migrations.upgrade(engine)
    with reading(engine) as session:
        session.add(Site(id="a", title="A", created_ms=1))
        session.flush()
    with reading(engine) as session:
        assert session.scalars(select(Site.id)).all() == []


def test_a_writer_that_fails_leaves_nothing(engine: Engine) -> None:
    migrations.upgrade(engine)

    def fail() -> None:
        with transaction(engine) as session:
            session.add(Site(id="a", title="A", created_ms=1))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with reading(engine) as session:
        assert session.scalars(select(Site.id)).all() == []


def test_writers_on_sqlite_take_turns_from_their_beginning(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'facts.db'}")
    migrations.upgrade(engine)
    other = sqlite3.connect(tmp_path / "facts.db", timeout=0)
    with transaction(engine) as session:
        session.scalars(select(Site.id)).all()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.close()
    engine.dispose()
