"""A task does all that it can: neither what fails nor a server that is away keeps it from the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from libs.kit.db import Database, Tx
from libs.kit.errors import Fatal
from libs.kit.ids import uuid7
from libs.kit.outages import DatabaseAway
from libs.kit.steps import Step, take_steps


@dataclass
class Chores:
    """Things to do in their order, and what happens when one is done."""

    waiting: list[UUID] = field(default_factory=lambda: [uuid7() for _ in range(3)])
    does: Callable[[UUID], None] = lambda _which: None
    done: list[UUID] = field(default_factory=list)
    later: list[UUID] = field(default_factory=list)

    async def _due(self, _tx: Tx) -> UUID | None:
        return self.waiting[0] if self.waiting else None

    async def _take(self, _tx: Tx, which: UUID) -> None:
        self.does(which)
        self.waiting.remove(which)
        self.done.append(which)

    async def _put_off(self, _tx: Tx, which: UUID) -> None:
        self.waiting.remove(which)
        self.later.append(which)

    @property
    def step(self) -> Step:
        return Step("chores", self._due, self._take, self._put_off)


def put_off() -> float:
    labels = {"context": "probe", "step": "chores"}
    return REGISTRY.get_sample_value("fillstream_steps_put_off_total", labels) or 0.0


@pytest.mark.parametrize("error", [ValueError, Fatal])
async def test_what_fails_is_put_off_and_counted_and_the_rest_is_done(db: Database, error: type[Exception]) -> None:
    chores, before = Chores(), put_off()
    first, *others = chores.waiting

    def fail(which: UUID) -> None:
        if which == first:
            raise error

    chores.does = fail
    await take_steps(db, [chores.step])

    assert (chores.done, chores.later) == (others, [first])
    assert put_off() == before + 1


async def test_a_server_that_is_away_keeps_no_other_step_from_its_turn_and_puts_nothing_off(db: Database) -> None:
    def fail(_which: UUID) -> None:
        raise DatabaseAway("elsewhere")

    stuck, free = Chores(does=fail), Chores()
    with pytest.raises(DatabaseAway):
        await take_steps(db, [stuck.step, free.step])

    assert (len(stuck.waiting), stuck.later) == (3, [])
    assert len(free.done) == 3
