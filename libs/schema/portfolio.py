"""What does the portfolio tell? Positions, closed trades and what it is all worth."""

from __future__ import annotations

from uuid import UUID

from libs.schema.event import DomainEvent
from libs.schema.values import Amount, Currency, SignedQuantity, Symbol


class PositionChanged(DomainEvent, topic="portfolio.v1", key="account_id"):
    """A fill changed a holding."""

    account_id: UUID
    symbol: Symbol
    currency: Currency
    quantity: SignedQuantity
    average_cost: Amount
    """Per unit, without fees; zero when flat."""
    realised_pnl: Amount
    """Since the account was opened, before fees."""
    fees: Amount
    """Since the account was opened."""


class PortfolioValued(DomainEvent, topic="portfolio.v1", key="account_id"):
    """What an account is worth at a close (`occurred_at`); replaces an earlier valuation of the same moment."""

    account_id: UUID
    currency: Currency
    cash: Amount
    market_value: Amount
    """Positions at their last closes; a short counts negative."""
    equity: Amount
    """cash + market_value."""
