"""Which key signs? Key pairs for access tokens follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.crypto.key_encryption import WrappedKey
from libs.kit.model import Moment
from services.auth.model.metadata import Base


class SigningKey(Base):
    """A key pair for access tokens: public from the start, signing from `active_from` until the next one does."""

    __tablename__ = "signing_key"

    kid: Mapped[str] = mapped_column(primary_key=True)
    sealed_private_key: Mapped[bytes]
    wrapped_by: Mapped[str]
    """The key-encryption key that opens the private key."""
    public_jwk: Mapped[dict[str, str]] = mapped_column(JSONB)
    active_from: Mapped[Moment]
    retired_at: Mapped[Moment | None]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    @property
    def wrapped(self) -> WrappedKey:
        """The private key as it is kept."""
        return WrappedKey(self.sealed_private_key, self.wrapped_by)

    def wrap_anew(self, wrapped: WrappedKey) -> None:
        """Keep the same private key in another wrapping."""
        self.sealed_private_key, self.wrapped_by = wrapped.ciphertext, wrapped.by

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
