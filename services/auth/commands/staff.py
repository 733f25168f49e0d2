"""What happens by an operator's hand? Users are raised."""

from __future__ import annotations

from libs.kit.acts import SYSTEM, Act, Target, tell_act
from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.model import PlatformRole, User
from services.auth.repository import users


async def grant_admin(tx: Tx, email: str) -> User:
    """Let a user write what belongs to every workspace, from their next token on. Raises NotFound."""
    user = await users.find_user(tx, email)
    if user is None:
        raise NotFound("user", email)
    user.platform_role = PlatformRole.ADMIN
    raised = Act("role.granted", SYSTEM, Target("user", user.id), reason=PlatformRole.ADMIN)
    tell_act(tx, user.default_workspace_id, raised)
    return user
