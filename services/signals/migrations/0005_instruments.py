"""What the instruments are that backtests run on: their currency, and what kind of thing they are.

Why: commissions are rounded by the currency, and not every market reports what was traded.
Locks: none, the table is new.
Back: downgrade drops it; market data's events tell it anew.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import share

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE signals.instrument (
            symbol      text PRIMARY KEY,
            currency    text NOT NULL,
            asset_class text NOT NULL
        )""")
    share("signals", "instrument", api="SELECT", worker="SELECT, INSERT, UPDATE")


def downgrade() -> None:
    op.execute("DROP TABLE signals.instrument")
