"""What does billing hear and say in tests? Registrations in, entitlements out."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from libs.kit.ids import uuid7
from libs.schema.auth import UserRegistered
from libs.schema.billing import EntitlementsChanged
from libs.schema.workspaces import WorkspaceCreated

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_registration(workspace_id: UUID, at: datetime = NOON) -> UserRegistered:
    return UserRegistered(occurred_at=at, user_id=uuid7(), workspace_id=workspace_id, email="ada@example.com")


def one_more(workspace_id: UUID, at: datetime = NOON) -> WorkspaceCreated:
    return WorkspaceCreated(occurred_at=at, workspace_id=workspace_id, owner_id=uuid7(), name="Research")


def pro(workspace_id: UUID, at: datetime) -> EntitlementsChanged:
    return EntitlementsChanged(
        occurred_at=at, workspace_id=workspace_id, plan="Pro", max_strategies=10, auto_trading=True
    )


def free(workspace_id: UUID, at: datetime) -> EntitlementsChanged:
    return EntitlementsChanged(
        occurred_at=at, workspace_id=workspace_id, plan="Free", max_strategies=1, auto_trading=False
    )
