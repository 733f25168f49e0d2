"""When a position was traded first and last, and which closes are imported history.

Why: a close makes points for those who hold its instrument, or held it that day, and only if it was news; what closed before
    an account's first trade in an instrument values none of its positions.
Locks: none for long, columns with a constant default are added without a rewrite.
Back: downgrade drops the columns; a position of before is taken for one that was traded always, as the default says.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE portfolio.position
            ADD COLUMN first_fill_at timestamptz NOT NULL DEFAULT '-infinity',
            ADD COLUMN last_fill_at  timestamptz NOT NULL DEFAULT 'infinity'
    """)
    op.execute("ALTER TABLE portfolio.mark ADD COLUMN backfilled boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    op.execute("ALTER TABLE portfolio.mark DROP COLUMN backfilled")
    op.execute("ALTER TABLE portfolio.position DROP COLUMN first_fill_at, DROP COLUMN last_fill_at")
