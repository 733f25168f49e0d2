"""Exports of all that is held about a person, erasures of people, and which workspaces were erased.

Why: people may have what is held about them, and may be erased, with a certificate of what is kept. Rows of exports go with
the person; rows of erasures stay, and hold ids alone.
Locks: none but for a moment a share lock on "user", which the new tables refer to.
Back: downgrade drops the tables; exports that are under way and certificates are lost.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations import erased_workspaces
from libs.kit.migrations.tenancy import isolate_tenants

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_exports()
    _create_export_parts()
    _create_erasures()
    for table in ("data_export", "erasure"):
        isolate_tenants("auth", table, api="SELECT, INSERT, UPDATE")
    for table in ("data_export_part", "data_export_answer", "erasure_answer"):
        isolate_tenants("auth", table, api="SELECT")
    erased_workspaces.create("auth")


def _create_exports() -> None:
    op.execute("""
        CREATE TABLE auth.data_export (
            id          uuid PRIMARY KEY,
            tenant_id   uuid NOT NULL,
            user_id     uuid NOT NULL REFERENCES auth."user" (id),
            state       text NOT NULL CONSTRAINT data_export_state CHECK (state IN ('COLLECTING', 'READY', 'EXPIRED')),
            private_key bytea,
            public_key  text NOT NULL,
            holders     jsonb NOT NULL,
            workspaces  jsonb NOT NULL,
            asked_at    timestamptz,
            ready_at    timestamptz,
            expires_at  timestamptz NOT NULL,
            version     bigint NOT NULL,
            created_at  timestamptz NOT NULL DEFAULT now(),
            updated_at  timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT data_export_key CHECK ((state = 'EXPIRED') = (private_key IS NULL))
        )""")
    op.execute("CREATE UNIQUE INDEX data_export_collecting ON auth.data_export (user_id) WHERE state = 'COLLECTING'")
    op.execute("CREATE INDEX data_export_of_user ON auth.data_export (user_id, created_at, id)")
    op.execute("CREATE INDEX data_export_expires_at ON auth.data_export (expires_at) WHERE state <> 'EXPIRED'")


def _create_export_parts() -> None:
    op.execute("""
        CREATE TABLE auth.data_export_part (
            export_id uuid NOT NULL REFERENCES auth.data_export (id),
            context   text NOT NULL,
            number    integer NOT NULL,
            tenant_id uuid NOT NULL,
            about     text NOT NULL,
            content   bytea NOT NULL,
            PRIMARY KEY (export_id, context, number)
        )""")
    op.execute("""
        CREATE TABLE auth.data_export_answer (
            export_id   uuid NOT NULL REFERENCES auth.data_export (id),
            context     text NOT NULL,
            tenant_id   uuid NOT NULL,
            parts       integer NOT NULL,
            tables      jsonb NOT NULL,
            answered_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (export_id, context)
        )""")


def _create_erasures() -> None:
    op.execute("""
        CREATE TABLE auth.erasure (
            id           uuid PRIMARY KEY,
            tenant_id    uuid NOT NULL,
            user_id      uuid NOT NULL REFERENCES auth."user" (id),
            state        text NOT NULL CONSTRAINT erasure_state
                         CHECK (state IN ('WAITING', 'CANCELLED', 'CLOSED', 'ERASED', 'CERTIFIED')),
            due_at       timestamptz NOT NULL,
            next_at      timestamptz NOT NULL,
            holders      jsonb NOT NULL,
            closed_at    timestamptz,
            erased_at    timestamptz,
            certified_at timestamptz,
            ticket_hash  bytea,
            certificate  text,
            version      bigint NOT NULL,
            created_at   timestamptz NOT NULL DEFAULT now(),
            updated_at   timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT erasure_certificate CHECK ((state = 'CERTIFIED') = (certificate IS NOT NULL))
        )""")
    # Two requests at once make one erasure.
    open_ = "WHERE state IN ('WAITING', 'CLOSED', 'ERASED')"
    op.execute(f"CREATE UNIQUE INDEX erasure_open ON auth.erasure (user_id) {open_}")
    op.execute("CREATE INDEX erasure_of_user ON auth.erasure (user_id, created_at)")
    op.execute(f"CREATE INDEX erasure_due ON auth.erasure (state, next_at) {open_}")
    op.execute("CREATE UNIQUE INDEX erasure_ticket ON auth.erasure (ticket_hash)")
    op.execute("""
        CREATE TABLE auth.erasure_answer (
            erasure_id  uuid NOT NULL REFERENCES auth.erasure (id),
            context     text NOT NULL,
            tenant_id   uuid NOT NULL,
            erased      jsonb NOT NULL,
            kept        jsonb NOT NULL,
            answered_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (erasure_id, context)
        )""")


def downgrade() -> None:
    erased_workspaces.drop("auth")
    for table in ("erasure_answer", "erasure", "data_export_answer", "data_export_part", "data_export"):
        op.execute(f"DROP TABLE auth.{table}")
