"""What is the rule? Users own workspaces, roles give scopes, a refresh token works once, keys sign in turn."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, MetaData, PrimaryKeyConstraint, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.kit.backbone import add_backbone
from libs.kit.ids import uuid7
from libs.kit.model import Moment, TenantOwned, Versioned
from libs.schema.auth import UserRegistered


class Base(DeclarativeBase):
    """The tables of this context."""

    metadata = MetaData(schema="auth")


add_backbone(Base.metadata)


class PlatformRole(StrEnum):
    """What a user is to the whole installation."""

    USER = "USER"
    ADMIN = "ADMIN"


class Role(StrEnum):
    """What a user is in one workspace."""

    OWNER = "OWNER"


SCOPES_OF_ROLE: Mapping[Role | PlatformRole, frozenset[str]] = MappingProxyType({
    Role.OWNER: frozenset({
        "marketdata:read", "strategies:read", "strategies:write", "signals:read", "orders:read", "orders:write",
        "accounts:read", "accounts:write", "portfolio:read", "billing:read", "billing:write", "notifications:read",
        "notifications:write",
    }),
    PlatformRole.USER: frozenset(),
    # Market data belongs to every workspace, so that no single one may write it.
    PlatformRole.ADMIN: frozenset({"marketdata:write"}),
})  # fmt: skip


def email_key(email: str) -> str:
    """What an address is known by: two that differ in case or in Unicode form alone are the same person's."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())


class User(Versioned, Base):
    """A person who can log in. Belongs to no workspace: a person may be a member of several."""

    __tablename__ = "user"
    __table_args__ = (
        UniqueConstraint("email_key", name="user_email_key"),
        CheckConstraint("platform_role IN ('USER', 'ADMIN')", name="user_platform_role"),
    )

    email: Mapped[str]
    email_key: Mapped[str]
    password_hash: Mapped[str]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    platform_role: Mapped[str] = mapped_column(default=PlatformRole.USER)
    is_active: Mapped[bool] = mapped_column(default=True)
    email_verified: Mapped[bool] = mapped_column(default=False)
    # The workspace is made after its owner, in the same transaction, hence no foreign key.
    default_workspace_id: Mapped[UUID]
    last_login_at: Mapped[Moment | None]


class Workspace(TenantOwned, Base):
    """The tenant that all other rows of a workspace name."""

    __tablename__ = "workspace"
    __table_args__ = (CheckConstraint("id = tenant_id", name="workspace_is_its_tenant"),)

    name: Mapped[str]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))

    def welcome(self, owner: User, at: datetime) -> list[UserRegistered]:
        """Tell that a person registered and this workspace was made for them."""
        return [
            UserRegistered(
                occurred_at=at,
                user_id=owner.id,
                workspace_id=self.id,
                email=owner.email,
                first_name=owner.first_name,
                last_name=owner.last_name,
            )
        ]


class Membership(Base):
    """A user's part in a workspace."""

    __tablename__ = "membership"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "user_id", name="membership_pkey"),
        CheckConstraint("role IN ('OWNER')", name="membership_role"),
        Index("membership_user", "user_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("auth.workspace.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    role: Mapped[str]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())


class RefreshToken(Base):
    """One link of a session: used once, it is followed by the next of its family. Only its hash is kept."""

    __tablename__ = "refresh_token"
    __table_args__ = (
        UniqueConstraint("token_hash", name="refresh_token_hash"),
        Index("refresh_token_family", "family_id"),
        Index("refresh_token_user", "user_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    family_id: Mapped[UUID]
    """The id of the session's first token."""
    token_hash: Mapped[bytes]
    expires_at: Mapped[Moment]
    used_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    def is_usable(self, at: datetime) -> bool:
        """Whether it can be exchanged for the next one."""
        return self.used_at is None and self.revoked_at is None and at < self.expires_at


class SigningKey(Base):
    """A key pair for access tokens: public from the start, signing from `active_from` until the next one does."""

    __tablename__ = "signing_key"

    kid: Mapped[str] = mapped_column(primary_key=True)
    sealed_private_key: Mapped[bytes]
    public_jwk: Mapped[dict[str, str]] = mapped_column(JSONB)
    active_from: Mapped[Moment]
    retired_at: Mapped[Moment | None]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    def give_way(self, successor: SigningKey) -> None:
        """Stop signing when the successor begins to."""
        self.retired_at = successor.active_from


def signing_at(keys: Sequence[SigningKey], at: datetime) -> SigningKey | None:
    """The key that signs at a moment: the newest that is active, or None when there is no key at all."""
    active = [key for key in keys if key.active_from <= at]
    if active:
        return max(active, key=lambda key: key.active_from)
    # The first key was made by a replica whose clock is ahead of ours.
    return min(keys, key=lambda key: key.active_from, default=None)
