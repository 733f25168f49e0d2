"""A lock says who made it, and staff find people by the beginning of an address or a name.

Why: what support locked, neither a mail nor another password may open; staff know of somebody what they say on the phone,
and are few among many.
Locks: "user" exclusively while a column and its constraint are added, without rewriting it, and against writes while three
indexes are built.
Back: downgrade drops all of it; locks of support can be opened by mail again.
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a value for locks that are there: those of the release before are all of guesses.
    op.execute("""
        ALTER TABLE auth."user"
            ADD lock_reason text CONSTRAINT user_lock_reason CHECK (lock_reason IN ('FAILED_LOGINS', 'SUPPORT'))""")
    op.execute('CREATE INDEX user_email_prefix ON auth."user" (email_key text_pattern_ops)')
    op.execute('CREATE INDEX user_username_prefix ON auth."user" (username_key text_pattern_ops)')
    op.execute("CREATE INDEX user_staff ON auth.\"user\" (platform_role, id) WHERE platform_role <> 'USER'")


def downgrade() -> None:
    op.execute("DROP INDEX auth.user_staff")
    op.execute("DROP INDEX auth.user_username_prefix")
    op.execute("DROP INDEX auth.user_email_prefix")
    op.execute('ALTER TABLE auth."user" DROP lock_reason')
