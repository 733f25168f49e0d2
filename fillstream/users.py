"""How do people come in from a file? All lines are checked first, then each person is made in a transaction of their own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from libs.kit.db import Database, Tx
from libs.kit.errors import Conflict
from libs.kit.ids import uuid7
from services.auth.commands.imports import import_person
from services.auth.hashing import Cost
from services.auth.model import email_key, username_key
from services.auth.passwords import Passwords
from services.auth.queries import imports
from services.auth.user_files import Flaw, UserLine

Step = Callable[[int], None]
"""Told of how many more people were looked at."""
_CHECKED_AT_ONCE = 1_000
_MADE_AT_ONCE = 8


@dataclass
class Standing:
    """What the database says of good lines: who is yet to be made, how many are there already, and what is wrong."""

    lines: list[UserLine] = field(default_factory=list)
    before: int = 0
    flaws: list[Flaw] = field(default_factory=list)


async def compare(db: Database, lines: Sequence[UserLine]) -> Standing:
    """Find out which people are there already, from the same lines, and which would need what others have."""
    standing = Standing()
    for first in range(0, len(lines), _CHECKED_AT_ONCE):
        async with db.work() as tx:
            await _compare_some(tx, lines[first : first + _CHECKED_AT_ONCE], standing)
    return standing


async def _compare_some(tx: Tx, lines: Sequence[UserLine], standing: Standing) -> None:
    done = await imports.imported(tx, [line.person.digest for line in lines])
    emails = {line.number: email_key(line.person.email) for line in lines}
    names = {line.number: username_key(line.person.username) for line in lines if line.person.username is not None}
    taken = await imports.taken(tx, emails.values(), names.values())
    for line in lines:
        flaws = [
            ("email", emails[line.number] in taken.emails),
            ("username", names.get(line.number) in taken.usernames),
        ]
        reason = "; ".join(f"{name}: is taken" for name, is_taken in flaws if is_taken)
        if line.person.digest in done:
            standing.before += 1
        elif reason:
            standing.flaws.append(Flaw(line.number, reason))
        else:
            standing.lines.append(line)


async def make_people(db: Database, cost: Cost, lines: Sequence[UserLine], step: Step) -> list[Flaw]:
    """Make everybody, several at a time; gives those who met somebody who was quicker to take what they need."""
    waiting, flaws = iter(lines), list[Flaw]()
    nobodys_hash = await _nobodys_hash(cost)
    await asyncio.gather(*(_make_some(db, waiting, nobodys_hash, flaws, step) for _ in range(_MADE_AT_ONCE)))
    return flaws


async def _make_some(db: Database, lines: Iterator[UserLine], nobodys_hash: str, flaws: list[Flaw], step: Step) -> None:
    for line in lines:
        workspace_id = uuid7()
        try:
            async with db.transaction(workspace_id) as tx:
                await import_person(tx, line.person, line.person.password_hash or nobodys_hash, workspace_id)
        except Conflict as error:
            flaws.append(Flaw(line.number, error.detail))
        step(1)


async def _nobodys_hash(cost: Cost) -> str:
    """That of a password which nobody will ever know."""
    return await Passwords(1, 1, cost).hash(secrets.token_urlsafe(32))
