"""What is asked of a passkey, and does its answer hold? WebAuthn Level 3, sections 7.1 and 7.2.

`webauthn` parses and has the last word. What it would refuse is looked for here before, so that each refusal has one
reason of ours; what it leaves to its caller (frames, kinds and sizes of keys, copies) is looked for here alone.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_attestation_object,
    parse_authenticator_data,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationFormat,
    AttestationObject,
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    CredentialDeviceType,
    RegistrationCredential,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from services.auth.passkeys.parts import Algorithm, KnownPasskey, NewPasskey, Owner, RelyingParty, UsedPasskey
from services.auth.passkeys.reasons import (
    AuthenticationRefused,
    PasskeyChanged,
    PasskeyCloned,
    Reason,
    RegistrationRefused,
)
from services.auth.passkeys.wire import (
    Account,
    AuthenticationAnswer,
    ClientData,
    CreationOptions,
    Descriptor,
    Parameter,
    Party,
    RegistrationAnswer,
    RequestOptions,
    decoded,
    encoded,
)

CHALLENGE_BYTES = 32
TIMEOUT_MILLISECONDS = 300_000
"""The lower end of what section 15.1 recommends where the user has to be verified."""

# What `webauthn`, `cbor2` and `cryptography` raise, or could, for bytes that somebody has made up.
_UNREADABLE = (
    WebAuthnException, InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, LookupError, AttributeError,
    ArithmeticError, RecursionError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType,
)  # fmt: skip
# We ask for no attestation, so the parsers of all others are kept from strangers' bytes.
_FORMATS = frozenset({AttestationFormat.NONE, AttestationFormat.PACKED})
_RSA_BITS = range(2048, 4096 + 1)
_TAKEN = [COSEAlgorithmIdentifier(algorithm) for algorithm in Algorithm]


def new_challenge() -> bytes:
    """A question that was never asked before."""
    return secrets.token_bytes(CHALLENGE_BYTES)


def registration_options(
    party: RelyingParty, owner: Owner, challenge: bytes, known: Iterable[KnownPasskey]
) -> CreationOptions:
    """How to make a passkey for an owner, on no authenticator that has one of those that are known."""
    return CreationOptions(
        rp=Party(id=party.id, name=party.name),
        user=Account(id=encoded(owner.handle), name=owner.name, display_name=owner.display_name),
        challenge=encoded(challenge),
        pub_key_cred_params=[Parameter(alg=algorithm) for algorithm in Algorithm],
        timeout=TIMEOUT_MILLISECONDS,
        exclude_credentials=_descriptors(known),
    )


def authentication_options(party: RelyingParty, challenge: bytes, known: Iterable[KnownPasskey]) -> RequestOptions:
    """How to prove oneself by one of the passkeys; by any, when none is given."""
    return RequestOptions(
        challenge=encoded(challenge),
        timeout=TIMEOUT_MILLISECONDS,
        rp_id=party.id,
        allow_credentials=_descriptors(known),
    )


def verify_registration(party: RelyingParty, challenge: bytes, answer: RegistrationAnswer) -> NewPasskey:
    """The passkey that was made. Raises RegistrationRefused."""
    said, stated = decoded(answer.response.client_data_json), decoded(answer.response.attestation_object)
    try:
        attestation = parse_attestation_object(stated)
        reason = _wrong_words(party, "webauthn.create", challenge, said)
        reason = reason or _wrong_data(party, attestation.auth_data) or _wrong_key(answer, attestation)
    except _UNREADABLE:
        raise RegistrationRefused(Reason.MALFORMED) from None
    if reason is not None:
        raise RegistrationRefused(reason)
    response = AuthenticatorAttestationResponse(said, stated)
    try:
        verified = verify_registration_response(
            credential=RegistrationCredential(answer.id, answer.credential_id, response),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            require_user_verification=True,
            supported_pub_key_algs=_TAKEN,
        )
        return _new_passkey(verified, answer.response.transports)
    except _UNREADABLE:
        raise RegistrationRefused(Reason.ATTESTATION) from None


def verify_authentication(
    party: RelyingParty, challenge: bytes, known: KnownPasskey, answer: AuthenticationAnswer
) -> UsedPasskey:
    """What a known passkey has proved. Raises AuthenticationRefused.

    Of its kinds, PasskeyCloned says that a copy of it was used, and PasskeyChanged that it is not what it was.

    The caller holds the passkey's row locked, so that of two answers with one count the second is a copy's.
    """
    said, data = decoded(answer.response.client_data_json), decoded(answer.response.authenticator_data)
    try:
        stated = parse_authenticator_data(data)
        reason = _wrong_words(party, "webauthn.get", challenge, said) or _wrong_data(party, stated)
    except _UNREADABLE:
        raise AuthenticationRefused(Reason.MALFORMED) from None
    reason = reason or _wrong_passkey(known, answer)
    if reason is not None:
        raise AuthenticationRefused(reason)
    response = AuthenticatorAssertionResponse(said, data, decoded(answer.response.signature))
    try:
        verified = verify_authentication_response(
            credential=AuthenticationCredential(answer.id, answer.credential_id, response),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            credential_public_key=known.public_key,
            # It would look at the count before it looks at the signature.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _UNREADABLE:
        raise AuthenticationRefused(Reason.SIGNATURE) from None
    if _is_copied(known.sign_count, verified.new_sign_count):
        raise PasskeyCloned
    if stated.flags.be != known.backup_eligible:
        raise PasskeyChanged
    return UsedPasskey(known.credential_id, verified.new_sign_count, verified.credential_backed_up)


def _descriptors(known: Iterable[KnownPasskey]) -> list[Descriptor]:
    return [Descriptor(id=encoded(one.credential_id), transports=list(one.transports)) for one in known]


def _new_passkey(verified: VerifiedRegistration, transports: Iterable[str]) -> NewPasskey:
    return NewPasskey(
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        algorithm=Algorithm(decode_credential_public_key(verified.credential_public_key).alg),
        sign_count=verified.sign_count,
        aaguid=UUID(verified.aaguid),
        transports=tuple(dict.fromkeys(transports)),
        backup_eligible=verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        backed_up=verified.credential_backed_up,
    )


def _wrong_words(party: RelyingParty, kind: str, challenge: bytes, said: bytes) -> Reason | None:
    """What the browser says, held against what was asked. Raises ValueError when it says nothing."""
    client = ClientData.model_validate_json(said)
    return _first((
        (client.type != kind, Reason.KIND),
        (not hmac.compare_digest(client.challenge.encode(), encoded(challenge).encode()), Reason.CHALLENGE),
        (client.origin not in party.origins, Reason.ORIGIN),
        (client.cross_origin, Reason.EMBEDDED),
    ))  # fmt: skip


def _wrong_data(party: RelyingParty, data: AuthenticatorData) -> Reason | None:
    """What the authenticator says of itself and its user."""
    return _first((
        (data.rp_id_hash != hashlib.sha256(party.id.encode()).digest(), Reason.RELYING_PARTY),
        (not data.flags.up, Reason.ABSENT),
        (not data.flags.uv, Reason.UNVERIFIED),
        (data.flags.bs and not data.flags.be, Reason.BACKUP),
    ))  # fmt: skip


def _wrong_key(answer: RegistrationAnswer, attestation: AttestationObject) -> Reason | None:
    made = attestation.auth_data.attested_credential_data
    if made is None:
        return Reason.MALFORMED
    return _first((
        (answer.credential_id != made.credential_id, Reason.CREDENTIAL),
        (not _is_taken(made.credential_public_key), Reason.KEY),
        (attestation.fmt not in _FORMATS, Reason.ATTESTATION),
    ))  # fmt: skip


def _wrong_passkey(known: KnownPasskey, answer: AuthenticationAnswer) -> Reason | None:
    return _first((
        (answer.credential_id != known.credential_id, Reason.CREDENTIAL),
        (answer.owner_handle not in {None, known.owner_handle}, Reason.OWNER),
    ))  # fmt: skip


def _first(found: Iterable[tuple[bool, Reason]]) -> Reason | None:
    return next((reason for is_wrong, reason in found if is_wrong), None)


_KIND_OF_KEY: Mapping[int, type[Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey]] = MappingProxyType({
    Algorithm.EDDSA: Ed25519PublicKey,
    Algorithm.ES256: EllipticCurvePublicKey,
    Algorithm.RS256: RSAPublicKey,
})  # fmt: skip


def _is_taken(cose_key: bytes) -> bool:
    """Whether signatures could ever be checked with a key: without attestation nobody has tried yet."""
    try:
        stated = decode_credential_public_key(cose_key)
        key = decoded_public_key_to_cryptography(stated)
        fits = isinstance(key, _KIND_OF_KEY[stated.alg])
    except _UNREADABLE:
        return False
    if isinstance(key, EllipticCurvePublicKey):
        return fits and isinstance(key.curve, SECP256R1)
    return fits and (not isinstance(key, RSAPublicKey) or key.key_size in _RSA_BITS)


def _is_copied(known: int, stated: int) -> bool:
    """Section 6.1.1: a count that stands still, though not at nought, was reached by another device as well."""
    return (known, stated) != (0, 0) and stated <= known
