"""Portfolio: what is each account worth, and why?

Owns the double-entry ledger, positions, cash, marks and the equity history. Publishes PositionChanged and
PortfolioValued. Consumes AccountOpened, OrderFilled, BarClosed and BarCorrected.
Like every context, it answers DataExportRequested and UserErased.
"""
