"""What does auth tell of workspaces? Who made them, what they are called, what they demand, and who is what in them."""

from __future__ import annotations

from uuid import UUID

from libs.schema.event import DomainEvent
from libs.schema.values import Keyword


class WorkspaceCreated(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person made one more workspace, beside the personal one that their registration tells of."""

    workspace_id: UUID
    owner_id: UUID
    name: str


class WorkspaceRenamed(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A workspace is called something else."""

    workspace_id: UUID
    name: str


class WorkspacePolicyChanged(DomainEvent, topic="auth.v1", key="workspace_id"):
    """What a workspace asks of its members changed; replaces what was said before. At first it asks for nothing."""

    workspace_id: UUID
    second_factor_required: bool


class MemberAdded(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person joined a workspace that somebody else made."""

    workspace_id: UUID
    user_id: UUID
    role: Keyword


class MemberRoleChanged(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A member may do more or less in a workspace than before."""

    workspace_id: UUID
    user_id: UUID
    role: Keyword
    previous_role: Keyword


class MemberRemoved(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person is no longer a member of a workspace, by its owner's will or by their own."""

    workspace_id: UUID
    user_id: UUID
    previous_role: Keyword


class OwnershipTransferred(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A workspace has another owner; what the two may do in it now is told by MemberRoleChanged of each."""

    workspace_id: UUID
    owner_id: UUID
    previous_owner_id: UUID
