"""What may go wrong with a run? At least one corruption for every invariant."""

from __future__ import annotations

from tests.proof.plants import aggregates, audit, delivery, effects, erasures, ledger, orders, rest, roles, tenancy

PLANTS = (
    *delivery.PLANTS,
    *effects.PLANTS,
    *aggregates.PLANTS,
    *orders.PLANTS,
    *ledger.PLANTS,
    *tenancy.PLANTS,
    *roles.PLANTS,
    *audit.PLANTS,
    *erasures.PLANTS,
    *rest.PLANTS,
)
