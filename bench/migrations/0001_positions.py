"""A table to have effects on, one of secrets, and the message tables.

Why: the benchmark's own context.
Locks: none, everything is new.
Back: downgrade drops all of it.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations import backbone_0001, data_keys
from libs.kit.migrations.tenancy import isolate_tenants

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    backbone_0001.create("bench")
    op.execute("""
        CREATE TABLE bench.position (
            account_id uuid PRIMARY KEY,
            tenant_id  uuid NOT NULL,
            quantity   numeric(28, 8) NOT NULL,
            version    bigint NOT NULL
        )""")
    isolate_tenants("bench", "position", api="SELECT")
    data_keys.create("bench")
    op.execute("""
        CREATE TABLE bench.secret (
            id        uuid PRIMARY KEY,
            tenant_id uuid NOT NULL,
            number    bigint NOT NULL,
            word      bytea NOT NULL
        )""")
    op.execute("CREATE INDEX secret_tenant ON bench.secret (tenant_id, id)")
    isolate_tenants("bench", "secret", api="SELECT, INSERT, UPDATE")


def downgrade() -> None:
    op.execute("DROP TABLE bench.secret")
    data_keys.drop("bench")
    op.execute("DROP TABLE bench.position")
    backbone_0001.drop("bench")
