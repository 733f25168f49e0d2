"""How does a passkey prove who holds it? The ceremonies of WebAuthn Level 3, without what is kept or sent.

A challenge is made by `new_challenge`, kept by the caller, and taken away as soon as an answer comes, right or wrong.
"""

from services.auth.passkeys.ceremonies import (
    authentication_options,
    new_challenge,
    registration_options,
    verify_authentication,
    verify_registration,
)
from services.auth.passkeys.parts import Algorithm, KnownPasskey, NewPasskey, Owner, RelyingParty, UsedPasskey
from services.auth.passkeys.reasons import (
    AuthenticationRefused,
    PasskeyChanged,
    PasskeyCloned,
    Reason,
    RegistrationRefused,
)
from services.auth.passkeys.wire import AuthenticationAnswer, CreationOptions, RegistrationAnswer, RequestOptions

__all__ = [
    "Algorithm",
    "AuthenticationAnswer",
    "AuthenticationRefused",
    "CreationOptions",
    "KnownPasskey",
    "NewPasskey",
    "Owner",
    "PasskeyChanged",
    "PasskeyCloned",
    "Reason",
    "RegistrationAnswer",
    "RegistrationRefused",
    "RelyingParty",
    "RequestOptions",
    "UsedPasskey",
    "authentication_options",
    "new_challenge",
    "registration_options",
    "verify_authentication",
    "verify_registration",
]
