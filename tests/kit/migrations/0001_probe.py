"""What the kit's tests look at: counters of workspaces, and a log of effects in which a double would show, and secrets."""

from __future__ import annotations

from alembic import op

from libs.kit.migrations import backbone_0001, data_keys, rate_limits
from libs.kit.migrations.tenancy import isolate_tenants, share

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    backbone_0001.create("probe")
    rate_limits.create("probe")
    op.execute("""
        CREATE TABLE probe.counter (
            id         uuid PRIMARY KEY,
            tenant_id  uuid NOT NULL,
            name       text NOT NULL,
            value      bigint NOT NULL,
            version    bigint NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT counter_name UNIQUE (tenant_id, name)
        )""")
    isolate_tenants("probe", "counter", api="SELECT, INSERT, UPDATE")
    # No unique event_id: an event that is handled twice must leave two rows.
    op.execute("""
        CREATE TABLE probe.effect (
            id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            event_id uuid NOT NULL,
            key      text NOT NULL,
            sequence bigint NOT NULL
        )""")
    share("probe", "effect", api="SELECT", worker="SELECT, INSERT")
    data_keys.create("probe")
    op.execute("""
        CREATE TABLE probe.secret (
            id        uuid PRIMARY KEY,
            tenant_id uuid NOT NULL,
            number    bigint NOT NULL,
            word      bytea NOT NULL,
            hint      bytea
        )""")
    isolate_tenants("probe", "secret", api="SELECT, INSERT, UPDATE")


def downgrade() -> None:
    for table in ("secret", "effect", "counter"):
        op.execute(f"DROP TABLE probe.{table}")
    rate_limits.drop("probe")
    data_keys.drop("probe")
    backbone_0001.drop("probe")
