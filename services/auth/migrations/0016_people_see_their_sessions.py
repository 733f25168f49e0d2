"""People see their own sessions from wherever they act.

Why: what is dangerous is committed only while the session of its token goes on. Sessions are kept in their person's home,
and what is dangerous happens in other workspaces, too: `app.user_id` says whose session is looked for, to read it alone.
Locks: session exclusively for a moment.
Back: downgrade drops the policy.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE POLICY own ON auth.session FOR SELECT TO auth_api
            USING (user_id = NULLIF(current_setting('app.user_id', true), '')::uuid)""")


def downgrade() -> None:
    op.execute("DROP POLICY own ON auth.session")
