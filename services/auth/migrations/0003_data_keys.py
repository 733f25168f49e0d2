"""Data keys of workspaces, wrapped by the installation's key-encryption key.

Why: profiles, second factors and whatever else is secret is sealed under a key of its workspace's own.
Locks: none, the table is new.
Back: downgrade drops the table, and with it the way to open what was sealed.
"""

from __future__ import annotations

from libs.kit.migrations import data_keys

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    data_keys.create("auth")


def downgrade() -> None:
    data_keys.drop("auth")
