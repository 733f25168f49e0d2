"""Whatever comes in as a passkey's answer is a passkey or refused, and nothing else happens."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import JsonValue, ValidationError

from libs.kit.errors import Rejected
from services.auth.passkeys import (
    AuthenticationAnswer,
    KnownPasskey,
    Owner,
    RegistrationAnswer,
    RelyingParty,
    authentication_options,
    registration_options,
    verify_authentication,
    verify_registration,
)
from tests.auth.authenticator import EDDSA, ES256, Authenticator, Json, Lie, a_key, cose_key, decoded, encoded

PARTY = RelyingParty("example.com", "Fillstream", ("https://app.example.com",))
CHALLENGE = b"c" * 32
DEVICE = Authenticator(a_key(EDDSA), statement="packed")


def _made() -> Json:
    options = registration_options(PARTY, Owner(b"ada", "ada", "Ada"), CHALLENGE, ())
    return DEVICE.create(options.model_dump(mode="json", by_alias=True))


def _proof() -> Json:
    return DEVICE.get(authentication_options(PARTY, CHALLENGE, ()).model_dump(mode="json", by_alias=True))


MADE, PROOF = _made(), _proof()


def _known() -> KnownPasskey:
    made = verify_registration(PARTY, CHALLENGE, RegistrationAnswer.model_validate(MADE))
    return KnownPasskey(made.credential_id, made.public_key, b"ada", 0, (), made.backup_eligible)


KNOWN = _known()
KEYS = {algorithm: a_key(algorithm) for algorithm in (EDDSA, ES256, -257)}


def _registers(said: JsonValue) -> None:
    verify_registration(PARTY, CHALLENGE, RegistrationAnswer.model_validate(said))


def _proves(said: JsonValue) -> None:
    verify_authentication(PARTY, CHALLENGE, KNOWN, AuthenticationAnswer.model_validate(said))


def _response(answer: Json) -> Json:
    response = answer["response"]
    assert isinstance(response, dict)
    return response


def _with(answer: Json, **members: JsonValue) -> Json:
    return answer | {"response": _response(answer) | members}


JSON: SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
# What CBOR can say, tags and all: webauthn is handed dates, fractions and sets where it looks for bytes.
CBOR = st.recursive(
    st.none() | st.booleans() | st.integers() | st.binary(max_size=80) | st.text(max_size=8) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.dictionaries(st.integers(-9, 9) | st.text(max_size=8), inner, max_size=8)
        | st.builds(cbor2.CBORTag, st.integers(0, 300), inner)
    ),
    max_leaves=12,
)


def test_the_answers_that_others_are_made_from_are_true() -> None:
    _registers(MADE)
    _proves(PROOF)


@given(JSON, st.sampled_from(["id", "rawId", "type", "response", "authenticatorAttachment"]))
def test_any_json_in_place_of_a_member_is_refused(value: JsonValue, member: str) -> None:
    for judge, answer in ((_registers, MADE), (_proves, PROOF)):
        with suppress(ValidationError, Rejected):
            judge(answer | {member: value})
            assert member == "authenticatorAttachment" or value == answer[member], "taken"


@given(JSON)
def test_any_json_in_place_of_an_answer_is_refused(value: JsonValue) -> None:
    for judge in (_registers, _proves):
        with pytest.raises(ValidationError):
            judge(value)


@given(JSON, st.sampled_from(["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]))
def test_any_json_in_place_of_what_was_signed_is_refused(value: JsonValue, member: str) -> None:
    for judge, answer in ((_registers, MADE), (_proves, PROOF)):
        if member in _response(answer) and (judge, member) != (_registers, "authenticatorData"):
            with suppress(ValidationError, Rejected):
                judge(_with(answer, **{member: value}))
                assert (member, value) == ("userHandle", None), "taken"


@given(st.text() | JSON.map(json.dumps) | st.just("[" * 6000))
def test_any_text_in_place_of_client_data_is_refused(said: str) -> None:
    data = encoded(said.encode(errors="replace")[:6000])
    for judge, answer in ((_registers, MADE), (_proves, PROOF)):
        with pytest.raises(Rejected):
            judge(_with(answer, clientDataJSON=data))


@given(JSON, st.sampled_from(["type", "challenge", "origin", "crossOrigin", "tokenBinding", "topOrigin"]))
def test_any_json_that_a_browser_says_is_true_or_refused(value: JsonValue, member: str) -> None:
    options = authentication_options(PARTY, CHALLENGE, ()).model_dump(mode="json", by_alias=True)
    with suppress(Rejected):
        _proves(DEVICE.get(options, Lie(client={member: value})))
        assert member in {"tokenBinding", "topOrigin"} or (member, value) == ("crossOrigin", False), "taken"


@given(st.binary(max_size=300))
def test_any_bytes_in_place_of_what_the_device_says_are_refused(data: bytes) -> None:
    with pytest.raises(Rejected):
        _registers(_with(MADE, attestationObject=encoded(data)))
    for member in ("authenticatorData", "signature"):
        with pytest.raises(Rejected):
            _proves(_with(PROOF, **{member: encoded(data)}))


@given(CBOR)
def test_any_cbor_in_place_of_an_attestation_is_refused(value: object) -> None:
    with pytest.raises(Rejected):
        _registers(_with(MADE, attestationObject=encoded(cbor2.dumps(value))))


@given(CBOR, st.sampled_from(["fmt", "attStmt", "authData"]))
def test_any_cbor_in_an_attestation_is_refused(value: object, member: str) -> None:
    stated = cbor2.loads(decoded(str(_response(MADE)["attestationObject"])))
    with pytest.raises(Rejected):
        _registers(_with(MADE, attestationObject=encoded(cbor2.dumps(stated | {member: value}))))


@given(CBOR, st.sampled_from(["alg", "sig", "x5c"]))
def test_any_cbor_in_a_statement_makes_a_passkey_or_none(value: object, member: str) -> None:
    stated = cbor2.loads(decoded(str(_response(MADE)["attestationObject"])))
    stated["attStmt"] |= {member: value}
    with suppress(Rejected):
        _registers(_with(MADE, attestationObject=encoded(cbor2.dumps(stated))))
        assert (member, bool(value)) == ("x5c", False), "taken"


@given(st.sampled_from([EDDSA, ES256, -257]), st.sampled_from([1, 3, -1, -2, -3]), CBOR)
def test_any_cbor_in_a_key_makes_a_passkey_or_none(algorithm: int, member: int, value: object) -> None:
    _registers_if_it_will(cbor2.dumps({**cose_key(KEYS[algorithm]), member: value}))


@given(CBOR | st.binary(max_size=100))
def test_any_cbor_in_place_of_a_key_makes_a_passkey_or_none(value: object) -> None:
    _registers_if_it_will(cbor2.dumps(value))


# Each is short, and was made to take time, memory or the stack.
HOSTILE = {
    "a decimal of a billion digits": b"\xc4\x82\x1a\x3b\x9a\xca\x00\x01",
    "a float of a billion digits": b"\xc5\x82\x1a\x3b\x9a\xca\x00\x01",
    "a list of two to the 62 items": b"\x9b\x3f\xff\xff\xff\xff\xff\xff\xff\x01",
    "a text of a gigabyte": b"\x7a\x3f\xff\xff\xff\x41",
    "lists in lists": b"\x81" * 12_000 + b"\x01",
    "maps in maps": b"\xa1\x01" * 6_000 + b"\x01",
    "tags of tags": b"\xc1" * 12_000 + b"\x01",
    "a list within itself": b"\xd8\x1c\x81\xd8\x1d\x00",
    "a pattern": b"\xd8\x23" + cbor2.dumps("(" * 5_000 + ")" * 5_000),
    "a date past all dates": cbor2.dumps(cbor2.CBORTag(1, 10**300)),
    "not a number": b"\xc4\x82\x00\xf9\x7e\x00",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_cbor_that_was_made_to_hurt_is_refused(name: str) -> None:
    with pytest.raises(Rejected):
        _registers(_with(MADE, attestationObject=encoded(HOSTILE[name])))
    with pytest.raises(Rejected):
        _registers(_none_with_key(HOSTILE[name]))


def _registers_if_it_will(public_key: bytes) -> None:
    with suppress(Rejected):
        _registers(_none_with_key(public_key))


def _none_with_key(public_key: bytes) -> Json:
    named = hashlib.sha256(b"example.com").digest() + b"\x45" + bytes(4)
    attested = bytes(16) + len(DEVICE.credential_id).to_bytes(2, "big") + DEVICE.credential_id + public_key
    stated = {"fmt": "none", "attStmt": {}, "authData": named + attested}
    return _with(MADE, attestationObject=encoded(cbor2.dumps(stated)))


@given(st.data())
def test_a_part_of_an_answer_is_no_answer(data: st.DataObject) -> None:
    for judge, answer, members in (
        (_registers, MADE, ["clientDataJSON", "attestationObject"]),
        (_proves, PROOF, ["clientDataJSON", "authenticatorData", "signature"]),
    ):
        member = data.draw(st.sampled_from(members))
        whole = decoded(str(_response(answer)[member]))
        end = data.draw(st.integers(0, len(whole) - 1))
        with pytest.raises(Rejected):
            judge(_with(answer, **{member: encoded(whole[:end])}))


@pytest.mark.parametrize(
    ("member", "longest"),
    [("clientDataJSON", 8_192), ("attestationObject", 16_384), ("authenticatorData", 16_384), ("signature", 16_384),
     ("userHandle", 88)],
)  # fmt: skip
def test_an_oversized_answer_is_not_looked_at(member: str, longest: int) -> None:
    for model, answer in ((RegistrationAnswer, MADE), (AuthenticationAnswer, PROOF)):
        if member not in _response(answer) or (model is RegistrationAnswer and member == "authenticatorData"):
            continue
        model.model_validate(_with(answer, **{member: "A" * longest}))
        with pytest.raises(ValidationError):
            model.model_validate(_with(answer, **{member: "A" * (longest + 4)}))


@pytest.mark.parametrize("text", ["A", "AAAAA", "AA==", "AA+/", "A A", "\u0410\u0410", "AAAA\n", ""])
def test_an_id_is_base64url_of_whole_bytes(text: str) -> None:
    with pytest.raises(ValidationError):
        AuthenticationAnswer.model_validate(PROOF | {"id": text, "rawId": text})


@pytest.mark.parametrize("change", [{"id": "AAAA"}, {"rawId": "AAAA"}])
def test_an_id_that_is_not_its_raw_form_is_refused(change: Json) -> None:
    for judge, answer in ((_registers, MADE), (_proves, PROOF)):
        with pytest.raises(Rejected):
            judge(answer | change)


def test_what_browsers_will_send_one_day_is_passed_over() -> None:
    _registers(_with(MADE, newMember=1) | {"newMember": {}})
    _proves(_with(PROOF, newMember=1) | {"newMember": {}})
