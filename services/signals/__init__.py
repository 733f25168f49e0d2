"""Signals owns strategies, the signals that they give, and backtests; it keeps a copy of the bars that it has seen.

Consumes InstrumentListed, BarClosed and BarCorrected (marketdata) and EntitlementsChanged (billing).
Publishes StrategyChanged, SignalGenerated and BacktestCompleted.
Like every context, it answers DataExportRequested and UserErased.
"""
