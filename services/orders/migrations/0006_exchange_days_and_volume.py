"""What the venue knows of an exchange: its time zone, its asset class, and what was traded in a bar.

Why: a day order ends with the exchange's day, and nothing trades in a bar in which nothing was traded.
Locks: market, bar and order are locked for an instant; columns without a default rewrite nothing.
Back: downgrade drops the columns; day orders end with UTC's day again, and bars without volume trade.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders.market ADD COLUMN asset_class text, ADD COLUMN time_zone text")
    # Bars that were kept before have none: they trade, as they did.
    op.execute("ALTER TABLE orders.bar ADD COLUMN volume numeric")
    # Orders that were placed before have none: their day is UTC's, as it was.
    op.execute('ALTER TABLE orders."order" ADD COLUMN day_zone text')


def downgrade() -> None:
    op.execute('ALTER TABLE orders."order" DROP COLUMN day_zone')
    op.execute("ALTER TABLE orders.bar DROP COLUMN volume")
    op.execute("ALTER TABLE orders.market DROP COLUMN asset_class, DROP COLUMN time_zone")
