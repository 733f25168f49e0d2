"""There are more roles than owner and administrator, and a session says how its person showed who they are.

Why: staff do different things, a workspace has members of different rights, and some acts need more than a password.
Locks: "user", membership, session and device_authorization exclusively while constraints and a column are added, without rewriting them.
Back: downgrade narrows the constraints again; it fails as long as somebody has a role that there was none of before.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BEFORE = {
    ("user", "platform_role", "user_platform_role"): ("USER", "ADMIN"),
    ("membership", "role", "membership_role"): ("OWNER",),
    ("session", "ended_by", "session_ended_by"): (
        "LOGOUT", "REVOKED", "PASSWORD_CHANGED", "COMPROMISED", "ACCOUNT_CLOSED",
    ),
}  # fmt: skip
_AFTER = {
    ("user", "platform_role", "user_platform_role"): (
        "USER", "MODERATOR", "SALES", "SUPPORT", "RESELLER", "ADMIN", "SUPER_ADMIN",
    ),
    ("membership", "role", "membership_role"): ("VIEWER", "ANALYST", "TRADER", "OWNER"),
    ("session", "ended_by", "session_ended_by"): (
        "LOGOUT", "REVOKED", "PASSWORD_CHANGED", "COMPROMISED", "ROLE_CHANGED", "ACCOUNT_CLOSED",
    ),
}  # fmt: skip


def upgrade() -> None:
    _constrain(_AFTER)
    op.execute("ALTER TABLE auth.session ADD methods text[] NOT NULL DEFAULT '{pwd}'")
    op.execute("ALTER TABLE auth.session ALTER methods DROP DEFAULT")
    op.execute("ALTER TABLE auth.device_authorization ADD methods text[] NOT NULL DEFAULT '{}'")
    op.execute("ALTER TABLE auth.device_authorization ALTER methods DROP DEFAULT")


def _constrain(allowed: dict[tuple[str, str, str], tuple[str, ...]]) -> None:
    for (table, column, name), words in allowed.items():
        said = ", ".join(repr(word) for word in words)
        op.execute(f"""
            ALTER TABLE auth."{table}" DROP CONSTRAINT {name},
                ADD CONSTRAINT {name} CHECK ({column} IN ({said}))""")


def downgrade() -> None:
    op.execute("ALTER TABLE auth.device_authorization DROP methods")
    op.execute("ALTER TABLE auth.session DROP methods")
    _constrain(_BEFORE)
