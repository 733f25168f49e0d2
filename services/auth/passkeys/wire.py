"""What do browsers get and send? The JSON of WebAuthn Level 3, sections 5.1.8 to 5.1.10.

It is what `parse...FromJSON` takes and `toJSON` gives; whatever comes in has a longest form.
"""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

_BASE64URL = r"^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-]{2,3})?$"
_LONGEST_ID = 1364
"""1,023 bytes (WebAuthn, section 4)."""

# Without padding, and of a length that whole bytes can have.
_CredentialId = Annotated[str, StringConstraints(min_length=2, max_length=_LONGEST_ID, pattern=_BASE64URL)]
_Handle = Annotated[str, StringConstraints(max_length=88, pattern=_BASE64URL)]
_ClientData = Annotated[str, StringConstraints(max_length=8_192, pattern=_BASE64URL)]
_Bytes = Annotated[str, StringConstraints(max_length=16_384, pattern=_BASE64URL)]
# Those that nobody knows yet are kept as well, and given back when the passkey is asked (section 5.2.1).
_Transport = Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=r"^[!-~]*$")]


def encoded(value: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def decoded(value: str) -> bytes:
    """The bytes of what has the pattern of base64url."""
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Descriptor(_Said):
    """A passkey that somebody has."""

    type: Literal["public-key"] = "public-key"
    id: str
    transports: list[str]


class Parameter(_Said):
    """A kind of key."""

    type: Literal["public-key"] = "public-key"
    alg: int


class Party(_Said):
    """Who asks."""

    id: str
    name: str


class Account(_Said):
    """Who is asked."""

    id: str
    name: str
    display_name: str


class Selection(_Said):
    """Which authenticators will do: those that know their user, and rather those that remember the account."""

    resident_key: Literal["preferred"] = "preferred"
    require_resident_key: Literal[False] = False
    user_verification: Literal["required"] = "required"


class CreationOptions(_Said):
    """For `PublicKeyCredential.parseCreationOptionsFromJSON` and `navigator.credentials.create`."""

    rp: Party
    user: Account
    challenge: str
    pub_key_cred_params: list[Parameter]
    timeout: int
    """Milliseconds; a hint."""
    exclude_credentials: list[Descriptor]
    authenticator_selection: Selection = Selection()
    attestation: Literal["none"] = "none"


class RequestOptions(_Said):
    """For `PublicKeyCredential.parseRequestOptionsFromJSON` and `navigator.credentials.get`."""

    challenge: str
    timeout: int
    """Milliseconds; a hint."""
    rp_id: str
    allow_credentials: list[Descriptor]
    """Empty: whichever the person picks."""
    user_verification: Literal["required"] = "required"


class _Heard(BaseModel):
    # Browsers send more than is asked for, and newer ones more than that.
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        json_schema_extra={"additionalProperties": True},
    )


class _Credential(_Heard):
    id: _CredentialId
    raw_id: _CredentialId
    type: Literal["public-key"]

    @property
    def credential_id(self) -> bytes:
        """Which passkey says so."""
        return decoded(self.raw_id)


class Attestation(_Heard):
    """What a new passkey says of itself."""

    client_data_json: Annotated[_ClientData, Field(alias="clientDataJSON")]
    attestation_object: _Bytes
    transports: Annotated[list[_Transport], Field(max_length=16)] = []


class RegistrationAnswer(_Credential):
    """A new passkey: `toJSON()` of what `navigator.credentials.create` gives."""

    response: Attestation


class Assertion(_Heard):
    """What a passkey has signed."""

    client_data_json: Annotated[_ClientData, Field(alias="clientDataJSON")]
    authenticator_data: _Bytes
    signature: _Bytes
    user_handle: _Handle | None = None


class AuthenticationAnswer(_Credential):
    """A passkey's proof: `toJSON()` of what `navigator.credentials.get` gives."""

    response: Assertion

    @property
    def owner_handle(self) -> bytes | None:
        """Whose it says it is; needed to find the owner when nobody has said a name."""
        return None if self.response.user_handle is None else decoded(self.response.user_handle)


class ClientData(BaseModel):
    """What the browser vouches for (section 5.8.1)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", strict=True)

    type: str
    challenge: str
    origin: str
    cross_origin: bool = False
