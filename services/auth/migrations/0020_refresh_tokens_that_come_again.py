"""What leads from a used refresh token to the next, for some seconds.

Why: a client whose answer was lost, or that has two tabs, sends its token again, and gets the same answer instead of the end
    of its session. The salt alone leads nowhere: it takes the token, which nobody keeps, as well.
Locks: refresh_token exclusively for a moment, a column without a default is added without a rewrite.
Back: downgrade drops the column; a token that comes again ends its session at once.
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE auth.refresh_token ADD COLUMN successor_salt bytea")


def downgrade() -> None:
    op.execute("ALTER TABLE auth.refresh_token DROP COLUMN successor_salt")
