"""What can be configured in auth?"""

from __future__ import annotations

from os import cpu_count
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from libs.kit.settings import Settings as KitSettings


class Settings(KitSettings):
    """What every service reads, and how long tokens and keys live."""

    auth_key_secret: Annotated[SecretStr, Field(min_length=32)]
    """Opens the private signing keys, which the database holds encrypted. Random, at least 32 characters."""
    auth_access_token_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    auth_refresh_token_seconds: Annotated[int, Field(ge=1)] = 30 * 86_400
    auth_session_days: Annotated[int, Field(ge=1)] = 90
    """How long one login lasts at most, however often it is refreshed."""
    auth_key_overlap_seconds: Annotated[int, Field(ge=0)] = 3_600
    """How long a signing key can still be checked with after another one has taken its place."""
    auth_key_lead_seconds: Annotated[int, Field(ge=0)] = 10
    """How long a new key is public before it signs, so that no service meets a token of a key it does not know."""
    auth_hashing_threads: Annotated[int, Field(ge=1, le=64)] = cpu_count() or 1
    """Passwords that are hashed at the same time; each takes 19 MiB. More than there are cores makes nothing faster."""
    auth_hashing_queue: Annotated[int, Field(ge=1)] = 200
    """Passwords that wait for a thread; whoever comes when so many do is told to come again."""
    auth_account_failures: Annotated[int, Field(ge=1)] = 10
    """Failed logins after which an account is locked; the waits before grow from one second on."""
    auth_address_failures: Annotated[int, Field(ge=1)] = 100
    """Failed logins from one address, for whatever accounts, after which nothing from there is tried."""
    auth_lock_seconds: Annotated[int, Field(ge=1)] = 900
    """How long such a lock lasts, and how long a failure is remembered."""
    auth_verification_hours: Annotated[int, Field(ge=1)] = 48
    auth_reset_minutes: Annotated[int, Field(ge=1)] = 30
    mail_token_secret: Annotated[SecretStr, Field(min_length=32)]
    """What secrets in mails are derived from; notifications has the same. Random, at least 32 characters."""

    @model_validator(mode="after")
    def _keys_outlive_tokens(self) -> Self:
        if self.auth_key_overlap_seconds < self.auth_access_token_seconds:
            raise ValueError("auth_key_overlap_seconds must be at least auth_access_token_seconds")
        return self
