"""The RFCs' own examples: what they sign is what we check, and none of their tokens opens a door of ours."""

from __future__ import annotations

import hashlib
import json
import time
from base64 import urlsafe_b64decode

import pytest
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey

from libs.kit.errors import Unauthenticated
from libs.kit.ids import uuid7
from libs.kit.security import ACCESS_TOKEN_TYPE, ALGORITHM, TokenVerifier
from services.auth.keys import key_id, public_jwk
from tests.keysets import keyset_url, vault_at

Jwk = dict[str, str | list[str]]

# RFC 8037, appendices A.1, A.3 and A.4.
ED25519: Jwk = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
SIGNED = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)

# RFC 7519, sections 3.1 and 6.1; the first is RFC 7515's appendix A.1, too.
CLAIMS = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
HMAC_KEY: Jwk = {
    "kty": "oct",
    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
}
HMAC = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
UNSECURED = f"eyJhbGciOiJub25lIn0.{CLAIMS}."

# RFC 7515, appendices A.3 and A.4.
P256: Jwk = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
ES256 = (
    f"eyJhbGciOiJFUzI1NiJ9.{CLAIMS}."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
P521: Jwk = {
    "kty": "EC",
    "crv": "P-521",
    "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
    "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
}
ES512 = (
    "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA."
    "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2Y"
    "BJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
)

_OWN = OKPKey.import_key(ED25519, {"kid": THUMBPRINT})


def test_a_key_is_called_by_the_thumbprint_of_rfc_8037() -> None:
    key = OKPKey.import_key(ED25519)
    key.ensure_kid()

    assert key_id(key) == THUMBPRINT
    # RFC 7638, section 3: by hand, over the members that a key needs, in order.
    members = json.dumps({name: ED25519[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
    assert hashlib.sha256(members.encode()).digest() == urlsafe_b64decode(THUMBPRINT + "=")


def test_the_world_is_told_the_public_half_alone() -> None:
    public = public_jwk(_OWN)

    assert public == {name: ED25519[name] for name in ("kty", "crv", "x")} | {"kid": THUMBPRINT}


async def test_a_wrapped_key_signs_as_it_did() -> None:
    vault = vault_at(keyset_url())
    opened = await vault.open(THUMBPRINT, await vault.seal(_OWN))

    assert jws.serialize_compact({"alg": "Ed25519"}, b"x", opened, algorithms=["Ed25519"]) == jws.serialize_compact(
        {"alg": "Ed25519"}, b"x", _OWN, algorithms=["Ed25519"]
    )


def test_ed25519_signs_what_rfc_8037_signs() -> None:
    head, payload, signature = SIGNED.split(".")

    # RFC 9864 gave EdDSA over this curve the name that we sign under; the signature is the same function.
    assert _raw_signature(f"{head}.{payload}".encode()) == urlsafe_b64decode(signature + "==")


@pytest.mark.parametrize(
    ("token", "key", "algorithm", "payload"),
    [
        (HMAC, OctKey.import_key(HMAC_KEY), "HS256", urlsafe_b64decode(CLAIMS + "==")),
        (ES256, ECKey.import_key(P256), "ES256", urlsafe_b64decode(CLAIMS + "==")),
        (ES512, ECKey.import_key(P521), "ES512", b"Payload"),
    ],
)
def test_the_librarys_signatures_are_those_of_rfc_7515(
    token: str, key: OctKey | ECKey, algorithm: str, payload: bytes
) -> None:
    assert jws.deserialize_compact(token, key, algorithms=[algorithm]).payload == payload
    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(f"{token[:-8]}AAAAAAAA", key, algorithms=[algorithm])


async def test_a_token_of_the_rfcs_key_is_taken_once_it_is_one_of_ours() -> None:
    # The baseline: what is refused below is refused for itself, not for its key.
    caller = await _verifier(_OWN).verify(_access_token())

    assert caller.scopes == {"orders:read"}


@pytest.mark.parametrize(
    ("token", "key"),
    [(UNSECURED, _OWN), (HMAC, OctKey.import_key(HMAC_KEY)), (ES256, ECKey.import_key(P256)),
     (ES512, ECKey.import_key(P521)), (SIGNED, _OWN)],
    ids=["unsecured", "HMAC", "ES256", "ES512", "EdDSA"],
)  # fmt: skip
async def test_no_token_of_an_rfc_opens_a_door_even_with_its_key_among_ours(
    token: str, key: OKPKey | OctKey | ECKey
) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await _verifier(key).verify(token)

    # For its algorithm, before anything that it claims is looked at.
    assert isinstance(refused.value.__cause__, JoseError)
    assert "exp" not in str(refused.value.__cause__)


async def test_a_token_of_ours_without_its_signature_opens_none() -> None:
    _, claims, _ = _access_token().split(".")
    head = UNSECURED.partition(".")[0]

    for token in (f"{head}.{claims}.", f"{head}.{claims}"):
        with pytest.raises(Unauthenticated):
            await _verifier(_OWN).verify(token)


def _verifier(key: OKPKey | OctKey | ECKey) -> TokenVerifier:
    async def keys() -> KeySet:
        return KeySet([key])

    return TokenVerifier(keys, "fillstream", "fillstream")


def _access_token() -> str:
    claims: dict[str, object] = {
        "iss": "fillstream", "aud": "fillstream", "sub": str(uuid7()), "tid": str(uuid7()), "jti": str(uuid7()),
        "scope": "orders:read", "iat": int(time.time()), "exp": int(time.time()) + 60,
    }  # fmt: skip
    header = {"alg": ALGORITHM, "typ": ACCESS_TOKEN_TYPE, "kid": THUMBPRINT}
    return jwt.encode(header, claims, _OWN, algorithms=[ALGORITHM])


def _raw_signature(data: bytes) -> bytes:
    return jws.JWSRegistry.algorithms["Ed25519"].sign(data, _OWN)
