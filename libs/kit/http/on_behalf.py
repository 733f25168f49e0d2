"""What do guests ask for? Whoever acts in somebody else's place leaves a trace of every request, whatever comes of it."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from fastapi import Request

from libs.kit.acts import Act, Actor, Target, tell_act
from libs.kit.db import Database
from libs.kit.http.observe import current_cause
from libs.kit.http.paths import path_of

_LONGEST_TARGET = 300


async def tell_request(request: Request, tenant_id: UUID, actor: Actor) -> None:
    """Let the workspace's trail hear of a request before it is looked at; one that can't be told is not answered."""
    db: Database = request.app.state.db
    # Escaped, so that nobody's path holds what a trail does not take.
    asked = f"{request.method} {quote(path_of(request.scope), safe='/%')}"[:_LONGEST_TARGET]
    async with db.transaction(tenant_id, await current_cause(request)) as tx:
        tell_act(tx, tenant_id, Act("request.made", actor, Target("route", asked)))
