"""Orders: what a workspace asked to trade, and what became of it.

Owns accounts, orders, fills and the paper venue that fills them. Publishes AccountOpened, OrderAccepted, OrderDenied,
OrderFilled, OrderCancelled and OrderExpired. Consumes InstrumentListed, BarClosed, BarCorrected, SignalGenerated,
EntitlementsChanged and RiskSettingsChanged, which no order is held to yet.
Like every context, it answers DataExportRequested and UserErased.
"""
