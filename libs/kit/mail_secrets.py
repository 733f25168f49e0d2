"""How does a secret get into a mail without being told by an event? Sender and checker derive it from the mail's id."""

from __future__ import annotations

import base64
import hashlib
import hmac
from uuid import UUID

from pydantic import SecretStr

_PURPOSE = b"fillstream mail secret v1"


def mail_secret(key: SecretStr, mail_id: UUID) -> str:
    """The secret that the mail with this id carries: HMAC-SHA-256 (RFC 2104) of the id, in base64url.

    `key` is known to auth, which checks the secret, and to notifications, which sends it, and to nobody else.
    """
    digest = hmac.new(key.get_secret_value().encode(), _PURPOSE + mail_id.bytes, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
