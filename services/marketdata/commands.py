"""What happens? Instruments are listed, bars are recorded, and corrected when they were wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.kit.db import Tx
from libs.kit.errors import Conflict, Invalid, NotFound
from libs.schema.marketdata import BarClosed
from services.marketdata import repository
from services.marketdata.model import AssetClass, Bar, BarConflict, Instrument, Series, UnfinishedBar

SKEW = timedelta(seconds=5)
"""How far a feed's clock may run ahead of ours: no bar is over sooner than it closes."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch of bars."""

    accepted: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Correction:
    """A bar as it was kept, and as it is right."""

    previous: Bar
    bar: Bar

    @property
    def changes(self) -> bool:
        """Whether the two differ."""
        return self.previous != self.bar


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


async def record_bars(tx: Tx, bars: Sequence[Bar], skew: timedelta = SKEW) -> Recorded:
    """Keep closed bars and tell of the new ones in the order of their times.

    A bar that is known already, equal in every figure, counts as a duplicate. Raises Invalid for an instrument that is
    not listed, UnfinishedBar for a bar that closes more than `skew` after the transaction's time, and BarConflict for
    one that contradicts a known one; then nothing of the batch is kept.
    """
    return await _record(tx, bars, skew, Series.close)


async def backfill_bars(tx: Tx, bars: Sequence[Bar]) -> Recorded:
    """Keep bars as history, which nobody trades, decides or values anything on. Raises as `record_bars`."""
    return await _record(tx, bars, SKEW, Series.backfill)


async def _record(
    tx: Tx, bars: Sequence[Bar], skew: timedelta, tell: Callable[[Series, Bar], list[BarClosed]]
) -> Recorded:
    if not bars:
        return Recorded(0, 0)
    _check_over(bars, tx.now + skew)
    await _check_listed(tx, bars)
    series = await repository.lock_series(tx, {(bar.symbol, bar.timeframe) for bar in bars})
    new = _without_known(bars, await repository.find_bars(tx, bars))
    if new:
        await repository.insert_bars(tx, new, series)
    for bar in sorted(new, key=lambda bar: bar.open_time):
        owner = series[bar.symbol, bar.timeframe]
        tx.publish(owner, *tell(owner, bar))
    return Recorded(len(new), len(bars) - len(new))


async def correct_bars(tx: Tx, bars: Sequence[Bar]) -> list[Correction]:
    """Replace the figures of bars that are kept, and tell of those that changed in the order of their times.

    A bar that is right already stays untouched. Raises NotFound for one that is not kept; then nothing is corrected.
    """
    if not bars:
        return []
    # Only what is there has a series to lock.
    _corrections(bars, await repository.find_bars(tx, bars))
    series = await repository.lock_series(tx, {(bar.symbol, bar.timeframe) for bar in bars})
    # Again, behind the lock: another correction may have come first.
    corrections = _corrections(bars, await repository.find_bars(tx, bars))
    changed = [one for one in corrections if one.changes]
    if changed:
        await repository.update_bars(tx, [one.bar for one in changed])
    for one in sorted(changed, key=lambda one: one.bar.open_time):
        owner = series[one.bar.symbol, one.bar.timeframe]
        tx.publish(owner, *owner.correct(one.previous, one.bar))
    return corrections


async def backfill_or_correct_bars(tx: Tx, bars: Sequence[Bar]) -> None:
    """Keep the bars that are new as history, and correct those that are kept with other figures. Raises as both do."""
    kept = await repository.find_bars(tx, bars)
    wrong = [bar for bar in bars if kept.get(bar.key, bar) != bar]
    await correct_bars(tx, wrong)
    await backfill_bars(tx, [bar for bar in bars if kept.get(bar.key, bar) == bar])


def _check_over(bars: Sequence[Bar], by: datetime) -> None:
    for index, bar in enumerate(bars):
        if bar.close_time > by:
            raise UnfinishedBar(index, bar)


async def _check_listed(tx: Tx, bars: Sequence[Bar]) -> None:
    known = await repository.listed_currencies(tx, {bar.symbol for bar in bars})
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
            raise BarConflict(index, bar, same)
    return new


def _corrections(bars: Sequence[Bar], kept: Mapping[repository.BarKey, Bar]) -> list[Correction]:
    for bar in bars:
        if bar.key not in kept:
            raise NotFound("bar", str(bar))
    return [Correction(kept[bar.key], bar) for bar in bars]
