"""What does a context answer when auth asks for all that it holds about somebody, or says that they are gone?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from libs.kit.crypto import data_keys
from libs.kit.crypto.keyring import Keyring
from libs.kit.db import Tx
from libs.kit.dead_letters import forget_resolved
from libs.kit.handlers import Handler, Handlers
from libs.kit.model import Occurrence
from libs.kit.personal_data import rows
from libs.kit.personal_data.erased import remember, take_turns
from libs.kit.personal_data.holdings import Erased, Holdings, Kept, Subject
from libs.kit.personal_data.parcels import PART_BYTES, Label
from libs.kit.settings import Settings
from libs.schema.event import Cause, Envelope
from libs.schema.privacy import (
    DataExportAnswered,
    DataExportPart,
    DataExportRequested,
    HeldRows,
    KeptRows,
    PersonalDataErased,
    UserErased,
)

_MONTH = timedelta(days=31)
_DATA_KEYS = "data_key"

First = Callable[[Tx, Subject, Cause], Awaitable[None]]
"""What a context does before it erases anything of somebody's."""


def subject_of(event: DataExportRequested | UserErased) -> Subject:
    """Whom an event is about."""
    return Subject(event.user_id, event.workspace_ids)


def answers(holdings: Holdings, settings: Settings, first: First | None = None) -> Handlers:
    """The handlers of a context that keeps nothing sealed: it tells what it holds, and erases it."""

    async def tell(tx: Tx, asked: Sequence[Envelope[DataExportRequested]]) -> None:
        for one in asked:
            await tell_holdings(tx, holdings, one.event, {}, one.follow())

    async def erase(tx: Tx, told: Sequence[Envelope[UserErased]]) -> None:
        for one in told:
            if first is not None:
                await first(tx, subject_of(one.event), one.follow())
            await erase_holdings(tx, holdings, one.event, retention(settings), one.follow())

    return (Handler(DataExportRequested, tell), Handler(UserErased, erase, (take_turns,)))


def retention(settings: Settings) -> timedelta:
    """How long messages are kept at most: partitions are a month long, and are dropped whole."""
    return timedelta(days=settings.event_retention_days) + _MONTH


@dataclass(eq=False)
class _Parts:
    """Parts of one context's answer, told as they are full."""

    tx: Tx
    asked: DataExportRequested
    context: str
    cause: Cause
    told: int = 0

    def tell(self, table: str, plain: bytes) -> None:
        self.told += 1
        label = Label(self.asked.export_id, self.context, self.told, table)
        part = DataExportPart(
            occurred_at=self.tx.now,
            export_id=label.export_id,
            context=label.context,
            number=label.number,
            table=label.table,
            sealed=label.seal(plain, self.asked.public_key),
        )
        self.tx.publish(Occurrence(self.asked.workspace_id), part, cause=self.cause)


async def tell_holdings(
    tx: Tx, holdings: Holdings, asked: DataExportRequested, keyrings: Mapping[UUID, Keyring], cause: Cause
) -> None:
    """Tell all that a context holds about somebody, in parts, and then how many parts that were.

    Needs a worker's transaction, and keyrings of the workspaces where something is sealed.
    """
    parts = _Parts(tx, asked, holdings.context, cause)
    held: list[HeldRows] = []
    for table, holding in holdings.personal():
        counted, waiting = 0, bytearray()
        async for some in rows.lines(tx, table, holding, subject_of(asked), keyrings):
            counted += some.rows
            waiting += some.text
            while len(waiting) >= PART_BYTES:
                parts.tell(table.name, bytes(waiting[:PART_BYTES]))
                del waiting[:PART_BYTES]
        if waiting:
            parts.tell(table.name, bytes(waiting))
        held.append(HeldRows(table=table.name, rows=counted))
    answered = DataExportAnswered(
        occurred_at=tx.now, export_id=asked.export_id, context=holdings.context, parts=parts.told, tables=tuple(held)
    )
    tx.publish(Occurrence(asked.workspace_id), answered, cause=cause)


async def erase_holdings(tx: Tx, holdings: Holdings, told: UserErased, messages: timedelta, cause: Cause) -> None:
    """Erase what a context holds about somebody, and tell what is gone and what is kept. Call `erase_alone` first.

    `messages` is how long messages are kept. Needs a worker's transaction.
    """
    subject, today = subject_of(told), tx.now.date()
    await remember(tx, subject.workspace_ids, told.erasure_id)
    kept = [*await _keep(tx, holdings, subject, today), *_logged(holdings, today + messages)]
    erased = await _erase(tx, holdings, subject)
    await forget_resolved(tx, subject.workspace_ids)
    event = PersonalDataErased(
        occurred_at=tx.now,
        erasure_id=told.erasure_id,
        context=holdings.context,
        erased=tuple(erased),
        kept=tuple(kept),
    )
    tx.publish(Occurrence(told.workspace_id), event, cause=cause)


async def _keep(tx: Tx, holdings: Holdings, subject: Subject, today: date) -> list[KeptRows]:
    """What stays, without its owner's words; before anything is deleted, so that whoever holds its rows ends first."""
    kept = []
    for table, holding in holdings.personal():
        if isinstance(holding, Kept):
            if holding.blanked:
                await rows.blank(tx, table, holding, subject)
            counted = await rows.count(tx, table, holding, subject)
            ground, until = holding.ground.law, today + holding.ground.kept_for
            kept.append(KeptRows(table=table.name, rows=counted, ground=ground, until=until))
    return kept


def _logged(holdings: Holdings, until: date) -> list[KeptRows]:
    """What is only dropped whole: there may be rows of somebody's, which nobody counts."""
    return [KeptRows(table=table.name, rows=None, ground=one.law, until=until) for table, one in holdings.logged()]


async def _erase(tx: Tx, holdings: Holdings, subject: Subject) -> list[HeldRows]:
    """Delete what goes, whatever refers to others before those."""
    erased = []
    for table, holding in reversed(list(holdings.personal())):
        if isinstance(holding, Kept):
            continue
        if table.name == _DATA_KEYS:
            for tenant_id in subject.workspace_ids:
                await data_keys.lock_keys(tx, tenant_id)
        act = rows.delete if isinstance(holding, Erased) else rows.count
        erased.append(HeldRows(table=table.name, rows=await act(tx, table, holding, subject)))
    return erased
