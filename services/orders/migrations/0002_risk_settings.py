"""What people want to risk, a copy of what auth says.

Why: risk limits will need tolerance and largest daily loss beside the accounts; from now on they are remembered.
Locks: none, the table is new.
Back: downgrade drops the table; auth still knows, but tells again only what changes.
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
        CREATE TABLE orders.risk_setting (
            tenant_id      uuid PRIMARY KEY,
            user_id        uuid NOT NULL,
            risk_tolerance text NOT NULL,
            max_daily_loss numeric(28, 8) NOT NULL,
            currency       text NOT NULL,
            sequence       bigint NOT NULL
        )""")
    isolate_tenants("orders", "risk_setting", api="SELECT")


def downgrade() -> None:
    op.execute("DROP TABLE orders.risk_setting")
