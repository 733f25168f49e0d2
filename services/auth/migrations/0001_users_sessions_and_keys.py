"""Users, workspaces, memberships, sessions and signing keys, and the message tables.

Why: the first revision.
Locks: none, everything is new.
Back: downgrade drops all of it.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations import backbone_0001
from libs.kit.migrations.tenancy import isolate_tenants, share

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    backbone_0001.create("auth")
    _create_users()
    _create_workspaces()
    _create_sessions()
    _create_keys()


def _create_users() -> None:
    op.execute("""
        CREATE TABLE auth."user" (
            id                   uuid PRIMARY KEY,
            email                text NOT NULL,
            email_key            text NOT NULL CONSTRAINT user_email_key UNIQUE,
            password_hash        text NOT NULL,
            first_name           text,
            last_name            text,
            platform_role        text NOT NULL CONSTRAINT user_platform_role CHECK (platform_role IN ('USER', 'ADMIN')),
            is_active            boolean NOT NULL,
            email_verified       boolean NOT NULL,
            default_workspace_id uuid NOT NULL,
            last_login_at        timestamptz,
            version              bigint NOT NULL,
            created_at           timestamptz NOT NULL DEFAULT now(),
            updated_at           timestamptz NOT NULL DEFAULT now()
        )""")
    share("auth", "user", api="SELECT, INSERT, UPDATE")


def _create_workspaces() -> None:
    op.execute("""
        CREATE TABLE auth.workspace (
            id         uuid PRIMARY KEY,
            tenant_id  uuid NOT NULL,
            name       text NOT NULL,
            owner_id   uuid NOT NULL REFERENCES auth."user" (id),
            version    bigint NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT workspace_is_its_tenant CHECK (id = tenant_id)
        )""")
    isolate_tenants("auth", "workspace", api="SELECT, INSERT, UPDATE")
    op.execute("""
        CREATE TABLE auth.membership (
            tenant_id  uuid NOT NULL REFERENCES auth.workspace (id),
            user_id    uuid NOT NULL REFERENCES auth."user" (id),
            role       text NOT NULL CONSTRAINT membership_role CHECK (role IN ('OWNER')),
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (tenant_id, user_id)
        )""")
    op.execute("CREATE INDEX membership_user ON auth.membership (user_id)")
    isolate_tenants("auth", "membership", api="SELECT, INSERT, UPDATE")


def _create_sessions() -> None:
    op.execute("""
        CREATE TABLE auth.refresh_token (
            id         uuid PRIMARY KEY,
            tenant_id  uuid NOT NULL,
            user_id    uuid NOT NULL REFERENCES auth."user" (id),
            family_id  uuid NOT NULL,
            token_hash bytea NOT NULL CONSTRAINT refresh_token_hash UNIQUE,
            expires_at timestamptz NOT NULL,
            used_at    timestamptz,
            revoked_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now()
        )""")
    op.execute("CREATE INDEX refresh_token_family ON auth.refresh_token (family_id)")
    op.execute("CREATE INDEX refresh_token_user ON auth.refresh_token (user_id)")
    isolate_tenants("auth", "refresh_token", api="SELECT, INSERT, UPDATE")


def _create_keys() -> None:
    op.execute("""
        CREATE TABLE auth.signing_key (
            kid                text PRIMARY KEY,
            sealed_private_key bytea NOT NULL,
            public_jwk         jsonb NOT NULL,
            active_from        timestamptz NOT NULL,
            retired_at         timestamptz,
            created_at         timestamptz NOT NULL DEFAULT now()
        )""")
    # Keys follow each other by an operator's hand; the API makes the very first one alone.
    share("auth", "signing_key", api="SELECT, INSERT")


def downgrade() -> None:
    for table in ("signing_key", "refresh_token", "membership", "workspace", '"user"'):
        op.execute(f"DROP TABLE auth.{table}")
    backbone_0001.drop("auth")
