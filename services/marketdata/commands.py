"""What happens? Instruments are listed, bars are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from libs.kit.db import Tx
from libs.kit.errors import Conflict, Invalid
from services.marketdata import repository
from services.marketdata.model import AssetClass, Bar, Instrument


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch of bars."""

    accepted: int
    duplicates: int


async def list_instrument(
    tx: Tx, symbol: str, name: str, asset_class: AssetClass, currency: str, time_zone: str | None = None
) -> Instrument:
    """Make an instrument known. Raises Conflict when the symbol is taken."""
    instrument = await repository.insert_instrument(
        tx, symbol=symbol, name=name, asset_class=asset_class, currency=currency, time_zone=time_zone
    )
    if instrument is None:
        raise Conflict(f"{symbol} is listed already")
    tx.publish(instrument, *instrument.list_for_trading(tx.now))
    return instrument


async def record_bars(tx: Tx, bars: Sequence[Bar]) -> Recorded:
    """Keep closed bars and tell of the new ones in the order of their times.

    A bar that is known already, equal in every figure, counts as a duplicate. Raises Invalid for an instrument that is
    not listed and Conflict for a bar that contradicts a known one, naming it; then nothing of the batch is kept.
    """
    if not bars:
        return Recorded(0, 0)
    await _check_listed(tx, bars)
    series = await repository.lock_series(tx, {(bar.symbol, bar.timeframe) for bar in bars})
    new = _without_known(bars, await repository.find_bars(tx, bars))
    if new:
        await repository.insert_bars(tx, new, series)
    for bar in sorted(new, key=lambda bar: bar.open_time):
        owner = series[bar.symbol, bar.timeframe]
        tx.publish(owner, *owner.close(bar))
    return Recorded(len(new), len(bars) - len(new))


async def _check_listed(tx: Tx, bars: Sequence[Bar]) -> None:
    known = await repository.known_symbols(tx, {bar.symbol for bar in bars})
    for index, bar in enumerate(bars):
        if bar.symbol not in known:
            raise Invalid(f"/bars/{index}/symbol", f"{bar.symbol} is not listed", slug="unknown-symbol")


def _without_known(bars: Sequence[Bar], known: dict[repository.BarKey, Bar]) -> list[Bar]:
    new = []
    for index, bar in enumerate(bars):
        same = known.setdefault(bar.key, bar)
        if same is bar:
            new.append(bar)
        elif same != bar:
            where = f"/bars/{index}: {bar.symbol} {bar.timeframe} {bar.open_time.isoformat()}"
            raise Conflict(f"{where} contradicts the bar that is kept", slug="bar-conflict")
    return new
