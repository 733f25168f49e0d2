"""Sessions of devices have shown nothing, and consumers count the mails that they cause.

Why: a device's session took over how, and by that how much, the person who approved it had shown. One that has not shown
anything itself since is known by a proof that is older than the session; from now on it has shown nothing. Its staff's
scopes and its freshness end with its next access token. Mails to one address are limited, those of consumers, too.
Locks: session exclusively while those sessions are written; rate_limit for a moment.
Back: downgrade takes the worker's rights again. What the sessions took over is not given back: whoever needs it shows it.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The owner is under row-level security as well.
    op.execute("ALTER TABLE auth.session NO FORCE ROW LEVEL SECURITY")
    # A login is as old as its session, give or take what clocks and a transaction take.
    op.execute("""
        UPDATE auth.session SET methods = '{}'
        WHERE ended_at IS NULL AND authenticated_at < created_at - interval '1 second'""")
    op.execute("ALTER TABLE auth.session FORCE ROW LEVEL SECURITY")
    op.execute("GRANT INSERT, UPDATE ON auth.rate_limit TO auth_worker")


def downgrade() -> None:
    op.execute("REVOKE INSERT, UPDATE ON auth.rate_limit FROM auth_worker")
