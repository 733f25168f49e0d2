"""Which clients are there, and how are they refused? In the words of OAuth 2.0 (RFC 6749, RFC 8628)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class GrantType(StrEnum):
    """What a client may exchange for tokens."""

    DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 a grant's name, not a secret
    CLIENT_CREDENTIALS = "client_credentials"
    """Of a program: an API key (RFC 6749, section 4.4)."""


class Refusal(StrEnum):
    """Why a client gets no tokens: RFC 6749, section 5.2, RFC 8628, section 3.5, and RFC 7009, section 2.2.1."""

    AUTHORIZATION_PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    ACCESS_DENIED = "access_denied"
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 an error's name, not a secret
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    INVALID_REQUEST = "invalid_request"
    INVALID_SCOPE = "invalid_scope"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_TOKEN_TYPE = "unsupported_token_type"  # noqa: S105 an error's name, not a secret


CLIENTS: Mapping[str, str] = MappingProxyType({"fillstream-cli": "The fillstream command"})
"""Names of the clients that people use, by id. All are public: they can keep no secret. Programs name their API key."""
