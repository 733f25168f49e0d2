"""In which time zone an instrument's exchange is.

Why: a day order ends with the exchange's day, and no symbol has to say where that is.
Locks: the instruments are locked for an instant; a column without a default rewrites nothing.
Back: downgrade drops the column; orders keeps what it was told.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE marketdata.instrument ADD COLUMN time_zone text")


def downgrade() -> None:
    op.execute("ALTER TABLE marketdata.instrument DROP COLUMN time_zone")
