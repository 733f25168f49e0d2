"""Strategies, their signals, backtests, bars to run them on, what plans allow, and the message tables.

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
    backbone_0001.create("signals")
    _create_strategy()
    _create_signal()
    _create_bar_and_backtest()
    op.execute("""
        CREATE TABLE signals.entitlements (
            tenant_id      uuid PRIMARY KEY,
            plan           text NOT NULL,
            max_strategies bigint NOT NULL,
            sequence       bigint NOT NULL
        )""")
    isolate_tenants("signals", "strategy", api="SELECT, INSERT, UPDATE")
    isolate_tenants("signals", "signal", api="SELECT")
    isolate_tenants("signals", "backtest", api="SELECT, INSERT")
    # The right to update one column that never changes is what locking a row asks for.
    isolate_tenants("signals", "entitlements", api="SELECT, UPDATE (tenant_id)")
    share("signals", "bar", api="SELECT", worker="SELECT, INSERT")


def downgrade() -> None:
    for table in ("entitlements", "backtest", "bar", "signal", "strategy"):
        op.execute(f"DROP TABLE signals.{table}")
    backbone_0001.drop("signals")


def _create_strategy() -> None:
    op.execute("""
        CREATE TABLE signals.strategy (
            id            uuid PRIMARY KEY,
            tenant_id     uuid NOT NULL,
            user_id       uuid NOT NULL,
            name          text NOT NULL,
            description   text NOT NULL,
            symbol        text NOT NULL,
            timeframe     text NOT NULL,
            size          numeric(28, 8) NOT NULL,
            status        text NOT NULL,
            parameters    jsonb NOT NULL,
            state         jsonb NOT NULL,
            last_bar_time timestamptz,
            version       bigint NOT NULL,
            created_at    timestamptz NOT NULL DEFAULT now(),
            updated_at    timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT strategy_size CHECK (size > 0),
            CONSTRAINT strategy_status CHECK (status IN ('ACTIVE', 'PAUSED', 'DELETED'))
        )""")
    op.execute("CREATE INDEX strategy_tenant ON signals.strategy (tenant_id, created_at, id)")
    op.execute("CREATE INDEX strategy_series ON signals.strategy (symbol, timeframe) WHERE status = 'ACTIVE'")


def _create_signal() -> None:
    op.execute("""
        CREATE TABLE signals.signal (
            id              uuid PRIMARY KEY,
            tenant_id       uuid NOT NULL,
            strategy_id     uuid NOT NULL REFERENCES signals.strategy (id),
            strategy_name   text NOT NULL,
            symbol          text NOT NULL,
            timeframe       text NOT NULL,
            signal_type     text NOT NULL,
            quantity        numeric(28, 8) NOT NULL,
            target_position numeric(28, 8) NOT NULL,
            confidence      numeric(5, 4) NOT NULL,
            entry_price     numeric(28, 8) NOT NULL,
            target_price    numeric(28, 8),
            stop_loss       numeric(28, 8),
            valid_until     timestamptz NOT NULL,
            indicators      jsonb NOT NULL,
            occurred_at     timestamptz NOT NULL,
            caused_by       uuid NOT NULL,
            created_at      timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT signal_strategy_time UNIQUE (strategy_id, occurred_at),
            CONSTRAINT signal_type CHECK (signal_type IN ('BUY', 'SELL', 'SHORT', 'COVER')),
            CONSTRAINT signal_confidence CHECK (confidence BETWEEN 0 AND 1)
        )""")
    op.execute("CREATE INDEX signal_tenant_time ON signals.signal (tenant_id, occurred_at, id)")


def _create_bar_and_backtest() -> None:
    op.execute("""
        CREATE TABLE signals.bar (
            symbol    text NOT NULL,
            timeframe text NOT NULL,
            open_time timestamptz NOT NULL,
            open      numeric(28, 8) NOT NULL,
            high      numeric(28, 8) NOT NULL,
            low       numeric(28, 8) NOT NULL,
            close     numeric(28, 8) NOT NULL,
            volume    numeric(28, 8) NOT NULL,
            PRIMARY KEY (symbol, timeframe, open_time)
        )""")
    op.execute("""
        CREATE TABLE signals.backtest (
            id              uuid PRIMARY KEY,
            tenant_id       uuid NOT NULL,
            user_id         uuid NOT NULL,
            symbol          text NOT NULL,
            timeframe       text NOT NULL,
            parameters      jsonb NOT NULL,
            size            numeric(28, 8) NOT NULL,
            initial_cash    numeric(28, 8) NOT NULL,
            commission_rate numeric(28, 8) NOT NULL,
            start_time      timestamptz NOT NULL,
            end_time        timestamptz NOT NULL,
            report          jsonb NOT NULL,
            version         bigint NOT NULL,
            created_at      timestamptz NOT NULL DEFAULT now(),
            updated_at      timestamptz NOT NULL DEFAULT now()
        )""")
    op.execute("CREATE INDEX backtest_tenant ON signals.backtest (tenant_id, created_at, id)")
