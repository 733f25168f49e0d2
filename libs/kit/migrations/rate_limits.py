"""How is the table of rate limits made? A revision of each context that limits calls `create`."""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import share


def create(schema: str) -> None:
    """Make the buckets, which belong to no tenant: who is limited is nobody yet, or an address."""
    # Unlogged: it costs no write-ahead log, and after a crash of the server everybody may begin anew. Rows are updated
    # all the time and no column but the key has an index, so that new versions fit into the page of the old one.
    op.execute(
        f"CREATE UNLOGGED TABLE {schema}.rate_limit (key bytea PRIMARY KEY, full_at timestamptz NOT NULL) "
        "WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)"
    )
    share(schema, "rate_limit", api="SELECT, INSERT, UPDATE", worker="SELECT, DELETE")


def drop(schema: str) -> None:
    """Undo `create`."""
    op.execute(f"DROP TABLE {schema}.rate_limit")
