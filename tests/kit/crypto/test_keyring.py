"""Does a keyring open what was sealed at a place, and nothing else? Known answers first, then everything that can be wrong."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.crypto.keyring import Keyring, Unsealable, header_of
from libs.kit.crypto.places import Place
from tests.kit.crypto.vectors import CAVP, MCGREW_VIEGA, Vector

TENANT, ROW, NEWEST, OLDER = (UUID(int=number) for number in (1, 2, 3, 4))
PLACE = Place("device", "secret", ROW)
_KEYS = {NEWEST: bytes(range(32)), OLDER: bytes(range(32, 64))}
RING = Keyring("auth", TENANT, NEWEST, {name: AESGCM(key) for name, key in _KEYS.items()})

plains = st.binary(max_size=300)
names = st.text(alphabet="abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
places = st.builds(Place, names, names, st.uuids())


@pytest.mark.parametrize("vector", [*CAVP, *MCGREW_VIEGA], ids=lambda vector: vector.name)
def test_the_cipher_gives_the_published_answers(vector: Vector) -> None:
    cipher = AESGCM(bytes.fromhex(vector.key))
    nonce, associated = bytes.fromhex(vector.nonce), bytes.fromhex(vector.associated)
    ciphertext = bytes.fromhex(vector.ciphertext)
    assert cipher.encrypt(nonce, bytes.fromhex(vector.plain), associated) == ciphertext
    assert cipher.decrypt(nonce, ciphertext, associated) == bytes.fromhex(vector.plain)
    with pytest.raises(InvalidTag):
        cipher.decrypt(nonce, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]), associated)


def test_a_sealed_value_is_laid_out_as_documented() -> None:
    # Written down anew, so that a change of the format can't pass unseen: what is in databases has to open for ever.
    sealed = RING.seal(b"hush", PLACE)
    bound = b"\x01" + NEWEST.bytes + TENANT.bytes + ROW.bytes + b"\x00\x04auth\x00\x06device\x00\x06secret"
    assert sealed[:17] == b"\x01" + NEWEST.bytes
    assert AESGCM(_KEYS[NEWEST]).decrypt(sealed[17:29], sealed[29:], bound) == b"hush"


def test_a_value_of_the_first_release_opens_still() -> None:
    sealed = f"01{NEWEST.hex}{'0b' * 12}c0fb61c9c1c8db3f3563a2b6c2d8c80d72a91899"
    assert RING.open(bytes.fromhex(sealed), PLACE) == b"hush"


@given(plains, places)
def test_what_is_sealed_at_a_place_opens_there(plain: bytes, place: Place) -> None:
    assert RING.open(RING.seal(plain, place), place) == plain


@given(plains)
def test_the_same_value_is_sealed_differently_each_time(plain: bytes) -> None:
    assert len({RING.seal(plain, PLACE) for _ in range(5)}) == 5


@given(plains, st.data())
def test_any_flipped_byte_is_found(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(RING.seal(plain, PLACE))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Unsealable):
        RING.open(bytes(sealed), PLACE)


@given(plains, st.data())
def test_any_truncation_is_found(plain: bytes, data: st.DataObject) -> None:
    sealed = RING.seal(plain, PLACE)
    with pytest.raises(Unsealable):
        RING.open(sealed[: data.draw(st.integers(0, len(sealed) - 1))], PLACE)


@given(plains, places, places)
def test_a_value_that_is_moved_to_another_place_does_not_open(plain: bytes, here: Place, there: Place) -> None:
    sealed = RING.seal(plain, here)
    if here != there:
        with pytest.raises(Unsealable):
            RING.open(sealed, there)


@pytest.mark.parametrize(
    "there",
    [
        replace(PLACE, table="other"),
        replace(PLACE, column="other"),
        replace(PLACE, row=UUID(int=9)),
        # The same letters, cut elsewhere.
        Place("devices", "ecret", ROW),
    ],
    ids=["table", "column", "row", "border"],
)
def test_every_part_of_a_place_counts(there: Place) -> None:
    with pytest.raises(Unsealable):
        RING.open(RING.seal(b"hush", PLACE), there)


@pytest.mark.parametrize("ring", [replace(RING, tenant_id=UUID(int=9)), replace(RING, schema="orders")])
def test_a_value_of_another_workspace_or_context_does_not_open_even_with_the_same_key(ring: Keyring) -> None:
    with pytest.raises(Unsealable):
        ring.open(RING.seal(b"hush", PLACE), PLACE)


def test_older_keys_open_and_the_newest_seals() -> None:
    sealed = replace(RING, newest=OLDER).seal(b"hush", PLACE)
    assert sealed.startswith(header_of(OLDER))
    assert RING.open(sealed, PLACE) == b"hush"
    assert RING.seal(b"hush", PLACE).startswith(header_of(NEWEST))


def test_a_value_under_a_key_that_is_gone_says_whose_it_was() -> None:
    ring = Keyring("auth", TENANT, OLDER, {OLDER: AESGCM(_KEYS[OLDER])})
    with pytest.raises(Unsealable, match=rf"device\.secret of {ROW} in auth .* workspace {TENANT}"):
        ring.open(RING.seal(b"hush", PLACE), PLACE)


@given(st.binary(min_size=8, max_size=64))
def test_neither_errors_nor_a_printed_keyring_tell_a_secret(plain: bytes) -> None:
    sealed = RING.seal(plain, PLACE)
    with pytest.raises(Unsealable) as told:
        RING.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), PLACE)
    text = f"{told.value!r} {told.value.__context__!r} {RING!r}"
    for secret in (plain, sealed, *_KEYS.values()):
        assert repr(secret)[2:-1] not in text
        assert secret.hex() not in text


@given(st.binary(max_size=60))
def test_whatever_is_no_sealed_value_is_refused(garbage: bytes) -> None:
    with pytest.raises(Unsealable):
        RING.open(garbage, PLACE)
