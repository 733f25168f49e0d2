"""What is the SQL of erasures? The person's own is locked behind them; those that are due are found without locks."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from libs.schema.privacy import PersonalDataErased
from services.auth.model import Erasure, ErasureAnswer, ErasureState, User
from services.auth.model.login import account_subject, codes_subject

_OPEN = (ErasureState.WAITING, ErasureState.CLOSED, ErasureState.ERASED)


_GOING = (ErasureState.CLOSED, ErasureState.ERASED, ErasureState.CERTIFIED)


async def is_going(tx: Tx, user_id: UUID) -> bool:
    """Whether a person is being erased, or was: no cancelling helps any more. `tx` is of their home, or a worker's."""
    found = select(Erasure.id).where(Erasure.user_id == user_id, Erasure.state.in_(_GOING)).limit(1)
    return await tx.scalar(found) is not None


async def lock_open(tx: Tx, user_id: UUID) -> Erasure | None:
    """The person's erasure that is under way, locked until the transaction ends; the person's row is locked."""
    return await tx.scalar(
        select(Erasure).where(Erasure.user_id == user_id, Erasure.state.in_(_OPEN)).with_for_update()
    )


async def due(tx: Tx, state: ErasureState) -> UUID | None:
    """An erasure that is in a state, and due for the next step. Needs a worker's transaction."""
    return await tx.scalar(
        select(Erasure.id)
        .where(Erasure.state == state, Erasure.next_at <= tx.now)
        .order_by(Erasure.next_at, Erasure.id)
        .limit(1)
    )


async def answered_by_all(tx: Tx) -> UUID | None:
    """An erasure that every context has answered, and that is due. Needs a worker's transaction."""
    rows = await tx.fetch(
        """
        SELECT e.id FROM auth.erasure e WHERE e.state = 'ERASED' AND e.next_at <= $1
        AND NOT EXISTS (
            SELECT FROM jsonb_array_elements_text(e.holders) AS holder
            WHERE NOT EXISTS (SELECT FROM auth.erasure_answer a WHERE a.erasure_id = e.id AND a.context = holder))
        ORDER BY e.next_at, e.id LIMIT 1
        """,
        tx.now,
    )
    return rows[0][0] if rows else None


async def person_of(tx: Tx, erasure_id: UUID) -> UUID:
    """Who wants to be erased. People are locked before their erasures. Raises NotFound."""
    user_id = await tx.scalar(select(Erasure.user_id).where(Erasure.id == erasure_id))
    if user_id is None:
        raise NotFound("erasure", erasure_id)
    return user_id


async def lock(tx: Tx, erasure_id: UUID) -> Erasure:
    """An erasure, locked until the transaction ends. Raises NotFound."""
    erasure = await tx.scalar(select(Erasure).where(Erasure.id == erasure_id).with_for_update())
    if erasure is None:
        raise NotFound("erasure", erasure_id)
    return erasure


async def insert_answer(tx: Tx, told: PersonalDataErased) -> None:
    """Keep what a context said first; nothing, of an erasure that nobody knows."""
    tenant_id = await tx.scalar(select(Erasure.tenant_id).where(Erasure.id == told.erasure_id))
    if tenant_id is None:
        return
    said = told.model_dump(mode="json")
    await tx.execute(
        insert(ErasureAnswer)
        .values(
            erasure_id=told.erasure_id,
            context=told.context,
            tenant_id=tenant_id,
            erased=said["erased"],
            kept=said["kept"],
        )
        .on_conflict_do_nothing()
    )


async def answers(tx: Tx, erasure_id: UUID) -> Sequence[ErasureAnswer]:
    """What the contexts said, in the order of their names."""
    return await tx.scalars(
        select(ErasureAnswer).where(ErasureAnswer.erasure_id == erasure_id).order_by(ErasureAnswer.context)
    )


async def workspaces_alone(tx: Tx, user_id: UUID, home_id: UUID) -> tuple[UUID, ...]:
    """The workspaces that a person owns and nobody else is in, the home first. Needs a worker's transaction."""
    rows = await tx.fetch(
        """
        SELECT id FROM auth.workspace w WHERE owner_id = $1 AND id <> $2
        AND NOT EXISTS (SELECT FROM auth.membership m WHERE m.tenant_id = w.id AND m.user_id <> $1) ORDER BY id
        """,
        user_id,
        home_id,
    )
    return (home_id, *(row[0] for row in rows))


async def lock_owned(tx: Tx, user_id: UUID, home_id: UUID) -> tuple[UUID, ...]:
    """The workspaces that a person owns, the home first, locked. Needs a worker's transaction."""
    rows = await tx.fetch(
        "SELECT id FROM auth.workspace WHERE owner_id = $1 ORDER BY id <> $2, id FOR UPDATE", user_id, home_id
    )
    return (home_id, *(row[0] for row in rows if row[0] != home_id))


async def any_shared(tx: Tx, user_id: UUID, workspace_ids: Sequence[UUID]) -> bool:
    """Whether anybody else is a member of one of these workspaces. Needs a worker's transaction."""
    rows = await tx.fetch(
        "SELECT EXISTS (SELECT FROM auth.membership WHERE tenant_id = ANY($2::uuid[]) AND user_id <> $1)",
        user_id,
        list(workspace_ids),
    )
    return bool(rows[0][0])


async def forget_by_address(tx: Tx, user: User) -> None:
    """Delete what names a person by their address alone. Needs a worker's transaction."""
    subjects = [account_subject(user.email_key), codes_subject(user.id)]
    await tx.fetch("DELETE FROM auth.login_guard WHERE subject = ANY($1::bytea[])", subjects)
    await tx.fetch("DELETE FROM auth.invitation WHERE email_key = $1", user.email_key)
