"""A mail may say which workspace it invites to.

Why: whoever is invited wants to know to what.
Locks: mail exclusively for a moment, without rewriting it.
Back: downgrade drops the column; invitations that wait to be sent name no workspace.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE notifications.mail ADD workspace_name text")


def downgrade() -> None:
    op.execute("ALTER TABLE notifications.mail DROP workspace_name")
