"""API keys.

Why: programs act for a person in one workspace, with less than the person may, from known networks and for a time. They
stop when support locks the person, and go on when somebody guesses that person's password.
Locks: SHARE ROW EXCLUSIVE on "user" for a new foreign key.
Back: downgrade drops the keys; programs can't get tokens any more.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import isolate_tenants

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE auth.api_key (
            id             uuid PRIMARY KEY,
            tenant_id      uuid NOT NULL,
            user_id        uuid NOT NULL REFERENCES auth."user" (id),
            name           text NOT NULL,
            prefix         text NOT NULL CONSTRAINT api_key_prefix UNIQUE,
            secret_hash    bytea NOT NULL CONSTRAINT api_key_secret_hash CHECK (octet_length(secret_hash) = 32),
            previous_hash  bytea,
            previous_until timestamptz,
            scopes         text[] NOT NULL,
            networks       text[] NOT NULL,
            expires_at     timestamptz NOT NULL,
            last_used_at   timestamptz,
            last_used_from text,
            revoked_at     timestamptz,
            version        bigint NOT NULL,
            created_at     timestamptz NOT NULL DEFAULT now(),
            updated_at     timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT api_key_previous CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
        )""")
    op.execute("CREATE INDEX api_key_of_user ON auth.api_key (tenant_id, user_id, id)")
    isolate_tenants("auth", "api_key", api="SELECT, INSERT, UPDATE")
    # A program says its prefix and no workspace: whoever names one finds the one key that has it.
    op.execute("""
        CREATE POLICY program ON auth.api_key FOR SELECT TO auth_api
            USING (prefix = NULLIF(current_setting('app.api_key_prefix', true), ''))""")


def downgrade() -> None:
    op.execute("DROP TABLE auth.api_key")
