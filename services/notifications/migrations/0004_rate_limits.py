"""Buckets of rate limits.

Why: calls of programs are limited by their API key, and replicas have to count together.
Locks: none, the table is new.
Back: downgrade drops it; buckets hold nothing that anybody misses.
"""

from __future__ import annotations

from libs.kit.migrations import rate_limits

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    rate_limits.create("notifications")


def downgrade() -> None:
    rate_limits.drop("notifications")
