"""Owners let support in for a while, and whoever brings customers has codes to give and sees whom they brought.

Why: staff act in a workspace only by a grant of its owner; a reseller sees the customers that they brought, and no others.
Locks: "user" exclusively while a column, its foreign key, a check and a partial index are added, which reads
the table; tier for a moment while it gets a policy.
Back: downgrade drops both tables and forgets who brought whom.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import isolate_tenants

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ME = "NULLIF(current_setting('app.user_id', true), '')::uuid"


def upgrade() -> None:
    _create_support_grants()
    _let_staff_see_what_is_granted_to_them()
    _remember_who_brought_whom()
    _create_referral_codes()
    _let_bringers_see_tiers()


def _create_support_grants() -> None:
    op.execute("""
        CREATE TABLE auth.support_grant (
            id         uuid PRIMARY KEY,
            tenant_id  uuid NOT NULL,
            granted_by uuid NOT NULL REFERENCES auth."user" (id),
            staff_id   uuid REFERENCES auth."user" (id),
            access     text NOT NULL CONSTRAINT support_grant_access CHECK (access IN ('READ', 'TRADE')),
            reason     text NOT NULL,
            expires_at timestamptz NOT NULL,
            revoked_at timestamptz,
            used_at    timestamptz,
            entered_by uuid[] NOT NULL,
            version    bigint NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        )""")
    op.execute("CREATE INDEX support_grant_tenant ON auth.support_grant (tenant_id, id)")
    op.execute("CREATE INDEX support_grant_staff ON auth.support_grant (staff_id, id)")
    isolate_tenants("auth", "support_grant", api="SELECT, INSERT, UPDATE")


def _let_staff_see_what_is_granted_to_them() -> None:
    """From outside of the workspace, and to read alone; the database itself looks whether they are support."""
    # Functions, with the rights of whoever reads: a policy that names "user" would lock it whenever it is looked at.
    op.execute("""
        CREATE FUNCTION auth.is_support(person uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
            SELECT EXISTS (
                SELECT FROM auth."user" u
                WHERE u.id = person AND u.platform_role = 'SUPPORT' AND u.is_active AND u.deleted_at IS NULL) $$""")
    op.execute(f"""
        CREATE POLICY staff ON auth.support_grant FOR SELECT TO auth_api
            USING (staff_id = {_ME} OR staff_id IS NULL AND auth.is_support({_ME}))""")


def _remember_who_brought_whom() -> None:
    op.execute("""
        ALTER TABLE auth."user"
            ADD brought_by uuid REFERENCES auth."user" (id),
            ADD CONSTRAINT user_brought CHECK (brought_by <> id)""")
    op.execute("""
        CREATE INDEX user_brought_by ON auth."user" (brought_by, created_at, id) WHERE brought_by IS NOT NULL""")
    # It may be forgotten with the person, but never be another one.
    op.execute("""
        CREATE FUNCTION auth.refuse_another_bringer() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'who brought a person does not change' USING ERRCODE = 'insufficient_privilege';
        END $$""")
    op.execute("""
        CREATE TRIGGER user_stays_brought BEFORE UPDATE OF brought_by ON auth."user" FOR EACH ROW
        WHEN (NEW.brought_by IS NOT NULL AND NEW.brought_by IS DISTINCT FROM OLD.brought_by)
        EXECUTE FUNCTION auth.refuse_another_bringer()""")


def _create_referral_codes() -> None:
    op.execute("""
        CREATE TABLE auth.referral_code (
            id         uuid PRIMARY KEY,
            tenant_id  uuid NOT NULL,
            user_id    uuid NOT NULL REFERENCES auth."user" (id),
            code       text NOT NULL CONSTRAINT referral_code_code UNIQUE,
            revoked_at timestamptz,
            version    bigint NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        )""")
    op.execute("CREATE INDEX referral_code_user ON auth.referral_code (user_id, created_at, id)")
    isolate_tenants("auth", "referral_code", api="SELECT, INSERT, UPDATE")
    # Whoever registers is in a workspace of their own, and sees the one code that they hold.
    op.execute("""
        CREATE POLICY presented ON auth.referral_code FOR SELECT TO auth_api
            USING (code = NULLIF(current_setting('app.referral_code', true), ''))""")


def _let_bringers_see_tiers() -> None:
    op.execute("""
        CREATE FUNCTION auth.has_brought(person uuid, home uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
            SELECT EXISTS (
                SELECT FROM auth."user" u WHERE u.brought_by = person AND u.default_workspace_id = home) $$""")
    op.execute(f"""
        CREATE POLICY whose_bringer ON auth.tier FOR SELECT TO auth_api
            USING (auth.has_brought({_ME}, tenant_id))""")


def downgrade() -> None:
    op.execute("DROP POLICY whose_bringer ON auth.tier")
    op.execute("DROP FUNCTION auth.has_brought(uuid, uuid)")
    op.execute("DROP TABLE auth.referral_code")
    op.execute('DROP TRIGGER user_stays_brought ON auth."user"')
    op.execute("DROP FUNCTION auth.refuse_another_bringer()")
    op.execute('ALTER TABLE auth."user" DROP brought_by')
    op.execute("DROP TABLE auth.support_grant")
    op.execute("DROP FUNCTION auth.is_support(uuid)")
