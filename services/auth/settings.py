"""What can be configured in auth?"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from libs.kit.settings import Settings as KitSettings


class Settings(KitSettings):
    """What every service reads, and how long tokens and keys live."""

    auth_access_token_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    auth_refresh_token_seconds: Annotated[int, Field(ge=1)] = 30 * 86_400
    auth_key_overlap_seconds: Annotated[int, Field(ge=0)] = 3_600
    """How long a signing key can still be checked with after another one has taken its place."""
    auth_key_lead_seconds: Annotated[int, Field(ge=0)] = 10
    """How long a new key is public before it signs, so that no service meets a token of a key it does not know."""
    auth_hashing_threads: Annotated[int, Field(ge=1, le=64)] = 4
    """Passwords that are hashed at the same time; each takes 19 MiB."""
    auth_kyc_valid_days: Annotated[int, Field(ge=1, le=3_650)] = 730
    """How long a verification of who somebody is holds."""
    auth_kyc_expiry_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How often it is looked for verifications that are over."""

    @model_validator(mode="after")
    def _keys_outlive_tokens(self) -> Self:
        if self.auth_key_overlap_seconds < self.auth_access_token_seconds:
            raise ValueError("auth_key_overlap_seconds must be at least auth_access_token_seconds")
        return self
