"""Do migrations make what the models say, and can they be taken back?"""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine

from fillstream.contexts import Context, load, names
from libs.kit.backbone import BACKBONE_TABLES
from libs.kit.db import async_url
from libs.kit.migrate import _config, migrate
from tests.structure.catalogue import checks, description

_RETENTION_DAYS = 400


def differences(connection: Connection, schema: str, metadata: MetaData) -> list[str]:
    """What Alembic would change to make the schema what the models say."""

    def include(name: str | None, kind: str, _parents: Mapping[str, str | None]) -> bool:
        if kind == "schema":
            return name == schema
        return kind != "table" or not (name or "").startswith(("event_log_", "inbox_"))

    options = {
        "include_schemas": True,
        "include_name": include,
        "compare_type": True,
        "compare_server_default": True,
        "version_table_schema": schema,
    }
    context = MigrationContext.configure(connection, opts=options)
    return [repr(change) for change in compare_metadata(context, metadata)]


def _downgrade(connection: Connection, context: Context) -> None:
    connection.execute(text(f"SET LOCAL ROLE {context.name}_owner"))
    config = _config(context.source)
    config.attributes["connection"] = connection
    command.downgrade(config, "base")


async def _differences(url: str, context: Context, metadata: MetaData) -> list[str]:
    engine = create_async_engine(async_url(url))
    async with engine.connect() as connection:
        found = await connection.run_sync(differences, context.name, metadata)
    await engine.dispose()
    return found


@pytest.mark.parametrize("name", names())
async def test_the_migrated_schema_is_what_the_models_say(database_url: str, name: str) -> None:
    context = load(name)
    assert not await _differences(database_url, context, context.metadata)


@pytest.mark.parametrize("name", names())
async def test_checks_of_the_schema_are_those_of_the_models(admin: asyncpg.Connection, name: str) -> None:
    said = {
        (table.name, str(constraint.name))
        for table in load(name).metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    made = {(table, check) for table, check in await checks(admin, name) if table not in BACKBONE_TABLES}
    assert made == {(table, check) for table, check in said if table not in BACKBONE_TABLES}


async def test_a_column_that_only_the_schema_has_is_found(admin: asyncpg.Connection, database_url: str) -> None:
    context = load(names()[0])
    await admin.execute(f"ALTER TABLE {context.name}.dead_letter ADD COLUMN mood text")
    assert "mood" in str(await _differences(database_url, context, context.metadata))


async def test_a_table_that_only_the_models_have_is_found(admin: asyncpg.Connection, database_url: str) -> None:
    context = load(names()[0])
    await admin.execute(f"DROP TABLE {context.name}.idempotency_key")
    assert "idempotency_key" in str(await _differences(database_url, context, context.metadata))


@pytest.mark.parametrize("name", names())
async def test_migrations_can_be_taken_back_and_made_again(
    admin: asyncpg.Connection, database_url: str, name: str
) -> None:
    context = load(name)
    before = await description(admin, name)
    engine = create_async_engine(async_url(database_url))
    async with engine.begin() as connection:
        await connection.run_sync(_downgrade, context)
    await engine.dispose()
    left = await admin.fetch("SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace", name)
    assert {row[0] for row in left} == {"alembic_version", "alembic_version_pkc"}
    await migrate(database_url, [context.source], _RETENTION_DAYS)
    assert await description(admin, name) == before


async def test_migrating_twice_changes_nothing(admin: asyncpg.Connection, database_url: str) -> None:
    contexts = [load(name) for name in names()]
    before = [await description(admin, name) for name in names()]
    await migrate(database_url, [context.source for context in contexts], _RETENTION_DAYS)
    assert [await description(admin, name) for name in names()] == before


@pytest.mark.parametrize("name", names())
def test_every_revision_says_why_what_it_locks_and_how_to_go_back(name: str) -> None:
    for path in sorted(load(name).source.revisions.glob("*.py")):
        opening = path.read_text().split('"""')[1]
        assert [word for word in ("Why:", "Locks:", "Back:") if word not in opening] == [], path.name
