"""People say more of themselves, sessions are rows of their own, logins are counted, mails carry tokens.

Why: a session can be listed and ended, guessing is slowed down, and addresses and passwords are proved by mail.
Locks: `user` and `refresh_token` exclusively while columns are added, without rewriting them; sessions are made from the
refresh tokens that are there, so nobody has to log in again.
Back: downgrade drops what is new; refresh tokens get their family's id and revocation back.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import isolate_tenants, share

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _describe_users()
    _create_sessions()
    _hang_refresh_tokens_on_sessions()
    _let_people_see_their_memberships()
    _create_guards()
    _create_mailed_tokens()


def _describe_users() -> None:
    op.execute("""
        ALTER TABLE auth."user"
            ADD username            text,
            ADD username_key        text CONSTRAINT user_username_key UNIQUE,
            ADD avatar_url          text,
            ADD phone_number        text,
            ADD time_zone           text NOT NULL DEFAULT 'UTC',
            ADD language            text NOT NULL DEFAULT 'en',
            ADD preferences         jsonb NOT NULL DEFAULT '{}',
            ADD password_changed_at timestamptz,
            ADD locked_until        timestamptz,
            ADD deleted_at          timestamptz""")
    for column in ("time_zone", "language", "preferences"):
        op.execute(f'ALTER TABLE auth."user" ALTER {column} DROP DEFAULT')


def _create_sessions() -> None:
    op.execute("""
        CREATE TABLE auth.session (
            id               uuid PRIMARY KEY,
            tenant_id        uuid NOT NULL,
            user_id          uuid NOT NULL REFERENCES auth."user" (id),
            workspace_id     uuid NOT NULL,
            device           text,
            address          text,
            authenticated_at timestamptz NOT NULL,
            last_seen_at     timestamptz NOT NULL,
            expires_at       timestamptz NOT NULL,
            ended_at         timestamptz,
            ended_by         text CONSTRAINT session_ended_by CHECK (ended_by IN
                ('LOGOUT', 'REVOKED', 'PASSWORD_CHANGED', 'COMPROMISED', 'ACCOUNT_CLOSED')),
            version          bigint NOT NULL,
            created_at       timestamptz NOT NULL DEFAULT now(),
            updated_at       timestamptz NOT NULL DEFAULT now()
        )""")
    op.execute("CREATE INDEX session_of_user ON auth.session (user_id, id)")


def _hang_refresh_tokens_on_sessions() -> None:
    # Row-level security shows the owner nothing; it is back before anybody else can look.
    op.execute("ALTER TABLE auth.refresh_token NO FORCE ROW LEVEL SECURITY")
    op.execute("""
        INSERT INTO auth.session (id, tenant_id, user_id, workspace_id, authenticated_at, last_seen_at,
                                  expires_at, ended_at, ended_by, version)
        SELECT family_id, tenant_id, user_id, tenant_id, min(created_at), max(created_at), max(expires_at),
               min(revoked_at), CASE WHEN min(revoked_at) IS NOT NULL THEN 'LOGOUT' END, 0
        FROM auth.refresh_token GROUP BY family_id, tenant_id, user_id""")
    op.execute("ALTER TABLE auth.refresh_token FORCE ROW LEVEL SECURITY")
    isolate_tenants("auth", "session", api="SELECT, INSERT, UPDATE")
    op.execute("ALTER TABLE auth.refresh_token RENAME family_id TO session_id")
    op.execute("ALTER INDEX auth.refresh_token_family RENAME TO refresh_token_session")
    op.execute("ALTER TABLE auth.refresh_token DROP revoked_at, DROP user_id")
    op.execute("""
        ALTER TABLE auth.refresh_token ADD CONSTRAINT refresh_token_session_id_fkey
            FOREIGN KEY (session_id) REFERENCES auth.session (id)""")


def _let_people_see_their_memberships() -> None:
    """Which workspaces somebody is in is asked from their home: `app.user_id` says who is asking."""
    op.execute("""
        CREATE POLICY member ON auth.membership FOR SELECT TO auth_api
            USING (user_id = NULLIF(current_setting('app.user_id', true), '')::uuid)""")


def _create_guards() -> None:
    op.execute("""
        CREATE TABLE auth.login_guard (
            subject        bytea PRIMARY KEY,
            failures       integer NOT NULL,
            last_failed_at timestamptz NOT NULL
        )""")
    share("auth", "login_guard", api="SELECT, INSERT, UPDATE")
    op.execute("""
        CREATE TABLE auth.login (
            id        uuid PRIMARY KEY,
            tenant_id uuid NOT NULL,
            user_id   uuid,
            result    text NOT NULL CONSTRAINT login_result CHECK (result IN ('SUCCEEDED', 'WRONG', 'SHUT_OUT')),
            device    text,
            address   text,
            at        timestamptz NOT NULL
        )""")
    op.execute("CREATE INDEX login_user ON auth.login (tenant_id, user_id, id)")
    isolate_tenants("auth", "login", api="SELECT, INSERT")


def _create_mailed_tokens() -> None:
    op.execute("""
        CREATE TABLE auth.mailed_token (
            id         uuid PRIMARY KEY,
            tenant_id  uuid NOT NULL,
            user_id    uuid NOT NULL REFERENCES auth."user" (id),
            purpose    text NOT NULL CONSTRAINT mailed_token_purpose
                       CHECK (purpose IN ('VERIFY_EMAIL', 'RESET_PASSWORD', 'UNLOCK')),
            email      text NOT NULL,
            token_hash bytea NOT NULL CONSTRAINT mailed_token_hash UNIQUE,
            expires_at timestamptz NOT NULL,
            used_at    timestamptz,
            created_at timestamptz NOT NULL DEFAULT now()
        )""")
    op.execute("CREATE INDEX mailed_token_user ON auth.mailed_token (user_id, purpose)")
    isolate_tenants("auth", "mailed_token", api="SELECT, INSERT, UPDATE")


def downgrade() -> None:
    op.execute("DROP TABLE auth.mailed_token")
    op.execute("DROP TABLE auth.login")
    op.execute("DROP TABLE auth.login_guard")
    op.execute("DROP POLICY member ON auth.membership")
    op.execute("ALTER TABLE auth.refresh_token DROP CONSTRAINT refresh_token_session_id_fkey")
    op.execute(
        'ALTER TABLE auth.refresh_token ADD revoked_at timestamptz, ADD user_id uuid REFERENCES auth."user" (id)'
    )
    for table in ("refresh_token", "session"):
        op.execute(f"ALTER TABLE auth.{table} NO FORCE ROW LEVEL SECURITY")
    op.execute("""
        UPDATE auth.refresh_token t SET user_id = s.user_id, revoked_at = s.ended_at
        FROM auth.session s WHERE s.id = t.session_id""")
    op.execute("ALTER TABLE auth.refresh_token FORCE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE auth.refresh_token ALTER user_id SET NOT NULL")
    op.execute("CREATE INDEX refresh_token_user ON auth.refresh_token (user_id)")
    op.execute("ALTER INDEX auth.refresh_token_session RENAME TO refresh_token_family")
    op.execute("ALTER TABLE auth.refresh_token RENAME session_id TO family_id")
    op.execute("DROP TABLE auth.session")
    op.execute("""
        ALTER TABLE auth."user" DROP username, DROP avatar_url, DROP phone_number, DROP time_zone, DROP language,
            DROP preferences, DROP password_changed_at, DROP locked_until, DROP deleted_at, DROP username_key""")
