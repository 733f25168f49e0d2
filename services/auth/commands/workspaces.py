"""What happens to workspaces? People make them, their owners rename them, ask for more, and hand them over.

Locks are taken in one order everywhere: people, then the workspace, then who is what in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from libs.kit.acts import Act, Actor, Target, tell_act
from libs.kit.db import Tx
from libs.kit.errors import Conflict, Forbidden, NotFound
from services.auth.commands.mails import Mailing
from services.auth.model import Membership, Role, Workspace
from services.auth.repository import users, workspaces
from services.auth.settings import Settings


@dataclass(frozen=True, slots=True)
class Hosting:
    """How many workspaces and invitations this installation bears, and how invitations are sent."""

    most_owned: int
    most_pending: int
    invitation_lifetime: timedelta
    mailing: Mailing

    @classmethod
    def of(cls, settings: Settings) -> Hosting:
        """What the settings say."""
        return cls(
            settings.auth_workspaces_per_person,
            settings.auth_pending_invitations,
            timedelta(days=settings.auth_invitation_days),
            Mailing.of(settings),
        )


@dataclass(frozen=True, slots=True)
class WorkspacePatch:
    """What is to become of a workspace; None leaves things as they are."""

    name: str | None = None
    second_factor_required: bool | None = None


async def create(tx: Tx, hosting: Hosting, user_id: UUID, workspace_id: UUID, name: str, by: Actor) -> Workspace:
    """Make one more workspace of a person, which `tx` is a transaction of. Raises Forbidden when they own enough."""
    # The lock makes those who create at once count one after another.
    user = await users.lock_user(tx, user_id)
    if not user.is_present:
        raise NotFound("user", user_id)
    if await workspaces.count_owned(tx, user_id) >= hosting.most_owned:
        raise Forbidden(f"nobody owns more than {hosting.most_owned} workspaces", slug="too-many-workspaces")
    workspace = Workspace(id=workspace_id, tenant_id=workspace_id, version=0, name=name, owner_id=user_id)
    tx.add(workspace)
    await tx.flush()
    tx.add(Membership(tenant_id=workspace_id, user_id=user_id, role=Role.OWNER))
    tx.publish(workspace, *workspace.create(tx.now))
    tell_act(tx, workspace_id, Act("workspace.created", by, Target("workspace", workspace_id)))
    return workspace


async def change(tx: Tx, workspace_id: UUID, patch: WorkspacePatch, by: Actor) -> Workspace:
    """Let its owner rename a workspace, or change what it asks of its members. Raises NotFound and Forbidden."""
    workspace = await lock_owned(tx, workspace_id, by)
    if patch.name is not None and (told := workspace.rename(patch.name, tx.now)):
        tx.publish(workspace, *told)
        tell_act(tx, workspace_id, Act("workspace.renamed", by, Target("workspace", workspace_id)))
    if patch.second_factor_required is not None:
        told = workspace.require_second_factor(patch.second_factor_required, tx.now)
        if told:
            tx.publish(workspace, *told)
            reason = f"second factor required: {patch.second_factor_required}"
            policy = Act("workspace.policy_changed", by, Target("workspace", workspace_id), reason=reason)
            tell_act(tx, workspace_id, policy)
    return workspace


async def transfer(tx: Tx, workspace_id: UUID, successor_id: UUID, by: Actor) -> Workspace:
    """Let its owner hand a workspace to another member, and trade in it from now on.

    Raises NotFound for whoever is no member or may not act, Forbidden for whoever is not the owner, and Conflict for a
    personal workspace.
    """
    successor = await users.lock_known(tx, successor_id)
    workspace = await lock_owned(tx, workspace_id, by)
    member = await workspaces.lock_member(tx, workspace_id, successor_id)
    if successor is None or not successor.is_present:
        raise NotFound("member", successor_id)
    if successor_id == workspace.owner_id:
        raise Conflict("the workspace is theirs already", slug="owner-stays")
    if await users.is_home(tx, workspace.owner_id, workspace_id):
        raise Conflict("a personal workspace stays its person's", slug="personal-workspace")
    owner = await workspaces.lock_member(tx, workspace_id, workspace.owner_id)
    tx.publish(workspace, *workspace.step_down(owner, tx.now))
    # There is never a moment with two owners: the database would not have it.
    await tx.flush()
    tx.publish(workspace, *workspace.step_up(member, tx.now))
    tell_act(tx, workspace_id, Act("workspace.transferred", by, Target("user", successor_id)))
    return workspace


async def lock_owned(tx: Tx, workspace_id: UUID, by: Actor) -> Workspace:
    """The workspace, locked, if it is the actor's own now, whatever their token said. Raises NotFound and Forbidden."""
    workspace = await workspaces.lock_workspace(tx, workspace_id)
    if person_behind(by) != workspace.owner_id:
        raise Forbidden("only the owner of a workspace may do this", slug="not-the-owner")
    return workspace


def person_behind(by: Actor) -> UUID | None:
    """Who acts, themselves or by a program of theirs."""
    return by.on_behalf_of or by.id
