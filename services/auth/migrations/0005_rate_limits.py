"""Buckets of rate limits.

Why: registrations, logins and refreshes are limited by address and account, and replicas have to count together.
Locks: none, the table is new.
Back: downgrade drops it; buckets hold nothing that anybody misses.
"""

from __future__ import annotations

from libs.kit.migrations import rate_limits

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    rate_limits.create("auth")


def downgrade() -> None:
    rate_limits.drop("auth")
