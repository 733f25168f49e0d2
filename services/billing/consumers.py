"""Who asked over the bus? Auth: whoever registers gets a trial, more workspaces are free, and whoever goes is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from libs.kit.db import Tx
from libs.kit.handlers import Handlers, on
from libs.kit.personal_data.answers import answers
from libs.kit.personal_data.erased import unless_erased
from libs.schema.auth import UserRegistered
from libs.schema.event import Envelope
from libs.schema.workspaces import WorkspaceCreated
from services.billing import commands
from services.billing.commands import NewWorkspace
from services.billing.personal_data import HOLDINGS
from services.billing.settings import Settings


@on(WorkspaceCreated)
async def start_free(tx: Tx, envelopes: Sequence[Envelope[WorkspaceCreated]]) -> None:
    """One more workspace of somebody's starts without a trial."""
    made = [NewWorkspace(e.event.workspace_id, e.event.occurred_at, e.follow()) for e in envelopes]
    await commands.start_free(tx, made)


def handlers(settings: Settings) -> Handlers:
    """What this context listens to."""

    @on(UserRegistered)
    async def start_trials(tx: Tx, envelopes: Sequence[Envelope[UserRegistered]]) -> None:
        """A new workspace starts with a trial."""
        made = [NewWorkspace(e.event.workspace_id, e.event.occurred_at, e.follow()) for e in envelopes]
        await commands.start_trials(tx, made, timedelta(days=settings.billing_trial_days))

    return (*unless_erased(start_trials, start_free), *answers(HOLDINGS, settings))
