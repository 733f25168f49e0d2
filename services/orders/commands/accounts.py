"""What happens to accounts?"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from libs.kit.db import Tx
from libs.schema.values import Currency
from services.orders.model import Account, AccountStatus
from services.orders.money import ZERO
from services.orders.repository import accounts

PAPER = "paper"


async def open_account(
    tx: Tx, tenant_id: UUID, *, name: str, currency: Currency, initial_cash: Decimal, auto_trading: bool
) -> Account:
    """Open a paper account. Raises Conflict when another one of the workspace trades signals."""
    account = Account(
        tenant_id=tenant_id,
        name=name,
        broker=PAPER,
        currency=currency,
        initial_cash=initial_cash,
        cash=initial_cash,
        reserved=ZERO,
        auto_trading=auto_trading,
        status=AccountStatus.ACTIVE,
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.add(account)
    await accounts.keep_account(tx)
    tx.publish(account, *account.open(tx.now))
    return account


async def change_account(tx: Tx, account_id: UUID, *, name: str | None, auto_trading: bool | None) -> Account:
    """Change what is given. Raises NotFound, and Conflict when another account of the workspace trades signals."""
    account = await accounts.lock_account(tx, account_id)
    account.name = account.name if name is None else name
    account.auto_trading = account.auto_trading if auto_trading is None else auto_trading
    await accounts.keep_account(tx)
    return account


async def change_entitlements(tx: Tx, entitled: Sequence[accounts.Entitled]) -> None:
    """Remember what workspaces may do."""
    await accounts.save_entitlements(tx, entitled)
