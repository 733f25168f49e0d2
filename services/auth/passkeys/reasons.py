"""Why is a passkey's answer refused? One reason each, in the order in which they are looked for."""

from __future__ import annotations

from enum import StrEnum

from libs.kit.errors import Invalid, Unauthenticated


class Reason(StrEnum):
    """What is wrong with an answer, said to a person; nothing of the answer is repeated."""

    MALFORMED = "the passkey's answer can't be read"
    KIND = "the passkey answered another kind of question"
    CHALLENGE = "the passkey answered another question, or an older one"
    ORIGIN = "the passkey was asked by another site"
    EMBEDDED = "the passkey was asked by a page inside of another site's"
    RELYING_PARTY = "the passkey answered for another site"
    ABSENT = "nobody was at the device that holds the passkey"
    UNVERIFIED = "the device did not check who uses it: it needs a PIN, a finger or a face"
    BACKUP = "the passkey contradicts itself about being backed up"
    KEY = "the passkey's key is of no kind that is taken"
    ATTESTATION = "the passkey's statement about itself does not hold"
    CREDENTIAL = "this is not the passkey that was asked for"
    OWNER = "the passkey belongs to somebody else"
    SIGNATURE = "the passkey's signature is wrong"
    CHANGED = (
        "the passkey says otherwise than when it was added whether several devices can have it: show another factor, then "
        "remove the passkey and add it anew"
    )
    CLONED = "the passkey was used by a copy of it"


class RegistrationRefused(Invalid):
    """A new passkey that is not taken."""

    slug = "passkey-refused"

    def __init__(self, reason: Reason) -> None:
        super().__init__("/credential", reason.value)
        self.reason = reason


class AuthenticationRefused(Unauthenticated):
    """An answer that proves nothing."""

    slug = "passkey-refused"

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class PasskeyChanged(AuthenticationRefused):
    """An answer by the true key that is backup eligible now and was not when it was made, or the other way (section 7.2).

    Raised after the signature was found right, so that its person alone hears it: they did nothing wrong.
    """

    slug = "passkey-changed"

    def __init__(self) -> None:
        super().__init__(Reason.CHANGED)


class PasskeyCloned(AuthenticationRefused):
    """An answer by the true key whose counter has not grown: two devices hold it, and one of them may be a thief's.

    Raised after the signature was found right, so that nobody else can cause the alarm.
    """

    slug = "passkey-cloned"

    def __init__(self) -> None:
        super().__init__(Reason.CLONED)
