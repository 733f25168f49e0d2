"""Accounts, orders, fills and positions of workspaces; markets and bars of everybody; and the message tables.

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
    backbone_0001.create("orders")
    _create_account()
    _create_order()
    _create_fill_and_position()
    _create_market_data()
    op.execute("""
        CREATE TABLE orders.entitlement (
            tenant_id    uuid PRIMARY KEY,
            plan         text NOT NULL,
            auto_trading boolean NOT NULL,
            sequence     bigint NOT NULL
        )""")
    for table in ("account", "order", "position"):
        isolate_tenants("orders", table, api="SELECT, INSERT, UPDATE")
    isolate_tenants("orders", "fill", api="SELECT, INSERT")
    isolate_tenants("orders", "entitlement", api="SELECT")
    share("orders", "market", api="SELECT", worker="SELECT, INSERT, UPDATE")
    # Bars never change: nobody may update one.
    share("orders", "bar", api="SELECT", worker="SELECT, INSERT")


def _create_account() -> None:
    op.execute("""
        CREATE TABLE orders.account (
            id           uuid PRIMARY KEY,
            tenant_id    uuid NOT NULL,
            name         text NOT NULL,
            broker       text NOT NULL CHECK (broker IN ('paper')),
            currency     text NOT NULL,
            initial_cash numeric(28, 8) NOT NULL CHECK (initial_cash > 0),
            cash         numeric(28, 8) NOT NULL,
            reserved     numeric(28, 8) NOT NULL CHECK (reserved >= 0),
            auto_trading boolean NOT NULL,
            status       text NOT NULL CHECK (status IN ('ACTIVE')),
            version      bigint NOT NULL,
            created_at   timestamptz NOT NULL DEFAULT now(),
            updated_at   timestamptz NOT NULL DEFAULT now()
        )""")
    # Signals are traded in one account of a workspace.
    op.execute("CREATE UNIQUE INDEX account_auto_trading ON orders.account (tenant_id) WHERE auto_trading")
    op.execute("CREATE INDEX account_tenant ON orders.account (tenant_id, created_at, id)")


def _create_order() -> None:
    op.execute("""
        CREATE TABLE orders."order" (
            id                  uuid PRIMARY KEY,
            tenant_id           uuid NOT NULL,
            account_id          uuid NOT NULL REFERENCES orders.account (id),
            client_order_id     text NOT NULL,
            symbol              text NOT NULL,
            side                text NOT NULL CHECK (side IN ('BUY', 'SELL')),
            order_type          text NOT NULL CHECK (order_type IN ('MARKET', 'LIMIT')),
            time_in_force       text NOT NULL CHECK (time_in_force IN ('DAY', 'GTC')),
            quantity            numeric(28, 8) NOT NULL,
            limit_price         numeric(28, 8),
            reference_price     numeric(28, 8),
            status              text NOT NULL,
            cumulative_quantity numeric(28, 8) NOT NULL,
            average_price       numeric(28, 8),
            commission          numeric(28, 8) NOT NULL,
            reject_reason       text,
            reject_detail       text,
            strategy_id         uuid,
            signal_id           uuid,
            submitted_at        timestamptz NOT NULL,
            closed_at           timestamptz,
            version             bigint NOT NULL,
            created_at          timestamptz NOT NULL DEFAULT now(),
            updated_at          timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT order_client_order_id UNIQUE (account_id, client_order_id),
            CONSTRAINT order_quantities CHECK (quantity > 0 AND cumulative_quantity BETWEEN 0 AND quantity),
            CONSTRAINT order_limit_price CHECK ((order_type = 'LIMIT') = (limit_price IS NOT NULL)),
            CONSTRAINT order_closed_at CHECK (
                (closed_at IS NULL) = (status IN ('PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'PENDING_CANCEL')))
        )""")
    op.execute('CREATE INDEX order_tenant ON orders."order" (tenant_id, created_at, id)')
    # Few orders are open, however many there ever were.
    op.execute('CREATE INDEX order_open_by_symbol ON orders."order" (symbol, submitted_at) WHERE closed_at IS NULL')
    op.execute('CREATE INDEX order_open_by_account ON orders."order" (account_id, symbol) WHERE closed_at IS NULL')
    op.execute(
        'CREATE INDEX order_strategy ON orders."order" (account_id, strategy_id, symbol) WHERE strategy_id IS NOT NULL'
    )


def _create_fill_and_position() -> None:
    op.execute("""
        CREATE TABLE orders.fill (
            id            uuid PRIMARY KEY,
            tenant_id     uuid NOT NULL,
            account_id    uuid NOT NULL REFERENCES orders.account (id),
            order_id      uuid NOT NULL REFERENCES orders."order" (id),
            symbol        text NOT NULL,
            side          text NOT NULL CHECK (side IN ('BUY', 'SELL')),
            last_quantity numeric(28, 8) NOT NULL CHECK (last_quantity > 0),
            last_price    numeric(28, 8) NOT NULL CHECK (last_price > 0),
            commission    numeric(28, 8) NOT NULL CHECK (commission >= 0),
            currency      text NOT NULL,
            venue         text NOT NULL,
            execution_id  text NOT NULL,
            executed_at   timestamptz NOT NULL,
            created_at    timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT fill_execution UNIQUE (order_id, execution_id)
        )""")
    op.execute("CREATE INDEX fill_tenant ON orders.fill (tenant_id, executed_at, id)")
    op.execute("""
        CREATE TABLE orders.position (
            account_id uuid NOT NULL REFERENCES orders.account (id),
            symbol     text NOT NULL,
            tenant_id  uuid NOT NULL,
            quantity   numeric(28, 8) NOT NULL,
            last_price numeric(28, 8) NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (account_id, symbol)
        )""")


def _create_market_data() -> None:
    op.execute("""
        CREATE TABLE orders.market (
            symbol     text PRIMARY KEY,
            currency   text,
            updated_at timestamptz NOT NULL DEFAULT now()
        )""")
    op.execute("""
        CREATE TABLE orders.bar (
            symbol    text NOT NULL,
            timeframe text NOT NULL,
            open_time timestamptz NOT NULL,
            open      numeric(28, 8) NOT NULL,
            high      numeric(28, 8) NOT NULL,
            low       numeric(28, 8) NOT NULL,
            close     numeric(28, 8) NOT NULL,
            PRIMARY KEY (symbol, timeframe, open_time)
        )""")


def downgrade() -> None:
    for table in ("entitlement", "bar", "market", "position", "fill", '"order"', "account"):
        op.execute(f"DROP TABLE orders.{table}")
    backbone_0001.drop("orders")
