"""Profiles, proofs of who somebody is, onboarding, and the plan that a workspace is on.

Why: a person has particulars that are kept sealed, is verified by staff, and is led through the first steps. The rows
are in the person's home workspace. Billing's word on the plan is copied, to be shown.
Locks: none but for a moment a share lock on "user", which the new tables refer to.
Back: downgrade drops the four tables; what people said of themselves and what staff decided is lost.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import isolate_tenants

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_profile()
    _create_kyc()
    _create_onboarding()
    op.execute("""
        CREATE TABLE auth.tier (
            tenant_id uuid PRIMARY KEY,
            plan      text NOT NULL,
            sequence  bigint NOT NULL
        )""")
    for table in ("profile", "kyc", "onboarding_progress"):
        isolate_tenants("auth", table, api="SELECT, INSERT, UPDATE")
    # Billing decides: what comes over HTTP may only show it.
    isolate_tenants("auth", "tier", api="SELECT")


def _create_profile() -> None:
    # What is personal is sealed, each column for itself; risk, brokers and preferences are in the open.
    op.execute("""
        CREATE TABLE auth.profile (
            id                      uuid PRIMARY KEY,
            tenant_id               uuid NOT NULL,
            user_id                 uuid NOT NULL CONSTRAINT profile_user UNIQUE REFERENCES auth."user" (id),
            pan_number              bytea,
            aadhaar_number          bytea,
            zip_code                bytea,
            dependents              bytea,
            annual_income           bytea,
            risk_tolerance          text NOT NULL,
            max_daily_loss          numeric(28, 8) NOT NULL,
            max_daily_loss_currency text NOT NULL,
            preferred_brokers       jsonb NOT NULL,
            trading_preferences     jsonb NOT NULL,
            saved_at                timestamptz,
            version                 bigint NOT NULL,
            created_at              timestamptz NOT NULL DEFAULT now(),
            updated_at              timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT profile_risk_tolerance CHECK (risk_tolerance IN ('LOW', 'MEDIUM', 'HIGH')),
            CONSTRAINT profile_max_daily_loss CHECK (max_daily_loss >= 0)
        )""")


def _create_kyc() -> None:
    op.execute("""
        CREATE TABLE auth.kyc (
            id           uuid PRIMARY KEY,
            tenant_id    uuid NOT NULL,
            user_id      uuid NOT NULL CONSTRAINT kyc_user UNIQUE REFERENCES auth."user" (id),
            state        text NOT NULL,
            submission   integer NOT NULL,
            documents    jsonb NOT NULL,
            submitted_at timestamptz,
            decided_at   timestamptz,
            decided_by   uuid,
            reason       text,
            note         text,
            expires_at   timestamptz,
            version      bigint NOT NULL,
            created_at   timestamptz NOT NULL DEFAULT now(),
            updated_at   timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT kyc_state CHECK (state IN ('NOT_STARTED', 'SUBMITTED', 'VERIFIED', 'REJECTED', 'EXPIRED')),
            CONSTRAINT kyc_expires CHECK (state <> 'VERIFIED' OR expires_at IS NOT NULL),
            CONSTRAINT kyc_reason CHECK (state <> 'REJECTED' OR reason IS NOT NULL),
            CONSTRAINT kyc_not_by_oneself CHECK (decided_by <> user_id)
        )""")
    # The task that ends verifications looks for those that are over.
    op.execute("CREATE INDEX kyc_expires_at ON auth.kyc (expires_at) WHERE state = 'VERIFIED'")


def _create_onboarding() -> None:
    op.execute("""
        CREATE TABLE auth.onboarding_progress (
            id           uuid PRIMARY KEY,
            tenant_id    uuid NOT NULL,
            user_id      uuid NOT NULL CONSTRAINT onboarding_progress_user UNIQUE REFERENCES auth."user" (id),
            steps        jsonb NOT NULL,
            completed_at timestamptz,
            version      bigint NOT NULL,
            created_at   timestamptz NOT NULL DEFAULT now(),
            updated_at   timestamptz NOT NULL DEFAULT now()
        )""")


def downgrade() -> None:
    for table in ("tier", "onboarding_progress", "kyc", "profile"):
        op.execute(f"DROP TABLE auth.{table}")
