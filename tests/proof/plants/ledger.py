"""What may go wrong with money?"""

from __future__ import annotations

from tests.proof.plants.plant import in_database

_ONE_POSTING = (
    "(entry_id, line) IN (SELECT entry_id, line FROM portfolio.posting WHERE ledger_account = 'cash' LIMIT 1)"
)

PLANTS = (
    in_database(
        "debits_equal_credits",
        "an entry has a posting without its other half",
        f"""INSERT INTO portfolio.posting (entry_id, line, tenant_id, ledger_account, currency, amount)
            SELECT entry_id, 99, tenant_id, 'suspense', currency, 0.01 FROM portfolio.posting WHERE {_ONE_POSTING}""",
    ),
    in_database(
        "debits_equal_credits",
        "a posting is in another currency",
        f"UPDATE portfolio.posting SET currency = 'EUR' WHERE {_ONE_POSTING}",
    ),
    in_database(
        "the_brokers_accounts_follow_from_the_fills",
        "the broker's cash is a cent off",
        "UPDATE orders.account SET cash = cash + 0.01",
    ),
    in_database(
        "the_brokers_accounts_follow_from_the_fills",
        "the broker's position is one off",
        "UPDATE orders.position SET quantity = quantity + 1",
    ),
    in_database(
        "the_portfolio_follows_from_the_fills",
        "our cash is the smallest unit off",
        "UPDATE portfolio.book SET cash = cash - 0.00000001",
    ),
    in_database(
        "the_portfolio_follows_from_the_fills",
        "commission was charged twice",
        "UPDATE portfolio.book SET fees = 2 * fees",
    ),
    in_database(
        "the_portfolio_follows_from_the_fills",
        "our position is one off",
        "UPDATE portfolio.position SET quantity = quantity - 1",
    ),
    in_database(
        "the_ledger_equals_the_brokers_book",
        "two executions are posted as each other",
        "ALTER TABLE portfolio.journal_entry DROP CONSTRAINT journal_entry_event",
        """WITH two AS (SELECT (array_agg(event_id ORDER BY time))[1:2] AS ids FROM portfolio.journal_entry
                        WHERE kind = 'fill' GROUP BY account_id LIMIT 1)
           UPDATE portfolio.journal_entry SET event_id = CASE event_id WHEN ids[1] THEN ids[2] ELSE ids[1] END
           FROM two WHERE event_id = ANY(ids)""",
        "ALTER TABLE portfolio.journal_entry ADD CONSTRAINT journal_entry_event UNIQUE (event_id)",
    ),
    in_database(
        "the_books_equal_their_postings",
        "a profit is told that was not posted",
        "UPDATE portfolio.book SET realised_pnl = realised_pnl + 1",
    ),
    in_database(
        "the_books_equal_their_postings",
        "a position cost what was not posted",
        "UPDATE portfolio.position SET cost_basis = cost_basis + 1",
    ),
    in_database(
        "what_is_reserved_follows_from_the_open_orders",
        "a reservation stayed after its order",
        "UPDATE orders.account SET reserved = reserved + 0.01",
    ),
    in_database(
        "the_history_follows_from_the_fills",
        "a valuation is a cent off",
        """UPDATE portfolio.equity_point SET cash = cash + 0.01, equity = equity + 0.01
           WHERE as_of = (SELECT max(as_of) FROM portfolio.equity_point)""",
    ),
    in_database(
        "the_history_follows_from_the_fills",
        "a position is not worth its last close",
        """UPDATE portfolio.equity_point SET market_value = market_value + 1, equity = equity + 1
           WHERE as_of = (SELECT max(as_of) FROM portfolio.equity_point)""",
    ),
    in_database(
        "every_close_of_what_was_held_has_its_point",
        "a close went by without a valuation",
        "DELETE FROM portfolio.equity_point WHERE as_of = (SELECT max(as_of) FROM portfolio.equity_point)",
    ),
    in_database(
        "every_close_of_what_was_held_has_its_point",
        "a stranger's close made a valuation",
        """INSERT INTO portfolio.equity_point (account_id, as_of, tenant_id, cash, market_value, equity, event_id)
           SELECT account_id, as_of - interval '1 minute', tenant_id, cash, market_value, equity, event_id
           FROM portfolio.equity_point WHERE as_of = (SELECT max(as_of) FROM portfolio.equity_point)""",
    ),
)
