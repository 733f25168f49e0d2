"""Market data: which instruments there are, and what they traded at.

Owns instruments and bars, which belong to everybody. Publishes InstrumentListed, BarClosed and BarCorrected. Like every
context, it answers DataExportRequested and UserErased; it consumes nothing else.
"""
