"""The stand-alone verifier is right about signatures and canonical JSON, and never lost for an answer."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.audit.verify import ORDER, BrokenTrail, P, canonical, ed25519_verifies, public_keys, verify
from libs.kit.ids import uuid7
from services.auth.audit.canonical import Json
from services.auth.audit.canonical import canonical as ours
from services.auth.audit.export import line_of, opening
from services.auth.audit.heads import Head, sign_head
from services.auth.keys import generate_key, public_jwk
from tests.auth.trails import VALUES, a_chain, verifier

# RFC 8032, section 7.1: public key, message, signature.
VECTORS = {
    "TEST 1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "TEST 2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "TEST 3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "TEST SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}


def _signed_by(secret: bytes, message: bytes) -> tuple[bytes, bytes]:
    key = Ed25519PrivateKey.from_private_bytes(secret)
    return key.public_key().public_bytes_raw(), key.sign(message)


def _library_says(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("name", VECTORS)
def test_the_signatures_of_rfc_8032_verify(name: str) -> None:
    key, message, signature = map(bytes.fromhex, VECTORS[name])
    assert ed25519_verifies(key, message, signature)
    assert not ed25519_verifies(key, message + b"\0", signature)


def test_the_example_of_rfc_8037_appendix_a_4_verifies() -> None:
    key = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    signature = base64.urlsafe_b64decode(
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg=="
    )
    assert ed25519_verifies(key, b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", signature)


@settings(max_examples=25)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100), st.integers(0, 64 * 8 - 1))
def test_what_a_library_signed_verifies_and_with_a_flipped_bit_it_does_not(
    secret: bytes, message: bytes, bit: int
) -> None:
    key, signature = _signed_by(secret, message)
    flipped = (int.from_bytes(signature, "little") ^ (1 << bit)).to_bytes(64, "little")

    assert ed25519_verifies(key, message, signature)
    assert not ed25519_verifies(key, message, flipped)


@settings(max_examples=25)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_any_bytes_are_taken_for_what_the_library_takes_them_for(key: bytes, signature: bytes) -> None:
    assert ed25519_verifies(key, b"", signature) == _library_says(key, b"", signature)


@pytest.mark.parametrize("length", [0, 31, 63, 65])
def test_a_signature_of_another_length_does_not_verify(length: int) -> None:
    key, signature = _signed_by(bytes(32), b"")
    assert not ed25519_verifies(key, b"", (signature + b"\0" * 8)[:length])
    assert not ed25519_verifies((key + key)[:length], b"", signature)


def test_a_second_signature_that_says_the_same_does_not_verify() -> None:
    # Section 5.1.7 wants S below the group's order: otherwise everybody could write a signature in another way.
    key, signature = _signed_by(bytes(32), b"")
    again = int.from_bytes(signature[32:], "little") + ORDER
    assert not ed25519_verifies(key, b"", signature[:32] + again.to_bytes(32, "little"))


@pytest.mark.parametrize("number", [P, P + 1, 1 << 255 | 1, 2])
def test_what_is_no_point_is_no_key(number: int) -> None:
    _, signature = _signed_by(bytes(32), b"")
    assert not ed25519_verifies(number.to_bytes(32, "little"), b"", signature)


@given(VALUES)
def test_both_sides_write_a_value_in_the_same_way(value: Json) -> None:
    assert canonical(json.loads(json.dumps(value))) == ours(value)


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """An export that holds."""
    here, pair = uuid7(), generate_key()
    links = a_chain(here, 5)
    return [opening(here, sign_head(pair, Head(here, 5, links[-1].hash)), [public_jwk(pair)]), *map(line_of, links)]


def test_an_export_holds(lines: list[bytes]) -> None:
    assert verify(lines, None, []).head.sequence == 5


def test_an_export_holds_however_its_lines_are_spaced(lines: list[bytes]) -> None:
    assert verify([json.dumps(json.loads(line), indent=1).encode() for line in lines], None, []).head.sequence == 5


@given(st.data())
def test_a_changed_byte_is_found_or_changes_nothing(lines: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[place]) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = lines[place][:at] + bytes([byte]) + lines[place][at + 1 :]
    found = [*lines[:place], changed, *lines[place + 1 :]]
    if changed.strip() == lines[place].strip():
        assert verify(found, None, []).head.sequence == 5
        return
    with pytest.raises(BrokenTrail, match=f"line {place + 1}: "):
        verify(found, None, [])


@given(st.lists(st.binary(max_size=50), max_size=3))
def test_whatever_stands_in_a_file_only_ever_is_a_broken_trail(lines: list[bytes]) -> None:
    with pytest.raises(BrokenTrail):
        verify(lines, None, [])


@pytest.mark.parametrize(
    ("place", "line", "why"),
    [
        (0, b"{}", "is not the first line of an export"),
        (0, b'{"format":"fillstream-audit-v1","jwks":{"keys":[]},"head":"a.b.c"}', "no signed head"),
        (0, b'{"format":"fillstream-audit-v1","jwks":[]}', "no JSON Web Key Set"),
        (2, b"[]", "is no JSON object"),
        (2, b'{"entry":1,"entry":2}', "has a name twice"),
        (2, b'{"entry":{"sequence":2.5}}', "is missing or out of order"),
        (2, b'{"entry":{"sequence":2,"workspace_id":"\\ud800"}}', "belongs to another workspace"),
        (2, b"[" * 100_000, "is no JSON"),
    ],
)
def test_a_line_that_is_none_is_named(lines: list[bytes], place: int, line: bytes, why: str) -> None:
    with pytest.raises(BrokenTrail, match=rf"line {place + 1}: .*{why}"):
        verify([*lines[:place], line, *lines[place + 1 :]], None, [])


def test_a_head_of_another_workspace_is_named(lines: list[bytes]) -> None:
    header = json.loads(lines[0]) | {"workspace_id": str(uuid7())}
    with pytest.raises(BrokenTrail, match="line 1: the head is another workspace's"):
        verify([json.dumps(header).encode(), *lines[1:]], None, [])


def test_kept_heads_of_other_workspaces_say_nothing(lines: list[bytes]) -> None:
    header, pair = json.loads(lines[0]), generate_key()
    keys = public_keys(header["jwks"]) | public_keys({"keys": [public_jwk(pair)]})
    kept = sign_head(pair, Head(uuid7(), 99, bytes(32)))
    assert verify(lines, keys, [kept]).head.sequence == 5


def test_two_signed_truths_about_one_entry_are_named(lines: list[bytes]) -> None:
    header, pair = json.loads(lines[0]), generate_key()
    keys = public_keys(header["jwks"]) | public_keys({"keys": [public_jwk(pair)]})
    kept = sign_head(pair, Head(UUID(header["workspace_id"]), 5, bytes(32)))
    with pytest.raises(BrokenTrail, match="entry 5 was written anew"):
        verify(lines, keys, [kept])


def test_heads_that_were_told_between_those_that_were_kept_are_missed(lines: list[bytes]) -> None:
    header, pair = json.loads(lines[0]), generate_key()
    keys = public_keys(header["jwks"]) | public_keys({"keys": [public_jwk(pair)]})
    here, hashes = UUID(header["workspace_id"]), [bytes.fromhex(json.loads(line)["hash"]) for line in lines[1:]]
    told = [sign_head(pair, Head(here, n, hashes[n - 1], n - 1)) for n in (1, 2, 3, 4, 5)]

    assert verify(lines, keys, told).lacking == ()
    assert verify(lines, keys, told[2:]).lacking == ()
    assert verify(lines, keys, [told[0], told[3], told[4]]).lacking == (3,)


async def test_the_script_says_what_it_wants_and_never_falls_over(tmp_path: Path) -> None:
    nothing, garbage = tmp_path / "nothing.jsonl", tmp_path / "garbage.jsonl"
    garbage.write_bytes(b"\xff\xfe\x00")

    said = [await verifier(nothing), await verifier(garbage), await verifier("--help"), await verifier()]

    assert [one.status for one in said] == [1, 1, 0, 2]
    assert not any("Traceback" in one.err for one in said)
    assert "Exits with 0 when all holds" in said[2].out
