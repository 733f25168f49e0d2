"""Do migrations make what the models say, and can they be taken back?"""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, MetaData, String, Text, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from fillstream.contexts import load, names
from libs.kit.migrate import SchemaSource, _config, migrate
from tests.structure.catalogue import checks, description

_RETENTION_DAYS = 400


def _type_differs(
    _context: MigrationContext, _found: object, _said: object, found: TypeEngine[object], said: TypeEngine[object]
) -> bool | None:
    # A text of any length has two names in PostgreSQL; for all else, let Alembic compare.
    return False if isinstance(found, Text) and isinstance(said, String) and said.length is None else None


def _differences(connection: Connection, schema: str, metadata: MetaData) -> list[str]:
    """What Alembic would change to make the schema what the models say."""

    def include(name: str | None, kind: str, _parents: Mapping[str, str | None]) -> bool:
        if kind == "schema":
            return name == schema
        return kind != "table" or not (name or "").startswith(("event_log_", "inbox_"))

    options = {
        "include_schemas": True,
        "include_name": include,
        "compare_type": _type_differs,
        "compare_server_default": True,
        "version_table_schema": schema,
    }
    context = MigrationContext.configure(connection, opts=options)
    return [repr(change) for change in compare_metadata(context, metadata)]


def _downgrade(connection: Connection, source: SchemaSource) -> None:
    connection.execute(text(f"SET LOCAL ROLE {source.schema}_owner"))
    config = _config(source)
    config.attributes["connection"] = connection
    command.downgrade(config, "base")


@pytest.mark.parametrize("name", names())
async def test_the_migrated_schema_is_what_the_models_say(alembics: AsyncConnection, name: str) -> None:
    assert not await alembics.run_sync(_differences, name, load(name).metadata)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE {0}.dead_letter ADD COLUMN mood text",
        "ALTER TABLE {0}.dead_letter ALTER COLUMN attempts TYPE bigint",
        "ALTER TABLE {0}.dead_letter ALTER COLUMN attempts DROP NOT NULL",
        "ALTER TABLE {0}.dead_letter ALTER COLUMN created_at DROP DEFAULT",
        "DROP INDEX {0}.dead_letter_open",
        "DROP TABLE {0}.idempotency_key",
        "CREATE TABLE {0}.mood (id uuid)",
    ],
)
async def test_a_schema_that_is_not_what_the_models_say_is_found(alembics: AsyncConnection, change: str) -> None:
    context = load(names()[0])
    await alembics.execute(text(change.format(context.name)))
    assert await alembics.run_sync(_differences, context.name, context.metadata)


@pytest.mark.parametrize("name", names())
async def test_every_check_that_a_model_says_is_made(admin: asyncpg.Connection, name: str) -> None:
    # Alembic compares no checks. A migration may guard more than its model says, but not less.
    said = {
        (table.name, str(constraint.name))
        for table in load(name).metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    assert not said - await checks(admin, name)


@pytest.mark.parametrize("name", names())
async def test_migrations_can_be_taken_back_and_made_again(
    admin: asyncpg.Connection, alembics: AsyncConnection, house: str, name: str
) -> None:
    source = load(name).source
    before = await description(admin, name)
    await alembics.run_sync(_downgrade, source)
    await alembics.commit()
    left = await admin.fetch("SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace", name)
    await migrate(house, [source], _RETENTION_DAYS)
    assert {row[0] for row in left} == {"alembic_version", "alembic_version_pkc"}
    assert await description(admin, name) == before


async def test_migrating_twice_changes_nothing(admin: asyncpg.Connection, house: str) -> None:
    contexts = [load(name) for name in names()]
    before = [await description(admin, name) for name in names()]
    await migrate(house, [context.source for context in contexts], _RETENTION_DAYS)
    assert [await description(admin, name) for name in names()] == before


@pytest.mark.parametrize("name", names())
def test_every_revision_says_why_what_it_locks_and_how_to_go_back(name: str) -> None:
    for path in sorted(load(name).source.revisions.glob("*.py")):
        opening = path.read_text().split('"""')[1]
        assert [word for word in ("Why:", "Locks:", "Back:") if word not in opening] == [], path.name
