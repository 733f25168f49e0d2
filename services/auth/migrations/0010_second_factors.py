"""Second factors: one-time passwords, recovery codes, passkeys, and logins that wait for one of them.

Why: a password alone is guessed or phished. Staff need a second factor always, a workspace may demand it of its members.
All rows are in the person's home; a passkey login that has not said yet who it is waits in nobody's.
Locks: login exclusively while a constraint is added, without rewriting it; "user" for a moment, since the new tables refer
to it.
Back: downgrade drops it all: people log in by password alone again, and tries with a wrong second factor count as wrong.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import EVERYTHING, isolate_tenants

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_totp()
    _create_recovery_codes()
    _create_passkeys()
    _create_challenges()
    for table in ("totp", "recovery_code", "passkey", "login_challenge"):
        isolate_tenants("auth", table, api=EVERYTHING)
    op.execute("""
        ALTER TABLE auth.login DROP CONSTRAINT login_result, ADD CONSTRAINT login_result
            CHECK (result IN ('SUCCEEDED', 'WRONG', 'WRONG_FACTOR', 'SHUT_OUT'))""")


def _create_totp() -> None:
    op.execute("""
        CREATE TABLE auth.totp (
            id           uuid PRIMARY KEY,
            tenant_id    uuid NOT NULL,
            user_id      uuid NOT NULL REFERENCES auth."user" (id),
            secret       bytea NOT NULL,
            confirmed_at timestamptz,
            last_step    bigint,
            created_at   timestamptz NOT NULL DEFAULT now()
        )""")
    # A new application takes the place of the old one when it is confirmed, so that nobody is without in between.
    op.execute("CREATE UNIQUE INDEX totp_confirmed ON auth.totp (user_id) WHERE confirmed_at IS NOT NULL")
    op.execute("CREATE UNIQUE INDEX totp_waiting ON auth.totp (user_id) WHERE confirmed_at IS NULL")
    # A rotation of data keys looks for the rows of one workspace.
    op.execute("CREATE INDEX totp_tenant ON auth.totp (tenant_id)")


def _create_recovery_codes() -> None:
    op.execute("""
        CREATE TABLE auth.recovery_code (
            id         uuid PRIMARY KEY,
            tenant_id  uuid NOT NULL,
            user_id    uuid NOT NULL REFERENCES auth."user" (id),
            digest     bytea NOT NULL,
            used_at    timestamptz,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT recovery_code_digest UNIQUE (user_id, digest)
        )""")


def _create_passkeys() -> None:
    op.execute("""
        CREATE TABLE auth.passkey (
            id              uuid PRIMARY KEY,
            tenant_id       uuid NOT NULL,
            user_id         uuid NOT NULL REFERENCES auth."user" (id),
            credential_id   bytea NOT NULL CONSTRAINT passkey_credential UNIQUE,
            public_key      bytea NOT NULL,
            sign_count      bigint NOT NULL,
            aaguid          uuid NOT NULL,
            transports      text[] NOT NULL,
            backup_eligible boolean NOT NULL,
            backed_up       boolean NOT NULL,
            name            text NOT NULL,
            last_used_at    timestamptz,
            created_at      timestamptz NOT NULL DEFAULT now()
        )""")
    op.execute("CREATE INDEX passkey_user ON auth.passkey (user_id, id)")


def _create_challenges() -> None:
    op.execute("""
        CREATE TABLE auth.login_challenge (
            id          uuid PRIMARY KEY,
            tenant_id   uuid NOT NULL,
            user_id     uuid REFERENCES auth."user" (id),
            purpose     text NOT NULL CONSTRAINT login_challenge_purpose
                        CHECK (purpose IN ('SECOND_FACTOR', 'PASSKEY_LOGIN', 'PASSKEY_REGISTRATION', 'STEP_UP')),
            secret_hash bytea NOT NULL CONSTRAINT login_challenge_secret UNIQUE,
            question    bytea,
            methods     text[] NOT NULL,
            attempts    integer NOT NULL,
            expires_at  timestamptz NOT NULL,
            used_at     timestamptz,
            created_at  timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT login_challenge_of_somebody CHECK ((user_id IS NULL) = (purpose = 'PASSKEY_LOGIN'))
        )""")
    op.execute("CREATE INDEX login_challenge_user ON auth.login_challenge (user_id)")
    op.execute("CREATE INDEX login_challenge_expired ON auth.login_challenge (tenant_id, expires_at)")


def downgrade() -> None:
    # Row-level security shows the owner nothing; it is back before anybody else can look.
    op.execute("ALTER TABLE auth.login NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE auth.login SET result = 'WRONG' WHERE result = 'WRONG_FACTOR'")
    op.execute("ALTER TABLE auth.login FORCE ROW LEVEL SECURITY")
    op.execute("""
        ALTER TABLE auth.login DROP CONSTRAINT login_result, ADD CONSTRAINT login_result
            CHECK (result IN ('SUCCEEDED', 'WRONG', 'SHUT_OUT'))""")
    for table in ("login_challenge", "passkey", "recovery_code", "totp"):
        op.execute(f"DROP TABLE auth.{table}")
