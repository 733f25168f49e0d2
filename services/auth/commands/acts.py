"""What goes into the audit trail? What people do with their accounts, in the trail of their home."""

from __future__ import annotations

from uuid import UUID

from libs.kit.acts import Act, Actor, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.schema.audit import ActorKind, ActResult
from services.auth.model import Session, User


def tell_of_user(
    tx: Tx,
    name: str,
    user: User,
    origin: Origin,
    reason: str | None = None,
    result: ActResult = ActResult.SUCCEEDED,
) -> None:
    """A person did something to their own account, or tried to."""
    tell_of_account(tx, name, user, Actor(ActorKind.USER, user.id, origin=origin), reason, result)


def tell_of_account(
    tx: Tx, name: str, user: User, by: Actor, reason: str | None = None, result: ActResult = ActResult.SUCCEEDED
) -> None:
    """Somebody did something to a person's account, or tried to."""
    tell_act(tx, user.default_workspace_id, Act(name, by, Target("user", user.id), result, reason))


def tell_of_refused(tx: Tx, name: str, user: User, origin: Origin, reason: str) -> None:
    """Somebody with a person's token tried what only the person may do to their account."""
    actor = Actor(ActorKind.USER, user.id, origin=origin)
    refused = Act(name, actor, Target("user", user.id), ActResult.REFUSED, reason)
    tell_act(tx, user.default_workspace_id, refused)


def tell_of_session(tx: Tx, name: str, session: Session, origin: Origin, reason: str | None = None) -> None:
    """A person did something to one of their sessions."""
    actor = Actor(ActorKind.USER, session.user_id, origin=origin)
    tell_act(tx, session.tenant_id, Act(name, actor, Target("session", session.id), reason=reason))


def tell_of_theft(tx: Tx, session: Session, origin: Origin) -> None:
    """A refresh token came a second time. Nobody knows whether its owner or the thief is here."""
    actor, reason = Actor(ActorKind.USER, origin=origin), "a refresh token came a second time"
    tell_act(
        tx, session.tenant_id, Act("session.revoked", actor, Target("session", session.id), ActResult.SUCCEEDED, reason)
    )


def tell_of_download(tx: Tx, home_id: UUID, user_id: UUID, export_id: UUID, origin: Origin) -> None:
    """A person took all that is held about them."""
    actor = Actor(ActorKind.USER, user_id, origin=origin)
    tell_act(tx, home_id, Act("data_export.downloaded", actor, Target("data_export", export_id)))


def tell_of_refusal(tx: Tx, home_id: UUID | None, user_id: UUID | None, origin: Origin, reason: str) -> None:
    """A login failed: in the person's trail, or the installation's when nobody has the address.

    Not the address: what is in a trail stays there, and it may be somebody's password.
    """
    actor, target = Actor(ActorKind.USER, origin=origin), Target("user", user_id or "unknown")
    tell_act(tx, home_id, Act("session.opened", actor, target, ActResult.REFUSED, reason))
