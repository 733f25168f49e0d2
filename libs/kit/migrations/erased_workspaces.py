"""How is the table of erased workspaces made? A revision of every context that holds something about people calls `create`."""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import isolate_tenants


def create(schema: str) -> None:
    """Make erased_workspace in a context's schema. Nobody takes anything out of it."""
    op.execute(f"""
        CREATE TABLE {schema}.erased_workspace (
            tenant_id  uuid PRIMARY KEY,
            erasure_id uuid NOT NULL,
            erased_at  timestamptz NOT NULL
        )""")
    isolate_tenants(schema, "erased_workspace", api="SELECT", worker="SELECT, INSERT")


def drop(schema: str) -> None:
    """Undo `create`. What comes late from erased people is kept again."""
    op.execute(f"DROP TABLE {schema}.erased_workspace")
