"""How does a context tell who did what? As an event of the transaction that did it, in a stream that nobody locks.

    tell_act(tx, workspace_id, Act("session.opened", actor, Target("session", session_id)))

An act is about one aggregate, or about none that there is, such as a login with an unknown address. So that telling it
never waits for another's lock, it is a stream of its own with a single event; the trail gives acts their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.model import Occurrence
from libs.schema.audit import INSTALLATION, ActorKind, ActResult, SecurityActed
from libs.schema.event import Cause


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from."""

    address: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, in whose place, and from where. `id` is None for the system, and for somebody whom nobody knows."""

    kind: ActorKind
    id: UUID | None = None
    on_behalf_of: UUID | None = None
    origin: Origin = Origin()


SYSTEM = Actor(ActorKind.SYSTEM)


@dataclass(frozen=True, slots=True)
class Target:
    """What something was done to."""

    kind: str
    id: UUID | str


@dataclass(frozen=True, slots=True)
class Act:
    """What was done or tried; `name` is a thing and a past-tense verb, `session.opened`."""

    name: str
    actor: Actor
    target: Target
    result: ActResult = ActResult.SUCCEEDED
    reason: str | None = None


def tell_act(tx: Tx, workspace_id: UUID | None, act: Act, cause: Cause | None = None) -> None:
    """Let the audit trail of a workspace, or of the installation, hear of an act if the transaction commits.

    What is refused has to be told in a transaction that commits. `cause` is the event that a handler follows. Raises pydantic's ValidationError for a name or target
    that is none.
    """
    told = SecurityActed(
        occurred_at=tx.now,
        workspace_id=workspace_id or INSTALLATION,
        act=act.name,
        actor_kind=act.actor.kind,
        actor_id=act.actor.id,
        on_behalf_of=act.actor.on_behalf_of,
        target_kind=act.target.kind,
        target_id=str(act.target.id),
        result=act.result,
        reason=act.reason,
        address=act.actor.origin.address,
        device=act.actor.origin.device,
    )
    tx.publish(Occurrence(workspace_id), told, cause=cause)
