"""What happens when somebody may do less than before? No access token that says otherwise is taken any more, anywhere.

Needs a transaction of a handler, of the worker. It is exact, as far as the clocks of auth's replicas agree: it began after
the change was committed, and whoever read what was before had begun before that, and has an earlier time in their token. A
newer token that is refused as well is refreshed.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.model import Occurrence
from libs.schema.auth import AccessRevoked
from libs.schema.event import Cause
from services.auth.repository import support, workspaces


def end_in(tx: Tx, workspace_id: UUID, user_id: UUID, cause: Cause) -> None:
    """Let no token of a person for one workspace be taken; `cause` is the event that told what they lost there."""
    _end(tx, workspace_id, user_id, workspace_id, cause)


async def end_for_all(tx: Tx, workspace_id: UUID, cause: Cause) -> None:
    """Let nobody's token for a workspace be taken: it demands more of its members than before."""
    for user_id in await workspaces.member_ids(tx, workspace_id):
        _end(tx, workspace_id, user_id, workspace_id, cause)


def end_everywhere(tx: Tx, home_id: UUID, user_id: UUID, cause: Cause) -> None:
    """Let no token of a person be taken, nor of their programs, nor of grants that let them in; `cause` is as above."""
    _end(tx, home_id, user_id, None, cause)


async def end_visits(tx: Tx, causes: Mapping[UUID, Cause]) -> None:
    """Let no token be taken that one of these people got by a grant; `causes` are events that ended a login of theirs.

    A visit does not say in which login it began, so each ends them all. Whoever may still come by the grant comes again;
    their tokens for other workspaces, of a session that was spared, go on.
    """
    for user_id, workspace_id in await support.visits(tx, list(causes)):
        end_in(tx, workspace_id, user_id, causes[user_id])


def _end(tx: Tx, told_in: UUID, user_id: UUID, workspace_id: UUID | None, cause: Cause) -> None:
    over = AccessRevoked(
        occurred_at=tx.now, user_id=user_id, session_id=None, workspace_id=workspace_id, issued_before=tx.now
    )
    tx.publish(Occurrence(told_in), over, cause=cause)
