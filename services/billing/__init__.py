"""Billing: which plan is a workspace on, and what may it do?

Owns plans, which belong to everybody, and subscriptions. Publishes SubscriptionStarted and EntitlementsChanged.
Consumes UserRegistered and WorkspaceCreated: a person's first workspace starts with a trial, the others with what is free.
Like every context, it answers DataExportRequested and UserErased.
"""
