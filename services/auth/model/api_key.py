"""What is an API key? A person's word that programs may act for them in one workspace, within limits and for a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.errors import Conflict
from libs.kit.ids import uuid7
from libs.kit.model import Moment, TenantOwned
from libs.schema.auth import AccessRevoked, ApiKeyCreated, ApiKeyRevoked, ApiKeyRotated
from libs.schema.event import DomainEvent
from services.auth.model.metadata import Base
from services.auth.model.roles import PROGRAM_SCOPES, SCOPES_OF_ROLE, Role

MAX_OVERLAP = timedelta(days=7)
"""How long the secret before may work beside a new one."""


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a key is for, as its person said it."""

    name: str
    scopes: frozenset[str]
    networks: tuple[str, ...]
    expires_at: datetime


class ApiKey(TenantOwned, Base):
    """One key, in the workspace that it is for. Of secrets only hashes are kept: of the newest, and of the one before."""

    __tablename__ = "api_key"
    __table_args__ = (
        UniqueConstraint("prefix", name="api_key_prefix"),
        CheckConstraint("octet_length(secret_hash) = 32", name="api_key_secret_hash"),
        CheckConstraint("(previous_hash IS NULL) = (previous_until IS NULL)", name="api_key_previous"),
        Index("api_key_of_user", "tenant_id", "user_id", "id"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    name: Mapped[str]
    prefix: Mapped[str]
    """What people know it by, and its `client_id`."""
    secret_hash: Mapped[bytes]
    previous_hash: Mapped[bytes | None]
    previous_until: Mapped[Moment | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    networks: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Where it may be used from; anywhere when there are none."""
    expires_at: Mapped[Moment]
    last_used_at: Mapped[Moment | None]
    """When it was last exchanged for a token, give or take a minute."""
    last_used_from: Mapped[str | None]
    revoked_at: Mapped[Moment | None]

    @classmethod
    def of(cls, workspace_id: UUID, user_id: UUID, terms: KeyTerms, prefix: str, secret_hash: bytes) -> ApiKey:
        """A new one."""
        return cls(
            id=uuid7(),
            tenant_id=workspace_id,
            version=0,
            user_id=user_id,
            name=terms.name,
            prefix=prefix,
            secret_hash=secret_hash,
            scopes=sorted(terms.scopes),
            networks=list(terms.networks),
            expires_at=terms.expires_at,
        )

    def create(self, at: datetime) -> list[DomainEvent]:
        """Tell that there is a new one."""
        return [
            ApiKeyCreated(
                occurred_at=at,
                key_id=self.id,
                user_id=self.user_id,
                workspace_id=self.tenant_id,
                prefix=self.prefix,
                scopes=tuple(self.scopes),
                networks=tuple(self.networks),
                expires_at=self.expires_at,
            )
        ]

    def is_alive(self, at: datetime) -> bool:
        """Whether it works at all."""
        return self.revoked_at is None and at < self.expires_at

    def opens_until(self, secret_hash: bytes, at: datetime) -> datetime | None:
        """Until when a secret will work; None when it does not now."""
        newest = compare_digest(secret_hash, self.secret_hash)
        before = compare_digest(secret_hash, self.previous_hash or bytes(len(secret_hash)))
        if not self.is_alive(at):
            return None
        if newest:
            return self.expires_at
        still = before and self.previous_until is not None and at < self.previous_until
        return self.previous_until if still else None

    def scopes_under(self, role: Role) -> frozenset[str]:
        """What it allows while its person has this role: never more than the person, whatever it was made with."""
        return frozenset(self.scopes) & SCOPES_OF_ROLE[role] & PROGRAM_SCOPES

    def describe(self, name: str, networks: Sequence[str]) -> None:
        """Be called, and be usable from, something else."""
        self.name, self.networks = name, list(networks)

    def rotate(self, secret_hash: bytes, overlap: timedelta, at: datetime) -> list[DomainEvent]:
        """Have another secret; the one before works until the overlap ends, and none before that one.

        Raises Conflict when the key works no more.
        """
        if not self.is_alive(at):
            raise Conflict("the key is expired or revoked: make another one", slug="api-key-over")
        until = min(at + overlap, self.expires_at)
        self.previous_hash, self.previous_until = (self.secret_hash, until) if overlap else (None, None)
        self.secret_hash = secret_hash
        return [
            ApiKeyRotated(
                occurred_at=at,
                key_id=self.id,
                user_id=self.user_id,
                workspace_id=self.tenant_id,
                previous_until=self.previous_until,
            )
        ]

    def revoke(self, by: UUID, at: datetime) -> list[DomainEvent]:
        """Work no more, nor any token that came of it."""
        if self.revoked_at is not None:
            return []
        self.revoked_at = at
        return [
            ApiKeyRevoked(
                occurred_at=at, key_id=self.id, user_id=self.user_id, workspace_id=self.tenant_id, revoked_by=by
            ),
            # Tokens of the key name it as their session: whenever they were issued, they are over.
            AccessRevoked(
                occurred_at=at, user_id=self.user_id, session_id=self.id, workspace_id=None, issued_before=at
            ),
        ]
