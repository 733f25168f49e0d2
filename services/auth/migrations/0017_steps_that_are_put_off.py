"""When the next step of an export or an erasure is due, and how often it failed.

Why: what can't be done with one person waits, for longer each time, and those behind it go on.
Locks: data_export and erasure exclusively while columns are added, without rewriting them. The defaults stay: the release
before knows nothing of the columns.
Back: downgrade drops the columns; what was put off is tried at once, and holds up what is behind it again.
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE auth.data_export ADD next_at timestamptz NOT NULL DEFAULT now()")
    for table in ("data_export", "erasure"):
        op.execute(f"ALTER TABLE auth.{table} ADD failures integer NOT NULL DEFAULT 0")


def downgrade() -> None:
    for table in ("data_export", "erasure"):
        op.execute(f"ALTER TABLE auth.{table} DROP failures")
    op.execute("ALTER TABLE auth.data_export DROP next_at")
