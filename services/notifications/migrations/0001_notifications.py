"""Feeds and notifications, and the message tables.

Why: the first revision.
Locks: none, everything is new.
Back: downgrade drops all of it.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations import backbone_0001
from libs.kit.migrations.tenancy import isolate_tenants

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    backbone_0001.create("notifications")
    op.execute("""
        CREATE TABLE notifications.feed (
            tenant_id     uuid PRIMARY KEY,
            last_position bigint NOT NULL
        )""")
    op.execute("""
        CREATE TABLE notifications.notification (
            id                uuid PRIMARY KEY,
            tenant_id         uuid NOT NULL,
            event_id          uuid NOT NULL CONSTRAINT notification_event_id UNIQUE,
            position          bigint NOT NULL,
            title             text NOT NULL,
            message           text NOT NULL,
            notification_type text NOT NULL,
            priority          text NOT NULL,
            is_read           boolean NOT NULL,
            read_at           timestamptz,
            delivery_methods  jsonb NOT NULL,
            delivered_at      timestamptz NOT NULL,
            metadata          jsonb NOT NULL,
            occurred_at       timestamptz NOT NULL,
            version           bigint NOT NULL,
            created_at        timestamptz NOT NULL DEFAULT now(),
            updated_at        timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT notification_position UNIQUE (tenant_id, position),
            CONSTRAINT notification_read CHECK (is_read = (read_at IS NOT NULL))
        )""")
    op.execute("CREATE INDEX notification_unread ON notifications.notification (tenant_id, position) WHERE NOT is_read")
    # The API reads and marks as read; only consumers tell.
    isolate_tenants("notifications", "feed", api="SELECT")
    isolate_tenants("notifications", "notification", api="SELECT, UPDATE")


def downgrade() -> None:
    for table in ("notification", "feed"):
        op.execute(f"DROP TABLE notifications.{table}")
    backbone_0001.drop("notifications")
