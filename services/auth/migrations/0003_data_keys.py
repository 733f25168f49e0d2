"""Data keys of workspaces, and signing keys, wrapped by the installation's key-encryption key.

Why: profiles, second factors and whatever else is secret is sealed under a key of its workspace's own. Signing keys were
sealed by FILLSTREAM_AUTH_KEY_SECRET, which is gone: they are deleted, and auth makes a new one when it starts. Access
tokens end, sessions go on with their refresh tokens.
Locks: signing_key, for a moment.
Back: downgrade drops the data keys, and with them the way to open what was sealed; signing keys are made anew again.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations import data_keys

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    data_keys.create("auth")
    op.execute("DELETE FROM auth.signing_key")
    op.execute("ALTER TABLE auth.signing_key ADD COLUMN wrapped_by text NOT NULL")


def downgrade() -> None:
    op.execute("DELETE FROM auth.signing_key")
    op.execute("ALTER TABLE auth.signing_key DROP COLUMN wrapped_by")
    data_keys.drop("auth")
