"""Which workspaces were erased.

Why: what comes late from an erased person makes nothing of theirs anew.
Locks: none, the table is new.
Back: downgrade drops it; late events of erased people are kept again.
"""

from __future__ import annotations

from libs.kit.migrations import erased_workspaces

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    erased_workspaces.create("notifications")


def downgrade() -> None:
    erased_workspaces.drop("notifications")
