"""People make workspaces, invite others, and see which ones they are in.

Why: a workspace has several members, one owner at any time, and may ask its members for a second factor.
Locks: membership exclusively against writers while its index is built; workspace exclusively while a column is added,
without rewriting it; "user" is locked for a moment against changes, since the new table refers to it.
Back: downgrade drops the table, the index and the column; invitations are lost, members stay members.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import isolate_tenants

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ASKING = "NULLIF(current_setting('app.user_id', true), '')::uuid"


def upgrade() -> None:
    # The default stays: the release before knows nothing of the column.
    op.execute("ALTER TABLE auth.workspace ADD second_factor_required boolean NOT NULL DEFAULT false")
    op.execute("CREATE UNIQUE INDEX membership_one_owner ON auth.membership (tenant_id) WHERE role = 'OWNER'")
    op.execute("GRANT DELETE ON auth.membership TO auth_api")
    _let_people_see_their_workspaces()
    _create_invitations()


def _let_people_see_their_workspaces() -> None:
    """Which workspaces somebody is in is asked from their home: `app.user_id` says who is asking."""
    op.execute(f"""
        CREATE POLICY member ON auth.workspace FOR SELECT TO auth_api
            USING (id IN (SELECT tenant_id FROM auth.membership WHERE user_id = {_ASKING}))""")


def _create_invitations() -> None:
    op.execute("""
        CREATE TABLE auth.invitation (
            id             uuid PRIMARY KEY,
            tenant_id      uuid NOT NULL REFERENCES auth.workspace (id),
            workspace_name text NOT NULL,
            email          text NOT NULL,
            email_key      text NOT NULL,
            role           text NOT NULL CONSTRAINT invitation_role CHECK (role IN ('VIEWER', 'ANALYST', 'TRADER')),
            invited_by     uuid NOT NULL REFERENCES auth."user" (id),
            token_hash     bytea NOT NULL CONSTRAINT invitation_token_hash UNIQUE,
            state          text NOT NULL CONSTRAINT invitation_state
                           CHECK (state IN ('PENDING', 'ACCEPTED', 'DECLINED', 'REVOKED', 'REPLACED')),
            expires_at     timestamptz NOT NULL,
            settled_at     timestamptz,
            settled_by     uuid,
            version        bigint NOT NULL,
            created_at     timestamptz NOT NULL DEFAULT now(),
            updated_at     timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT invitation_settled CHECK ((state = 'PENDING') = (settled_at IS NULL))
        )""")
    op.execute(
        "CREATE UNIQUE INDEX invitation_pending ON auth.invitation (tenant_id, email_key) WHERE state = 'PENDING'"
    )
    op.execute("CREATE INDEX invitation_to ON auth.invitation (email_key)")
    isolate_tenants("auth", "invitation", api="SELECT, INSERT, UPDATE")
    # The database itself sees that the address is the asking person's own, and that they have proved it.
    op.execute(f"""
        CREATE POLICY invited ON auth.invitation FOR SELECT TO auth_api
            USING (email_key = (SELECT u.email_key FROM auth."user" u WHERE u.id = {_ASKING}
                                AND u.email_verified AND u.is_active AND u.deleted_at IS NULL))""")


def downgrade() -> None:
    op.execute("DROP TABLE auth.invitation")
    op.execute("DROP POLICY member ON auth.workspace")
    op.execute("REVOKE DELETE ON auth.membership FROM auth_api")
    op.execute("DROP INDEX auth.membership_one_owner")
    op.execute("ALTER TABLE auth.workspace DROP second_factor_required")
