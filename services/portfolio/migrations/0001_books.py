"""Books, positions, journal, marks and equity points, and the message tables.

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

_TENANT_TABLES = ("book", "position", "journal_entry", "posting", "equity_point")


def upgrade() -> None:
    backbone_0001.create("portfolio")
    _create_books()
    _create_journal()
    _create_history()
    for table in _TENANT_TABLES:
        # Everything comes in over the bus: the API only reads.
        isolate_tenants("portfolio", table, api="SELECT")
    share("portfolio", "mark", api="SELECT")


def downgrade() -> None:
    for table in ("equity_point", "mark", "posting", "journal_entry", "position", "book"):
        op.execute(f"DROP TABLE portfolio.{table}")
    backbone_0001.drop("portfolio")


def _create_books() -> None:
    op.execute("""
        CREATE TABLE portfolio.book (
            id           uuid PRIMARY KEY,
            tenant_id    uuid NOT NULL,
            name         text NOT NULL,
            currency     text NOT NULL,
            deposits     numeric(28, 8) NOT NULL,
            cash         numeric(28, 8) NOT NULL,
            realised_pnl numeric(28, 8) NOT NULL,
            fees         numeric(28, 8) NOT NULL,
            version      bigint NOT NULL,
            created_at   timestamptz NOT NULL DEFAULT now(),
            updated_at   timestamptz NOT NULL DEFAULT now()
        )""")
    op.execute("CREATE INDEX book_tenant ON portfolio.book (tenant_id, id)")
    op.execute("""
        CREATE TABLE portfolio.position (
            id           uuid PRIMARY KEY,
            account_id   uuid NOT NULL REFERENCES portfolio.book (id),
            tenant_id    uuid NOT NULL,
            symbol       text NOT NULL,
            quantity     numeric(28, 8) NOT NULL,
            cost_basis   numeric(28, 8) NOT NULL,
            realised_pnl numeric(28, 8) NOT NULL,
            fees         numeric(28, 8) NOT NULL,
            created_at   timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT position_account_symbol UNIQUE (account_id, symbol)
        )""")
    # Who ever held an instrument, when a close of it comes late.
    op.execute("CREATE INDEX position_symbol ON portfolio.position (symbol)")


def _create_journal() -> None:
    op.execute("""
        CREATE TABLE portfolio.journal_entry (
            id          uuid PRIMARY KEY,
            account_id  uuid NOT NULL REFERENCES portfolio.book (id),
            tenant_id   uuid NOT NULL,
            time        timestamptz NOT NULL,
            kind        text NOT NULL,
            description text NOT NULL,
            event_id    uuid NOT NULL,
            created_at  timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT journal_entry_event UNIQUE (event_id)
        )""")
    op.execute("CREATE INDEX journal_entry_account_time ON portfolio.journal_entry (account_id, time)")
    op.execute("CREATE INDEX journal_entry_account_created ON portfolio.journal_entry (account_id, created_at, id)")
    op.execute("""
        CREATE TABLE portfolio.posting (
            entry_id       uuid NOT NULL REFERENCES portfolio.journal_entry (id),
            line           smallint NOT NULL,
            tenant_id      uuid NOT NULL,
            ledger_account text NOT NULL,
            currency       text NOT NULL,
            amount         numeric(28, 8) NOT NULL,
            symbol         text,
            quantity       numeric(28, 8),
            PRIMARY KEY (entry_id, line),
            CONSTRAINT posting_symbol CHECK ((ledger_account = 'positions') = (symbol IS NOT NULL)),
            CONSTRAINT posting_quantity CHECK ((symbol IS NULL) = (quantity IS NULL))
        )""")


def _create_history() -> None:
    op.execute("""
        CREATE TABLE portfolio.mark (
            symbol   text NOT NULL,
            as_of    timestamptz NOT NULL,
            close    numeric(28, 8) NOT NULL,
            event_id uuid NOT NULL,
            PRIMARY KEY (symbol, as_of)
        )""")
    op.execute("""
        CREATE TABLE portfolio.equity_point (
            account_id   uuid NOT NULL REFERENCES portfolio.book (id),
            as_of        timestamptz NOT NULL,
            tenant_id    uuid NOT NULL,
            cash         numeric(28, 8) NOT NULL,
            market_value numeric(28, 8) NOT NULL,
            equity       numeric(28, 8) NOT NULL,
            event_id     uuid NOT NULL,
            PRIMARY KEY (account_id, as_of),
            CONSTRAINT equity_point_sum CHECK (equity = cash + market_value)
        )""")
