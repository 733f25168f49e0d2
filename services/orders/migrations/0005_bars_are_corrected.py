"""The worker may replace the prices of a bar.

Why: market data tells when a bar was wrong; what an instrument last closed at decides what an account can afford.
Locks: none that wait for long, only rights change.
Back: downgrade takes the right away; bars that were corrected stay so.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT UPDATE (open, high, low, close) ON orders.bar TO orders_worker")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (open, high, low, close) ON orders.bar FROM orders_worker")
