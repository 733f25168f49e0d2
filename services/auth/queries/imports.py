"""What can be read before people are imported? Who is there from such a line already, and what others have taken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import or_, select

from libs.kit.db import Tx
from services.auth.model import ImportedPerson, User


@dataclass(frozen=True, slots=True)
class Taken:
    """Keys of addresses and user names that somebody has."""

    emails: frozenset[str]
    usernames: frozenset[str]


async def imported(tx: Tx, digests: Collection[bytes]) -> frozenset[bytes]:
    """Those of the lines that somebody was made from. Needs a worker's transaction."""
    found = await tx.scalars(select(ImportedPerson.line_digest).where(ImportedPerson.line_digest.in_(digests)))
    return frozenset(found)


async def taken(tx: Tx, email_keys: Collection[str], username_keys: Collection[str]) -> Taken:
    """Those of the keys that somebody has."""
    statement = select(User).where(or_(User.email_key.in_(email_keys), User.username_key.in_(username_keys)))
    people = await tx.scalars(statement)
    return Taken(
        frozenset(user.email_key for user in people),
        frozenset(user.username_key for user in people if user.username_key is not None),
    )
