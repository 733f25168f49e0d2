"""What happens when a person is erased? Nothing is traded for them any more; what was traded is a record, and stays."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from libs.kit.db import Tx
from libs.schema.event import Cause
from services.orders.commands.desk import save_changed
from services.orders.matching import PaperVenue
from services.orders.repository import accounts, orders


async def withdraw_orders(tx: Tx, venue: PaperVenue, tenant_ids: Collection[UUID], cause: Cause) -> None:
    """Withdraw what is left of every order of some workspaces. Needs a worker's transaction."""
    account_ids = await accounts.of_workspaces(tx, tenant_ids)
    if not account_ids:
        return
    books = await accounts.lock_books(tx, venue, account_ids)
    open_orders = await orders.open_of(tx, account_ids)
    for order in open_orders:
        tx.publish(order, *books[order.account_id].cancel(order, tx.now), cause=cause)
    if open_orders:
        await orders.update_orders(tx, open_orders)
        await save_changed(tx, {order.account_id for order in open_orders}, books.values())
