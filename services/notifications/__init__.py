"""Notifications: what is each workspace told?

Owns notifications, in the order in which a workspace got them. Publishes NotificationDelivered. Consumes
UserRegistered, WorkspaceCreated, SignalGenerated, OrderFilled, OrderDenied and OrderExpired.
Like every context, it answers DataExportRequested and UserErased.
"""
