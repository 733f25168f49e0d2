"""Passkeys: a true one gets in with every kind of key; a false one does not, for a reason of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key

from services.auth.passkeys import (
    Algorithm,
    AuthenticationAnswer,
    AuthenticationRefused,
    KnownPasskey,
    NewPasskey,
    Owner,
    PasskeyChanged,
    PasskeyCloned,
    Reason,
    RegistrationAnswer,
    RegistrationRefused,
    RelyingParty,
    UsedPasskey,
    authentication_options,
    new_challenge,
    registration_options,
    verify_authentication,
    verify_registration,
)
from tests.auth.authenticator import (
    ATTESTED,
    BACKED_UP,
    EDDSA,
    ELIGIBLE,
    PRESENT,
    TRUTH,
    VERIFIED,
    Authenticator,
    CoseKey,
    Json,
    Lie,
    a_key,
    cose_key,
    flipped,
)

PARTY = RelyingParty("example.com", "Fillstream", ("https://app.example.com",))
KEYS = {algorithm: a_key(algorithm) for algorithm in Algorithm}
ED_KEY = KEYS[Algorithm.EDDSA]
OWNER = Owner(b"\x01" * 16, "ada@example.com", "Ada Lovelace")


@dataclass
class Ceremony:
    """A party and a passkey that talk with each other."""

    device: Authenticator
    party: RelyingParty = PARTY

    def registers(self, lie: Lie = TRUTH) -> NewPasskey:
        challenge = new_challenge()
        return verify_registration(self.party, challenge, _registration(self.made(challenge, lie)))

    def made(self, challenge: bytes, lie: Lie = TRUTH) -> Json:
        options = registration_options(self.party, OWNER, challenge, ())
        return self.device.create(options.model_dump(mode="json", by_alias=True), lie)

    def known(self) -> KnownPasskey:
        return known_of(self.registers())

    def logs_in(self, known: KnownPasskey, lie: Lie = TRUTH) -> UsedPasskey:
        challenge = new_challenge()
        return verify_authentication(self.party, challenge, known, _proof(self.proof(challenge, lie)))

    def proof(self, challenge: bytes, lie: Lie = TRUTH) -> Json:
        options = authentication_options(self.party, challenge, ())
        return self.device.get(options.model_dump(mode="json", by_alias=True), lie)


def known_of(made: NewPasskey) -> KnownPasskey:
    return KnownPasskey(
        made.credential_id, made.public_key, OWNER.handle, made.sign_count, made.transports, made.backup_eligible
    )


def _registration(said: Json) -> RegistrationAnswer:
    return RegistrationAnswer.model_validate(said)


def _proof(said: Json) -> AuthenticationAnswer:
    return AuthenticationAnswer.model_validate(said)


@pytest.mark.parametrize("statement", ["none", "packed"])
@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_passkey_of_every_kind_is_made_and_used(algorithm: Algorithm, statement: str) -> None:
    ceremony = Ceremony(Authenticator(KEYS[algorithm], statement=statement, counts=1))

    made = ceremony.registers()
    used = ceremony.logs_in(known_of(made))

    assert made.algorithm is algorithm
    assert made.credential_id == ceremony.device.credential_id == used.credential_id
    assert made.transports == ("internal", "hybrid")
    assert made.aaguid == UUID(int=0)
    assert (made.backup_eligible, made.backed_up, used.backed_up) == (False, False, False)
    assert (made.sign_count, used.sign_count) == (1, 2)


def test_a_synchronised_passkey_counts_nothing_and_tells_when_it_is_backed_up() -> None:
    ceremony = Ceremony(Authenticator(ED_KEY, flags=PRESENT | VERIFIED | ELIGIBLE))

    made = ceremony.registers()
    ceremony.device.flags |= BACKED_UP

    assert (made.backup_eligible, made.backed_up, made.sign_count) == (True, False, 0)
    for _ in range(2):
        assert ceremony.logs_in(known_of(made)) == UsedPasskey(made.credential_id, 0, backed_up=True)


def test_the_options_have_the_shape_that_browsers_parse() -> None:
    # WebAuthn Level 3: PublicKeyCredentialCreationOptionsJSON and PublicKeyCredentialRequestOptionsJSON.
    known = KnownPasskey(b"\xff\xfe\xfd", b"", OWNER.handle, 0, ("usb", "new-way"), backup_eligible=False)
    described = {"type": "public-key", "id": "__79", "transports": ["usb", "new-way"]}

    assert registration_options(PARTY, OWNER, b"\xfb" * 16, [known]).model_dump(mode="json", by_alias=True) == {
        "rp": {"id": "example.com", "name": "Fillstream"},
        "user": {"id": "AQEBAQEBAQEBAQEBAQEBAQ", "name": "ada@example.com", "displayName": "Ada Lovelace"},
        "challenge": "-_v7-_v7-_v7-_v7-_v7-w",
        "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in (-8, -7, -257)],
        "timeout": 300_000,
        "excludeCredentials": [described],
        "authenticatorSelection": {
            "residentKey": "preferred",
            "requireResidentKey": False,
            "userVerification": "required",
        },
        "attestation": "none",
    }
    assert authentication_options(PARTY, b"\xfb" * 16, [known]).model_dump(mode="json", by_alias=True) == {
        "challenge": "-_v7-_v7-_v7-_v7-_v7-w",
        "timeout": 300_000,
        "rpId": "example.com",
        "allowCredentials": [described],
        "userVerification": "required",
    }


def test_a_passkey_without_a_name_says_whose_it_is() -> None:
    ceremony = Ceremony(Authenticator(ED_KEY))
    ceremony.registers()

    assert _proof(ceremony.proof(b"x" * 16)).owner_handle == OWNER.handle


# What is wrong in both ceremonies, and what each must be refused for.
LIES: dict[str, tuple[Lie, Reason]] = {
    "another kind of question": (Lie(kind="payment.get"), Reason.KIND),
    "another challenge": (Lie(challenge=b"x" * 32), Reason.CHALLENGE),
    "no challenge": (Lie(challenge=b""), Reason.CHALLENGE),
    "a challenge with a tail": (Lie(client={"challenge": "AAAA="}), Reason.CHALLENGE),
    "another site": (Lie(client={"origin": "https://example.com.evil.net"}), Reason.ORIGIN),
    "a site below": (Lie(client={"origin": "https://x.app.example.com"}), Reason.ORIGIN),
    "a plain connection": (Lie(client={"origin": "http://app.example.com"}), Reason.ORIGIN),
    "another port": (Lie(client={"origin": "https://app.example.com:8443"}), Reason.ORIGIN),
    "inside of another page": (Lie(client={"crossOrigin": True}), Reason.EMBEDDED),
    "another party": (Lie(rp_id="app.example.com"), Reason.RELYING_PARTY),
    "nobody there": (Lie(flags=PRESENT), Reason.ABSENT),
    "nobody checked": (Lie(flags=VERIFIED), Reason.UNVERIFIED),
    "backed up, and not to be": (Lie(flags=BACKED_UP), Reason.BACKUP),
    "no origin": (Lie(client={"origin": None}), Reason.MALFORMED),
    "words of another type": (Lie(client={"crossOrigin": "false"}), Reason.MALFORMED),
    "another passkey's id": (Lie(credential_id=b"y" * 32), Reason.CREDENTIAL),
}


@pytest.mark.parametrize("name", [*LIES, "the other ceremony's answer"])
def test_a_lie_makes_no_passkey(name: str) -> None:
    lie, reason = LIES.get(name, (Lie(kind="webauthn.get"), Reason.KIND))
    with pytest.raises(RegistrationRefused, match=reason.value) as refused:
        Ceremony(Authenticator(ED_KEY)).registers(lie)

    assert refused.value.reason is reason
    assert refused.value.status == 422
    assert [(error.pointer, error.message) for error in refused.value.errors] == [("/credential", reason.value)]


@pytest.mark.parametrize("name", [*LIES, "the other ceremony's answer"])
def test_a_lie_proves_nothing(name: str) -> None:
    lie, reason = LIES.get(name, (Lie(kind="webauthn.create"), Reason.KIND))
    ceremony = Ceremony(Authenticator(ED_KEY))
    known = ceremony.known()

    with pytest.raises(AuthenticationRefused, match=reason.value) as refused:
        ceremony.logs_in(known, lie)

    assert refused.value.reason is reason
    assert refused.value.status == 401


def _cose(**changes: int | bytes) -> CoseKey:
    named = {"kty": 1, "alg": 3, "crv": -1, "x": -2, "y": -3}
    return cose_key(KEYS[Algorithm.ES256]) | {named[name]: value for name, value in changes.items()}


MADE_WRONG: dict[str, tuple[Lie, Reason]] = {
    "a point off the curve": (Lie(cose=_cose(x=b"\x01" * 32)), Reason.KEY),
    "another curve": (Lie(cose=cose_key(generate_ec_key(SECP384R1())) | {-1: 2}), Reason.KEY),
    "an algorithm that is not the key's": (Lie(cose=_cose(alg=-8)), Reason.KEY),
    "an algorithm that was not offered": (Lie(cose=_cose(alg=-36)), Reason.KEY),
    "a small RSA key": (Lie(cose={1: 3, 3: -257, -1: b"\xff" * 128, -2: b"\x01\x00\x01"}), Reason.KEY),
    "a huge RSA key": (Lie(cose={1: 3, 3: -257, -1: b"\xff" * 1025, -2: b"\x01\x00\x01"}), Reason.KEY),
    "an RSA key that hashes with SHA-1": (Lie(cose=cose_key(KEYS[Algorithm.RS256]) | {3: -65535}), Reason.KEY),
    "a key of no kind": (Lie(cose={1: 9, 3: -7}), Reason.KEY),
    "no key": (Lie(cose={}), Reason.KEY),
    "no credential": (Lie(flags=ATTESTED), Reason.MALFORMED),
    "extensions that are not there": (Lie(flags=0x80), Reason.MALFORMED),
    "a statement beside none": (Lie(statement={"alg": -8}), Reason.ATTESTATION),
    "a format that was not asked for": (Lie(fmt="android-safetynet"), Reason.ATTESTATION),
    "a format of no name": (Lie(fmt="mine"), Reason.ATTESTATION),
}


@pytest.mark.parametrize("name", MADE_WRONG)
def test_a_passkey_that_could_never_be_used_is_not_made(name: str) -> None:
    lie, reason = MADE_WRONG[name]
    with pytest.raises(RegistrationRefused) as refused:
        Ceremony(Authenticator(ED_KEY)).registers(lie)

    assert refused.value.reason is reason


STATED_WRONG: dict[str, Lie] = {
    "another key's signature": Lie(signer=a_key(-8)),
    "no signature": Lie(statement={"alg": -8}),
    "another algorithm": Lie(statement={"alg": -7, "sig": b"x" * 64}),
    "a certificate that is none": Lie(statement={"alg": -8, "sig": b"x" * 64, "x5c": [b"x"]}),
}


@pytest.mark.parametrize("name", STATED_WRONG)
def test_a_passkey_that_vouches_wrongly_for_itself_is_not_made(name: str) -> None:
    with pytest.raises(RegistrationRefused) as refused:
        Ceremony(Authenticator(ED_KEY, statement="packed")).registers(STATED_WRONG[name])

    assert refused.value.reason is Reason.ATTESTATION


def test_a_statement_that_was_not_asked_for_is_not_even_read() -> None:
    device = Authenticator(KEYS[Algorithm.ES256], statement="fido-u2f")

    with pytest.raises(RegistrationRefused) as refused:
        Ceremony(device).registers()

    assert refused.value.reason is Reason.ATTESTATION


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_another_keys_signature_proves_nothing(algorithm: Algorithm) -> None:
    ceremony = Ceremony(Authenticator(KEYS[algorithm]))
    known = ceremony.known()

    with pytest.raises(AuthenticationRefused) as refused:
        ceremony.logs_in(known, Lie(signer=a_key(algorithm)))

    assert refused.value.reason is Reason.SIGNATURE


@pytest.mark.parametrize("member", ["signature", "clientDataJSON", "authenticatorData"])
@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_flipped_bit_proves_nothing(algorithm: Algorithm, member: str) -> None:
    ceremony, challenge = Ceremony(Authenticator(KEYS[algorithm], counts=1)), new_challenge()
    known = ceremony.known()
    proof = ceremony.proof(challenge)

    for bit in range(0, 8 * 64, 5):
        with pytest.raises(AuthenticationRefused):
            verify_authentication(PARTY, challenge, known, _proof(flipped(proof, member, bit)))
    assert verify_authentication(PARTY, challenge, known, _proof(proof)), "the baseline"


def test_a_proof_is_good_for_its_own_question_alone() -> None:
    ceremony, challenge = Ceremony(Authenticator(ED_KEY)), new_challenge()
    known, proof = ceremony.known(), ceremony.proof(challenge)

    with pytest.raises(AuthenticationRefused) as refused:
        verify_authentication(PARTY, new_challenge(), known, _proof(proof))

    assert refused.value.reason is Reason.CHALLENGE


def test_another_owners_passkey_proves_nothing() -> None:
    ceremony = Ceremony(Authenticator(ED_KEY))
    known = ceremony.known()

    with pytest.raises(AuthenticationRefused) as refused:
        ceremony.logs_in(known, Lie(handle=b"somebody else"))

    assert refused.value.reason is Reason.OWNER


def test_a_security_key_that_remembers_no_owner_gets_in() -> None:
    ceremony, challenge = Ceremony(Authenticator(ED_KEY)), new_challenge()
    known, proof = ceremony.known(), ceremony.proof(challenge)
    response = proof["response"]
    assert isinstance(response, dict)

    proof["response"] = response | {"userHandle": None}

    assert verify_authentication(PARTY, challenge, known, _proof(proof)).credential_id == known.credential_id


def test_whether_a_passkey_can_be_backed_up_never_changes() -> None:
    ceremony = Ceremony(Authenticator(ED_KEY))
    known = ceremony.known()

    with pytest.raises(PasskeyChanged) as refused:
        ceremony.logs_in(known, Lie(flags=ELIGIBLE))

    assert refused.value.reason is Reason.CHANGED


def test_whoever_can_not_sign_never_hears_that_a_passkey_has_changed() -> None:
    ceremony = Ceremony(Authenticator(ED_KEY))
    known = ceremony.known()

    with pytest.raises(AuthenticationRefused) as refused:
        ceremony.logs_in(known, Lie(flags=ELIGIBLE, signer=a_key(EDDSA)))

    assert refused.value.reason is Reason.SIGNATURE


def test_a_copy_of_a_passkey_is_noticed() -> None:
    owner = Ceremony(Authenticator(ED_KEY, counts=1))
    known = owner.known()
    thief = Ceremony(owner.device.copy())
    known = replace(known, sign_count=thief.logs_in(known).sign_count)

    with pytest.raises(PasskeyCloned) as refused:
        owner.logs_in(known)

    assert refused.value.slug == "passkey-cloned"


@pytest.mark.parametrize(
    ("kept", "told", "cloned"),
    [
        (0, 0, False),
        (0, 1, False),
        (1, 2, False),
        (1, 1, True),
        (2, 1, True),
        (5, 0, True),
        (2**32 - 2, 2**32 - 1, False),
    ],
)
def test_a_count_grows_or_stays_at_nought(kept: int, told: int, cloned: bool) -> None:  # noqa: FBT001
    ceremony = Ceremony(Authenticator(ED_KEY))
    known = replace(ceremony.known(), sign_count=kept)

    if not cloned:
        assert ceremony.logs_in(known, Lie(count=told)).sign_count == told
        return
    with pytest.raises(PasskeyCloned):
        ceremony.logs_in(known, Lie(count=told))


def test_nobody_but_the_owner_or_a_thief_raises_the_alarm() -> None:
    ceremony = Ceremony(Authenticator(ED_KEY))
    known = replace(ceremony.known(), sign_count=9)

    with pytest.raises(AuthenticationRefused) as refused:
        ceremony.logs_in(known, Lie(count=1, signer=a_key(-8)))

    assert refused.value.reason is Reason.SIGNATURE


@pytest.mark.parametrize(
    ("domain", "origins"),
    [("example.com", ()), ("example.com", ("https://evil.net",)), ("example.com", ("https://badexample.com",)),
     ("example.com", ("http://app.example.com",)), ("example.com", ("https://app.example.com/",)), ("", ("https://a.b",)),
     ("example.com", ("https://app.example.com", "https://evil.net"))],
)  # fmt: skip
def test_a_party_has_origins_of_its_own_domain_alone(domain: str, origins: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="origin"):
        RelyingParty(domain, "Fillstream", origins)


@pytest.mark.parametrize(
    ("domain", "origin"),
    [("localhost", "http://localhost:3000"), ("example.com", "https://example.com"), ("a.b", "https://x.y.a.b:8443")],
)
def test_a_party_may_be_anything_that_browsers_take(domain: str, origin: str) -> None:
    ceremony = Ceremony(Authenticator(ED_KEY, origin=origin), RelyingParty(domain, "Fillstream", (origin,)))

    assert ceremony.logs_in(ceremony.known()).credential_id == ceremony.device.credential_id


@pytest.mark.parametrize("handle", [b"", b"x" * 65])
def test_an_owners_handle_is_as_long_as_browsers_take(handle: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        Owner(handle, "ada@example.com", "Ada")


def test_challenges_are_long_and_differ() -> None:
    assert {len(one) for one in {new_challenge() for _ in range(50)}} == {32}
    assert len({new_challenge() for _ in range(50)}) == 50
