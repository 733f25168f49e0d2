"""How are a backtest's numbers written? As decimal strings without exponent, however many digits the sums have."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer

from libs.schema.values import plain, plain_money

Figure = Annotated[Decimal, PlainSerializer(plain, return_type=str)]
"""A quantity or a ratio."""
Money = Annotated[Decimal, PlainSerializer(plain_money, return_type=str)]
"""A price or an amount."""
