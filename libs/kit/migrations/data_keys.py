"""How is the table of data keys made? A revision of every context that keeps secrets calls `create`."""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import isolate_tenants


def create(schema: str) -> None:
    """Make data_key in a context's schema. One key of a workspace seals; those that are retired only open."""
    op.execute(f"""
        CREATE TABLE {schema}.data_key (
            tenant_id   uuid NOT NULL,
            id          uuid NOT NULL,
            wrapped_key bytea NOT NULL,
            wrapped_by  text NOT NULL,
            created_at  timestamptz NOT NULL,
            retired_at  timestamptz,
            PRIMARY KEY (tenant_id, id)
        )""")
    op.execute(f"CREATE UNIQUE INDEX data_key_sealing ON {schema}.data_key (tenant_id) WHERE retired_at IS NULL")
    # The API makes a workspace's first key; it never changes one, and whoever breaks into it destroys none.
    isolate_tenants(schema, "data_key", api="SELECT, INSERT")


def drop(schema: str) -> None:
    """Undo `create`. What was sealed can't be opened any more."""
    op.execute(f"DROP TABLE {schema}.data_key")
