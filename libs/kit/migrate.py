"""How does a context's schema get to its newest revision? Roles and schema first, then Alembic as the owner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from libs.kit.connections import async_url
from libs.kit.partitions import maintain_partitions

_ENVIRONMENT = Path(__file__).parent / "migrations"
# Any number will do, as long as all migrating processes agree on it.
_MIGRATION_LOCK = 7_021_900_315


@dataclass(frozen=True, slots=True)
class SchemaSource:
    """A context's schema and where its revisions are."""

    schema: str
    revisions: Path


def _config(source: SchemaSource) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("version_locations", str(source.revisions))
    config.set_main_option("path_separator", "os")
    config.attributes["schema"] = source.schema
    return config


def newest_revision(source: SchemaSource) -> str:
    """The revision that `migrate` leads to. Raises ValueError when the context has none."""
    head = ScriptDirectory.from_config(_config(source)).get_current_head()
    if head is None:
        msg = f"{source.schema} has no migrations in {source.revisions}"
        raise ValueError(msg)
    return head


async def migrate(database_url: str, sources: list[SchemaSource], retention_days: int) -> None:
    """Bring every schema to its newest revision, one process at a time, and make the coming partitions.

    `database_url` must be able to create roles and schemas. Raises whatever PostgreSQL refuses.
    """
    engine = create_async_engine(async_url(database_url))
    try:
        for source in sources:
            await _migrate_one(engine, source)
            await maintain_partitions(engine, source.schema, retention_days)
    finally:
        await engine.dispose()


async def _migrate_one(engine: AsyncEngine, source: SchemaSource) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        await connection.run_sync(_create_roles, source.schema)
        await connection.execute(text(f"SET LOCAL ROLE {source.schema}_owner"))
        await connection.run_sync(_upgrade, source)


def _create_roles(connection: Connection, schema: str) -> None:
    for role in ("owner", "api", "worker"):
        name = f"{schema}_{role}"
        known = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name})
        if not known:
            connection.execute(text(f"CREATE ROLE {name} NOLOGIN NOINHERIT"))
            connection.execute(text(f"GRANT {name} TO CURRENT_USER"))
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {schema}_owner"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {schema}_api, {schema}_worker"))


def _upgrade(connection: Connection, source: SchemaSource) -> None:
    config = _config(source)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
