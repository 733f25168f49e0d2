"""The API may replace the figures of a bar.

Why: a kept bar that is wrong is corrected (`POST /v1/bars/corrections`); which bar it is never changes.
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
    op.execute("GRANT UPDATE (open, high, low, close, volume) ON marketdata.bar TO marketdata_api")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (open, high, low, close, volume) ON marketdata.bar FROM marketdata_api")
