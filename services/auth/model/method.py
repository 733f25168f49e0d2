"""How does a person show who they are? In the words of RFC 8176, as tokens say them."""

from __future__ import annotations

from enum import StrEnum


class Method(StrEnum):
    """One way, or what several of them come to."""

    PASSWORD = "pwd"  # noqa: S105 a method's name, not a secret
    ONE_TIME_PASSWORD = "otp"  # noqa: S105 a method's name, not a secret
    """Of an authenticator application, or a recovery code."""
    PROOF_OF_POSSESSION = "pop"
    """A passkey."""
    MULTIPLE_FACTORS = "mfa"
    """At least two of what one knows, has and is."""
