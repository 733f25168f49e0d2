"""Mails that people have to get, and what became of them.

Why: what auth asks to be written reaches people's addresses.
Locks: none, the table is new.
Back: downgrade drops it; mails that were not sent are lost.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import isolate_tenants

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE notifications.mail (
            id          uuid PRIMARY KEY,
            tenant_id   uuid NOT NULL,
            event_id    uuid NOT NULL CONSTRAINT mail_event_id UNIQUE,
            user_id     uuid NOT NULL,
            address     text NOT NULL,
            template    text NOT NULL,
            language    text NOT NULL,
            expires_at  timestamptz,
            state       text NOT NULL CONSTRAINT mail_state CHECK (state IN ('QUEUED', 'SENT', 'EXPIRED', 'FAILED')),
            attempts    integer NOT NULL,
            due_at      timestamptz NOT NULL,
            settled_at  timestamptz,
            error       text,
            occurred_at timestamptz NOT NULL
        )""")
    op.execute("CREATE INDEX mail_due ON notifications.mail (due_at) WHERE state = 'QUEUED'")
    # Addresses are nobody's to read over HTTP.
    isolate_tenants("notifications", "mail", api="SELECT")


def downgrade() -> None:
    op.execute("DROP TABLE notifications.mail")
