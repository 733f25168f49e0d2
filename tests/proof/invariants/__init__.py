"""What must be true of an installation at rest? Read from databases and topics alone, not by the program's own code."""

from __future__ import annotations

from collections.abc import Sequence

from libs.kit.settings import Settings
from tests.proof.invariants import (
    aggregates,
    audit,
    delivery,
    effects,
    erasures,
    history,
    ledger,
    orders,
    reservations,
    rest,
    roles,
    tenancy,
)
from tests.proof.invariants.evidence import gather
from tests.proof.invariants.rest import unready
from tests.proof.invariants.violation import Invariant, Violation

__all__ = ["INVARIANTS", "Violation", "check", "unready"]

INVARIANTS: Sequence[Invariant] = (
    *delivery.INVARIANTS,
    *effects.INVARIANTS,
    *aggregates.INVARIANTS,
    *orders.INVARIANTS,
    *ledger.INVARIANTS,
    *reservations.INVARIANTS,
    *history.INVARIANTS,
    *tenancy.INVARIANTS,
    *roles.INVARIANTS,
    *audit.INVARIANTS,
    *erasures.INVARIANTS,
    *rest.INVARIANTS,
)


async def check(settings: Settings) -> list[Violation]:
    """Whatever contradicts an invariant. The load must have stopped, and nothing may be in flight."""
    async with gather(settings) as evidence:
        return [violation for invariant in INVARIANTS for violation in await invariant.violations(evidence)]
