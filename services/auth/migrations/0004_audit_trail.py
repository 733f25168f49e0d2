"""The audit trail: entries that are only added to, and a row for each workspace's chain.

Why: who did what has to be provable later, also against whoever runs the database.
Locks: none, everything is new.
Back: downgrade drops the trail; export it first (`fillstream audit export`).
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import isolate_tenants

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_entries()
    _refuse_changes()
    _create_chains()


def _create_entries() -> None:
    op.execute("""
        CREATE TABLE auth.audit_entry (
            tenant_id      uuid NOT NULL,
            sequence       bigint NOT NULL CONSTRAINT audit_entry_sequence CHECK (sequence >= 1),
            event_id       uuid NOT NULL CONSTRAINT audit_entry_event_id UNIQUE,
            source         text NOT NULL,
            act            text NOT NULL,
            actor_kind     text NOT NULL,
            actor_id       uuid,
            on_behalf_of   uuid,
            target_kind    text NOT NULL,
            target_id      text NOT NULL,
            result         text NOT NULL,
            reason         text,
            address        text,
            device         text,
            correlation_id uuid NOT NULL,
            occurred_at    timestamptz NOT NULL,
            recorded_at    timestamptz NOT NULL,
            previous_hash  bytea NOT NULL,
            hash           bytea NOT NULL,
            PRIMARY KEY (tenant_id, sequence),
            CONSTRAINT audit_entry_hashes CHECK (octet_length(hash) = 32 AND octet_length(previous_hash) = 32)
        )""")
    op.execute("CREATE INDEX audit_entry_actor ON auth.audit_entry (tenant_id, actor_id, sequence)")
    op.execute("CREATE INDEX audit_entry_target ON auth.audit_entry (tenant_id, target_kind, target_id, sequence)")
    # Whoever writes the trail can't rewrite it.
    isolate_tenants("auth", "audit_entry", api="SELECT", worker="SELECT, INSERT")


def _refuse_changes() -> None:
    """Rights do not bind the owner; a trigger does, until somebody takes it away, and hashes tell of that."""
    op.execute("""
        CREATE FUNCTION auth.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is only added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
        END $$""")
    op.execute(
        "CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE ON auth.audit_entry "
        "FOR EACH ROW EXECUTE FUNCTION auth.refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_entry_stays_whole BEFORE TRUNCATE ON auth.audit_entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION auth.refuse_change()"
    )


def _create_chains() -> None:
    op.execute("""
        CREATE TABLE auth.audit_chain (
            id              uuid PRIMARY KEY,
            tenant_id       uuid NOT NULL CONSTRAINT audit_chain_tenant UNIQUE,
            last_sequence   bigint NOT NULL,
            last_hash       bytea NOT NULL,
            signed_sequence bigint NOT NULL,
            version         bigint NOT NULL,
            created_at      timestamptz NOT NULL DEFAULT now(),
            updated_at      timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT audit_chain_signed CHECK (signed_sequence <= last_sequence)
        )""")
    op.execute("CREATE INDEX audit_chain_grown ON auth.audit_chain (id) WHERE signed_sequence < last_sequence")
    isolate_tenants("auth", "audit_chain", api="SELECT", worker="SELECT, INSERT, UPDATE")


def downgrade() -> None:
    op.execute("DROP TABLE auth.audit_chain")
    op.execute("DROP TABLE auth.audit_entry")
    op.execute("DROP FUNCTION auth.refuse_change()")
