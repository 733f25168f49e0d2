"""What can be done about a dead letter? Handle it again or discard it; then those parked behind it, in their order.

Each record is handled in a transaction of its own: inbox row, effects and the letter's end are written together. The
key's lock is held meanwhile, so that the live consumer can't park one more unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.kit.codec import Undecodable, UnknownType
from libs.kit.db import Database, Tx
from libs.kit.dead_letters import DeadLetter, find_letter, lock_queue, note_failure, resolve
from libs.kit.errors import Conflict, FillstreamError, NotFound
from libs.kit.handlers import Handlers
from libs.kit.inbox import Inbox, read
from libs.kit.logging import logger
from libs.kit.outages import Away

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a key's dead letters."""

    handled: int
    """Records that have had their effect now, or had it before."""
    remaining: int
    """Records of the key that still wait."""
    error: str | None
    """Why it stopped, or None when the key is free."""


class StillDead(FillstreamError):
    """The record can't be read or nobody handles it; the text says which."""


async def retry(db: Database, handlers: Handlers, letter_id: UUID) -> Outcome:
    """Handle the letter's key from its oldest record on, and stop at the first that fails again.

    Raises NotFound for an unknown letter, and Conflict for one that is resolved.
    """
    async with db.work() as tx:
        letter, _ = await _open(tx, letter_id)
    return await _release(Inbox(db, handlers), letter)


async def discard(db: Database, handlers: Handlers, letter_id: UUID) -> Outcome:
    """Give a dead record up for good, and handle those parked behind it. Delivered again, it will have no effect.

    Raises NotFound for an unknown letter, and Conflict for one that is resolved or only waits behind another.
    """
    inbox = Inbox(db, handlers)
    async with db.work() as tx:
        letter, queue = await _open(tx, letter_id)
        if letter.state != "dead":
            raise Conflict(f"{letter_id} waits behind the dead letter {queue[0].id}", slug="parked")
        content = read(letter).content
        if not isinstance(content, Undecodable | UnknownType):
            await inbox.pass_over(tx, content)
        await resolve(tx, letter.id, "discarded")
    return await _release(inbox, letter)


async def _open(tx: Tx, letter_id: UUID) -> tuple[DeadLetter, list[DeadLetter]]:
    """The letter and the queue of its key, locked."""
    letter = await find_letter(tx, letter_id)
    if letter is None:
        raise NotFound("dead letter", letter_id)
    queue = await lock_queue(tx, letter)
    still = next((waiting for waiting in queue if waiting.id == letter_id), None)
    if still is None:
        raise Conflict(f"{letter_id} is resolved already", slug="resolved")
    return still, queue


async def _release(inbox: Inbox, letter: DeadLetter) -> Outcome:
    """Handle the key's records until none is left or one fails."""
    handled = 0
    while True:
        try:
            if not await _handle_first(inbox, letter):
                return Outcome(handled, 0, None)
        except Away:
            raise
        except Exception as error:  # noqa: BLE001 the edge: whatever a handler raises is noted on the letter
            reason = f"{type(error).__name__}: {error}"
            log.warning("retry_failed", context=inbox.db.schema, letter=str(letter.id), error=reason)
            return Outcome(handled, await _record_failure(inbox.db, letter, reason), reason)
        handled += 1


async def _handle_first(inbox: Inbox, letter: DeadLetter) -> bool:
    """Handle the oldest record of the key; False when there is none."""
    async with inbox.db.work() as tx:
        queue = await lock_queue(tx, letter)
        if not queue:
            return False
        content = read(queue[0]).content
        if isinstance(content, Undecodable):
            raise StillDead(content.reason)
        if isinstance(content, UnknownType) or not inbox.handles(content):
            raise StillDead("nobody handles this type of event; it can be discarded")
        await inbox.take_again(tx, content)
        await resolve(tx, queue[0].id, "retried")
    return True


async def _record_failure(db: Database, letter: DeadLetter, reason: str) -> int:
    """Note it on the oldest record, which stays or becomes the dead one; gives how many wait."""
    async with db.work() as tx:
        queue = await lock_queue(tx, letter)
        if queue:
            await note_failure(tx, queue[0].id, reason)
    return len(queue)
