"""What is the SQL of second factors? All that a person has set up, in their home; locked where it is used up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.model import KeptRecoveryCode, Membership, Passkey, Totp, Workspace
from services.auth.repository.users import ask_as


async def lock_confirmed(tx: Tx, user_id: UUID) -> Totp | None:
    """The application that the person's codes come from, locked until the transaction ends."""
    return await tx.scalar(
        select(Totp).where(Totp.user_id == user_id, Totp.confirmed_at.is_not(None)).with_for_update()
    )


async def lock_waiting(tx: Tx, user_id: UUID) -> Totp | None:
    """The application that the person has not confirmed yet, locked until the transaction ends."""
    return await tx.scalar(select(Totp).where(Totp.user_id == user_id, Totp.confirmed_at.is_(None)).with_for_update())


async def delete_confirmed(tx: Tx, user_id: UUID) -> bool:
    """Let the person's codes count no more; whether they did."""
    return await _delete_totp(tx, user_id, Totp.confirmed_at.is_not(None))


async def delete_waiting(tx: Tx, user_id: UUID) -> None:
    """Forget an application that was never confirmed."""
    await _delete_totp(tx, user_id, Totp.confirmed_at.is_(None))


async def _delete_totp(tx: Tx, user_id: UUID, which: ColumnElement[bool]) -> bool:
    gone = delete(Totp).where(Totp.user_id == user_id, which).returning(Totp.id)
    return (await tx.execute(gone)).first() is not None


@dataclass(frozen=True, slots=True)
class Kinds:
    """Whether a person has any of each kind that counts."""

    totp: bool
    passkey: bool
    recovery_code: bool


async def kinds(tx: Tx, user_id: UUID) -> Kinds:
    """What the person could show."""
    confirmed = select(Totp.id).where(Totp.user_id == user_id, Totp.confirmed_at.is_not(None))
    registered = select(Passkey.id).where(Passkey.user_id == user_id)
    unused = select(KeptRecoveryCode.id).where(KeptRecoveryCode.user_id == user_id, KeptRecoveryCode.used_at.is_(None))
    found = await tx.row(select(confirmed.exists(), registered.exists(), unused.exists()))
    return Kinds(*found) if found else Kinds(totp=False, passkey=False, recovery_code=False)


async def passkeys(tx: Tx, user_id: UUID) -> Sequence[Passkey]:
    """The person's passkeys, the oldest first."""
    return await tx.scalars(select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id))


async def lock_passkey(tx: Tx, user_id: UUID, passkey_id: UUID) -> Passkey:
    """One of the person's passkeys, locked until the transaction ends. Raises NotFound."""
    found = select(Passkey).where(Passkey.user_id == user_id, Passkey.id == passkey_id)
    passkey = await tx.scalar(found.with_for_update())
    if passkey is None:
        raise NotFound("passkey", passkey_id)
    return passkey


async def lock_by_credential(tx: Tx, user_id: UUID, credential_id: bytes) -> Passkey | None:
    """The person's passkey that has this credential id, locked until the transaction ends."""
    found = select(Passkey).where(Passkey.user_id == user_id, Passkey.credential_id == credential_id)
    return await tx.scalar(found.with_for_update())


async def insert_passkey(tx: Tx, passkey: Passkey) -> bool:
    """Keep a new passkey; False when it is somebody's already."""
    columns = (column.key for column in Passkey.__table__.columns)
    values = {name: getattr(passkey, name) for name in columns}
    statement = insert(Passkey).values(values).on_conflict_do_nothing().returning(Passkey.id)
    return await tx.scalar(statement) is not None


async def lock_recovery_codes(tx: Tx, user_id: UUID) -> Sequence[KeptRecoveryCode]:
    """The person's codes that were not used, locked until the transaction ends."""
    unused = select(KeptRecoveryCode).where(KeptRecoveryCode.user_id == user_id, KeptRecoveryCode.used_at.is_(None))
    return await tx.scalars(unused.order_by(KeptRecoveryCode.id).with_for_update())


async def count_recovery_codes(tx: Tx, user_id: UUID) -> int:
    """How many codes the person has that were not used."""
    unused = select(func.count()).where(KeptRecoveryCode.user_id == user_id, KeptRecoveryCode.used_at.is_(None))
    return await tx.scalar(unused) or 0


async def delete_all(tx: Tx, user_id: UUID) -> None:
    """Forget every second factor of the person, and what stands in for one."""
    for kind in (Totp, Passkey, KeptRecoveryCode):
        await tx.execute(delete(kind).where(kind.user_id == user_id))


async def delete_recovery_codes(tx: Tx, user_id: UUID) -> None:
    """Let none of the person's recovery codes work any more."""
    await tx.execute(delete(KeptRecoveryCode).where(KeptRecoveryCode.user_id == user_id))


async def is_demanded_anywhere(tx: Tx, user_id: UUID) -> bool:
    """Whether any workspace demands a second factor of this member."""
    await ask_as(tx, user_id)
    found = await tx.scalar(
        select(Workspace.id)
        .join(Membership, Membership.tenant_id == Workspace.id)
        .where(Membership.user_id == user_id, Workspace.second_factor_required)
        .limit(1)
    )
    return found is not None
