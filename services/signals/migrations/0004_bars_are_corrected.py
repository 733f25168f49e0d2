"""The worker may replace the figures of a bar.

Why: market data tells when a bar was wrong, and backtests run on what is right.
Locks: none that wait for long, only rights change.
Back: downgrade takes the right away; bars that were corrected stay so.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT UPDATE (open, high, low, close, volume) ON signals.bar TO signals_worker")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (open, high, low, close, volume) ON signals.bar FROM signals_worker")
