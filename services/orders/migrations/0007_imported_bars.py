"""Which bars are imported history, and the worker's right to correct what was traded in one.

Why: nothing trades and nothing expires in history that is imported; it only says what an instrument last closed at.
Locks: bar is locked for an instant; a column with a constant default rewrites nothing.
Back: downgrade drops the column, and imported bars trade as others do.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders.bar ADD COLUMN backfilled boolean NOT NULL DEFAULT false")
    op.execute("GRANT UPDATE (volume) ON orders.bar TO orders_worker")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (volume) ON orders.bar FROM orders_worker")
    op.execute("ALTER TABLE orders.bar DROP COLUMN backfilled")
