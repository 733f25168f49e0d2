"""Plans with their reference data, subscriptions, and the message tables.

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
    backbone_0001.create("billing")
    _create_plans()
    _insert_plans()
    _create_subscriptions()


def _create_plans() -> None:
    op.execute("""
        CREATE TABLE billing.plan (
            id                         uuid PRIMARY KEY,
            name                       text NOT NULL CONSTRAINT plan_name UNIQUE,
            description                text NOT NULL,
            price_monthly              numeric(28, 8) NOT NULL,
            price_yearly               numeric(28, 8),
            currency                   text NOT NULL,
            features                   jsonb NOT NULL,
            max_bots                   integer NOT NULL,
            max_strategies             integer NOT NULL,
            ai_requests_per_month      integer NOT NULL,
            backtest_minutes_per_month integer NOT NULL,
            priority_support           boolean NOT NULL,
            custom_strategies          boolean NOT NULL,
            api_access                 boolean NOT NULL,
            auto_trading               boolean NOT NULL,
            is_active                  boolean NOT NULL,
            sort_order                 integer NOT NULL,
            created_at                 timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT plan_price CHECK (price_monthly >= 0 AND price_yearly >= 0),
            CONSTRAINT plan_limits CHECK (max_bots >= 0 AND max_strategies >= 0)
        )""")
    # Plans change by migrations alone, so that every installation has the same.
    share("billing", "plan", api="SELECT", worker="SELECT")


def _insert_plans() -> None:
    # The ids are fixed, so that they are the same in every installation.
    op.execute("""
        INSERT INTO billing.plan (id, name, description, price_monthly, price_yearly, currency, features, max_bots,
                                  max_strategies, ai_requests_per_month, backtest_minutes_per_month, priority_support,
                                  custom_strategies, api_access, auto_trading, is_active, sort_order)
        VALUES
            ('01980000-0000-7000-8000-000000000001', 'Free', 'Try one strategy on paper, by hand.',
             0, 0, 'USD', '["One strategy", "Signals and notifications", "Manual paper orders"]',
             0, 1, 10, 30, false, false, false, false, true, 1),
            ('01980000-0000-7000-8000-000000000002', 'Pro', 'Ten strategies that trade by themselves.',
             29, 290, 'USD', '["Ten strategies", "Automatic trading", "API access"]',
             5, 10, 1000, 600, false, true, true, true, true, 2),
            ('01980000-0000-7000-8000-000000000003', 'Enterprise', 'As many strategies as a desk needs, with support.',
             199, 1990, 'USD', '["A thousand strategies", "Automatic trading", "API access", "Priority support"]',
             100, 1000, 100000, 60000, true, true, true, true, true, 3)
    """)


def _create_subscriptions() -> None:
    op.execute("""
        CREATE TABLE billing.subscription (
            id                   uuid PRIMARY KEY,
            tenant_id            uuid NOT NULL CONSTRAINT subscription_tenant UNIQUE,
            plan_id              uuid NOT NULL REFERENCES billing.plan (id),
            status               text NOT NULL,
            current_period_start timestamptz NOT NULL,
            current_period_end   timestamptz NOT NULL,
            trial_ends_at        timestamptz,
            auto_renew           boolean NOT NULL,
            cancelled_at         timestamptz,
            version              bigint NOT NULL,
            created_at           timestamptz NOT NULL DEFAULT now(),
            updated_at           timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT subscription_status CHECK (status IN ('TRIAL', 'ACTIVE', 'CANCELLED', 'EXPIRED')),
            CONSTRAINT subscription_period CHECK (current_period_start <= current_period_end),
            CONSTRAINT subscription_trial_ends CHECK (status <> 'TRIAL' OR trial_ends_at IS NOT NULL)
        )""")
    op.execute("CREATE INDEX subscription_trial_ends_at ON billing.subscription (trial_ends_at) WHERE status = 'TRIAL'")
    isolate_tenants("billing", "subscription", api="SELECT")


def downgrade() -> None:
    for table in ("subscription", "plan"):
        op.execute(f"DROP TABLE billing.{table}")
    backbone_0001.drop("billing")
