"""Who may see which row? Row-level security and grants, in the words that revisions use.

Three roles a context: `<context>_owner` only migrates, `<context>_api` is held to the tenant of its transaction,
`<context>_worker` consumes events of every tenant. No role can see another context's schema.
"""

from __future__ import annotations

from alembic import op

# After SET LOCAL ends, the setting reads as the empty string.
CURRENT_TENANT = "NULLIF(current_setting('app.tenant_id', true), '')::uuid"


EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"


def isolate_tenants(schema: str, table: str, *, api: str, worker: str = EVERYTHING) -> None:
    """Force row-level security on a table with a `tenant_id`, and grant `api` (`SELECT, INSERT`) on it.

    The worker gets `worker` on every row; the owner, who has no policy, sees none.
    """
    name = f'{schema}."{table}"'
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY tenant ON {name} TO {schema}_api "
        f"USING (tenant_id = {CURRENT_TENANT}) WITH CHECK (tenant_id = {CURRENT_TENANT})"
    )
    op.execute(f"CREATE POLICY worker ON {name} TO {schema}_worker USING (true) WITH CHECK (true)")
    op.execute(f"GRANT {api} ON {name} TO {schema}_api")
    op.execute(f"GRANT {worker} ON {name} TO {schema}_worker")


def share(schema: str, table: str, *, api: str, worker: str = EVERYTHING) -> None:
    """Grant rights on a table that holds facts for every tenant, such as bars or plans."""
    op.execute(f'GRANT {api} ON {schema}."{table}" TO {schema}_api')
    op.execute(f'GRANT {worker} ON {schema}."{table}" TO {schema}_worker')
