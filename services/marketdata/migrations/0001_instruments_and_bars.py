"""Instruments, series and bars, and the message tables.

Why: the first revision.
Locks: none, everything is new.
Back: downgrade drops all of it.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations import backbone_0001
from libs.kit.migrations.tenancy import share

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    backbone_0001.create("marketdata")
    op.execute("""
        CREATE TABLE marketdata.instrument (
            id          uuid PRIMARY KEY,
            symbol      text NOT NULL CONSTRAINT instrument_symbol UNIQUE,
            name        text NOT NULL,
            asset_class text NOT NULL,
            currency    text NOT NULL,
            version     bigint NOT NULL,
            created_at  timestamptz NOT NULL DEFAULT now(),
            updated_at  timestamptz NOT NULL DEFAULT now()
        )""")
    op.execute("""
        CREATE TABLE marketdata.series (
            id         uuid PRIMARY KEY,
            symbol     text NOT NULL REFERENCES marketdata.instrument (symbol),
            timeframe  text NOT NULL,
            version    bigint NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT series_symbol_timeframe UNIQUE (symbol, timeframe)
        )""")
    op.execute("""
        CREATE TABLE marketdata.bar (
            symbol     text NOT NULL,
            timeframe  text NOT NULL,
            open_time  timestamptz NOT NULL,
            open       numeric(28, 8) NOT NULL,
            high       numeric(28, 8) NOT NULL,
            low        numeric(28, 8) NOT NULL,
            close      numeric(28, 8) NOT NULL,
            volume     numeric(28, 8) NOT NULL,
            series_id  uuid NOT NULL REFERENCES marketdata.series (id),
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (symbol, timeframe, open_time),
            CONSTRAINT bar_consistent CHECK (high >= greatest(open, low, close) AND low <= least(open, close)),
            CONSTRAINT bar_positive CHECK (low > 0 AND volume >= 0)
        )""")
    share("marketdata", "instrument", api="SELECT, INSERT, UPDATE")
    share("marketdata", "series", api="SELECT, INSERT, UPDATE")
    # Bars never change: nobody may update one.
    share("marketdata", "bar", api="SELECT, INSERT", worker="SELECT, INSERT")


def downgrade() -> None:
    for table in ("bar", "series", "instrument"):
        op.execute(f"DROP TABLE marketdata.{table}")
    backbone_0001.drop("marketdata")
