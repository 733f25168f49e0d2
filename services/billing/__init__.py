"""Billing: which plan is a workspace on, and what may it do?

Owns plans, which belong to everybody, and subscriptions. Publishes SubscriptionStarted and EntitlementsChanged.
Consumes UserRegistered: a new workspace starts with a trial.
Like every context, it answers DataExportRequested and UserErased.
"""
