"""What is the rule? A strategy follows its instrument bar by bar, from the first bar that closes after its creation.

While it is paused it sees no bars: its indicators and its stance stay as they are, and it goes on from the next bar
after it is resumed, as if the bars between had never been. History that is imported warms its indicators up, and decides
nothing: it is for a strategy that has not seen newer bars yet. Neither pausing nor deleting closes what it holds.
"""

from services.signals.model.backtest import Backtest, BarRow, Instrument
from services.signals.model.metadata import Base
from services.signals.model.signal import ClosedBar, LiveStrategy, Signal
from services.signals.model.strategy import Entitlements, Strategy, StrategyDraft, ToldEntitlements

__all__ = [
    "Backtest",
    "BarRow",
    "Base",
    "ClosedBar",
    "Entitlements",
    "Instrument",
    "LiveStrategy",
    "Signal",
    "Strategy",
    "StrategyDraft",
    "ToldEntitlements",
]
