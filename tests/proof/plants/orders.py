"""What may go wrong with orders?"""

from __future__ import annotations

from tests.proof.plants.plant import in_database

PLANTS = (
    in_database(
        "orders_move_as_fix_allows",
        "an order has a state that its events do not lead to",
        """UPDATE orders."order" SET status = 'CANCELED' WHERE status = 'EXPIRED'""",
    ),
    in_database(
        "fills_add_up_to_their_order",
        "an order paid its commission twice",
        """UPDATE orders."order" SET commission = 2 * commission WHERE commission > 0""",
    ),
    in_database(
        "every_fill_was_told_as_it_is", "a fill is in another currency", "UPDATE orders.fill SET currency = 'EUR'"
    ),
    in_database(
        "one_order_for_each_client_order_id",
        "two orders have one client order id",
        'ALTER TABLE orders."order" DROP CONSTRAINT order_client_order_id',
        """UPDATE orders."order" SET client_order_id = 'mine' WHERE strategy_id IS NULL""",
    ),
    in_database(
        "no_order_is_open_past_its_deadline",
        "an order did not trade in a bar that reached its limit",
        """INSERT INTO orders.bar SELECT symbol, timeframe, open_time + interval '3 days', open, high, 0.5, close
           FROM orders.bar WHERE symbol = (SELECT symbol FROM orders."order" WHERE closed_at IS NULL)
           ORDER BY open_time DESC LIMIT 1""",
    ),
    in_database(
        "no_order_is_open_past_its_deadline",
        "a day order outlived its day",
        """UPDATE orders."order" SET time_in_force = 'DAY' WHERE closed_at IS NULL""",
    ),
    in_database(
        "no_order_is_open_past_its_deadline",
        "the broker never answered",
        """UPDATE orders."order" SET status = 'PENDING_CANCEL' WHERE closed_at IS NULL""",
    ),
    in_database(
        "strategies_hold_what_they_last_wanted",
        "a signal was not traded",
        """UPDATE orders."order" SET strategy_id = NULL WHERE id IN (SELECT id FROM orders."order"
           WHERE strategy_id IS NOT NULL ORDER BY submitted_at DESC LIMIT 1)""",
    ),
)
