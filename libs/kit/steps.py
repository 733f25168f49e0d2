"""How does a task do things one by one? What can't be done is put off, and those behind it go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.kit.db import Database, Tx
from libs.kit.logging import logger
from libs.kit.metrics import STEPS_PUT_OFF
from libs.kit.outages import Away

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of work. Each part of it has a worker's transaction of its own."""

    name: str
    due: Callable[[Tx], Awaitable[UUID | None]]
    """Which thing is next; None when there is none. Takes no locks."""
    take: Callable[[Tx, UUID], Awaitable[None]]
    """Do it, if it is still due: afterwards it is not."""
    put_off: Callable[[Tx, UUID], Awaitable[None]]
    """Let it wait, if it is still due, the longer the more often it failed."""


async def take_steps(db: Database, steps: Sequence[Step]) -> None:
    """Take every step with all that is due. What fails is put off, whatever it raises: it is that thing which fails.

    Raises Away, after all the steps had their turn, when one of them met a server that does not answer.
    """
    outage: Away | None = None
    for step in steps:
        try:
            while await _take_one(db, step):
                pass
        except Away as error:
            outage = error
    if outage is not None:
        raise outage


async def _take_one(db: Database, step: Step) -> bool:
    """Take a step with the next thing; whether there was one."""
    async with db.work() as tx:
        which = await step.due(tx)
    if which is None:
        return False
    try:
        async with db.work() as tx:
            await step.take(tx, which)
    except Away:
        raise
    except Exception:
        # What is Fatal to one thing is not to the others.
        log.exception("step_put_off", context=db.schema, step=step.name, id=str(which))
        STEPS_PUT_OFF.labels(db.schema, step.name).inc()
        async with db.work() as tx:
            await step.put_off(tx, which)
    return True
