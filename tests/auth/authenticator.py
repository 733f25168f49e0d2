"""A passkey in software: browser and authenticator in one, true to WebAuthn until it is told to lie.

It takes the options and gives the answers as browsers do, as JSON, so that tests see what a client would.
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, random_serial_number
from cryptography.x509.oid import NameOID
from pydantic import JsonValue

Json = dict[str, JsonValue]
Key = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey
CoseKey = dict[int, int | bytes]

EDDSA, ES256, RS256 = -8, -7, -257
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def decoded(value: str) -> bytes:
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))


def a_key(algorithm: int) -> Key:
    if algorithm == EDDSA:
        return Ed25519PrivateKey.generate()
    if algorithm == ES256:
        return generate_ec_key(SECP256R1())
    return generate_rsa_key(65_537, 2048)


def cose_key(key: Key) -> CoseKey:
    """The public half, as RFC 9053 and RFC 8230 write it."""
    public = key.public_key()
    if isinstance(key, Ed25519PrivateKey):
        return {1: 1, 3: EDDSA, -1: 6, -2: public.public_bytes(Encoding.Raw, PublicFormat.Raw)}
    if isinstance(key, EllipticCurvePrivateKey):
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        middle = len(point) // 2 + 1
        return {1: 2, 3: ES256, -1: 1, -2: point[1:middle], -3: point[middle:]}
    numbers = key.public_key().public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    return {1: 3, 3: RS256, -1: modulus, -2: numbers.e.to_bytes(3, "big")}


def signed(key: Key, data: bytes) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, EllipticCurvePrivateKey):
        return key.sign(data, ECDSA(SHA256()))
    return key.sign(data, PKCS1v15(), SHA256())


@dataclass(frozen=True, slots=True)
class Lie:
    """What is said in place of the truth; it is signed as if it were true."""

    kind: str | None = None
    challenge: bytes | None = None
    rp_id: str | None = None
    client: Json = field(default_factory=dict)
    """Members of the client data, over the true ones."""
    flags: int = 0
    """Flags that are turned over."""
    count: int | None = None
    cose: CoseKey | None = None
    credential_id: bytes | None = None
    """In the answer, where the signed one is another."""
    handle: bytes | None = None
    statement: dict[str, object] | None = None
    fmt: str | None = None
    signer: Key | None = None


TRUTH = Lie()


@dataclass
class Authenticator:
    """One passkey of one person."""

    key: Key
    origin: str = "https://app.example.com"
    counts: int = 0
    """By how much each use is counted; synchronised passkeys do not count."""
    flags: int = PRESENT | VERIFIED
    statement: str = "none"
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    handle: bytes = b""
    count: int = 0
    aaguid: bytes = bytes(16)
    transports: tuple[str, ...] = ("internal", "hybrid")

    def create(self, options: Json, lie: Lie = TRUTH) -> Json:
        """`navigator.credentials.create`, as JSON."""
        user = _object(options["user"])
        self.handle = decoded(str(user["id"]))
        client = self._client_data("webauthn.create", options, lie)
        public = cbor2.dumps(lie.cose if lie.cose is not None else cose_key(self.key))
        attested = self.aaguid + len(self.credential_id).to_bytes(2, "big") + self.credential_id + public
        data = self._data(str(_object(options["rp"])["id"]), ATTESTED, lie) + attested
        stated = {
            "fmt": lie.fmt or self.statement,
            "attStmt": lie.statement if lie.statement is not None else self._statement(data, client, lie),
            "authData": data,
        }
        response: Json = {
            "clientDataJSON": encoded(client),
            "attestationObject": encoded(cbor2.dumps(stated)),
            "authenticatorData": encoded(data),
            "transports": list(self.transports),
        }
        return self._credential(response, lie)

    def get(self, options: Json, lie: Lie = TRUTH) -> Json:
        """`navigator.credentials.get`, as JSON."""
        client = self._client_data("webauthn.get", options, lie)
        data = self._data(str(options["rpId"]), 0, lie)
        response: Json = {
            "clientDataJSON": encoded(client),
            "authenticatorData": encoded(data),
            "signature": encoded(signed(lie.signer or self.key, data + hashlib.sha256(client).digest())),
            "userHandle": encoded(self.handle if lie.handle is None else lie.handle),
        }
        return self._credential(response, lie)

    def copy(self) -> Authenticator:
        """Another device with the same key, as a thief has it."""
        return replace(self)

    def _client_data(self, kind: str, options: Json, lie: Lie) -> bytes:
        challenge = str(options["challenge"]) if lie.challenge is None else encoded(lie.challenge)
        said: Json = {"type": lie.kind or kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | lie.client).encode()

    def _data(self, rp_id: str, flags: int, lie: Lie) -> bytes:
        self.count += self.counts
        count = self.count if lie.count is None else lie.count
        named = hashlib.sha256((lie.rp_id or rp_id).encode()).digest()
        return named + bytes([(self.flags | flags) ^ lie.flags]) + count.to_bytes(4, "big")

    def _statement(self, data: bytes, client: bytes, lie: Lie) -> dict[str, object]:
        if self.statement == "none":
            return {}
        if isinstance(self.key, EllipticCurvePrivateKey) and self.statement == "fido-u2f":
            return _u2f_statement(self.key, data[:32], hashlib.sha256(client).digest(), self.credential_id)
        signature = signed(lie.signer or self.key, data + hashlib.sha256(client).digest())
        return {"alg": cose_key(self.key)[3], "sig": signature}

    def _credential(self, response: Json, lie: Lie) -> Json:
        name = encoded(self.credential_id if lie.credential_id is None else lie.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }


def _u2f_statement(key: EllipticCurvePrivateKey, party: bytes, client: bytes, name: bytes) -> dict[str, object]:
    """True in every respect (section 8.6), but that the certificate is the device's own word."""
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {"sig": signed(key, b"\x00" + party + client + name + point), "x5c": [_certificate(key)]}


def _certificate(key: EllipticCurvePrivateKey) -> bytes:
    name = Name([NameAttribute(NameOID.COMMON_NAME, "a device")])
    builder = CertificateBuilder(name, name, key.public_key(), random_serial_number())
    since = datetime(2020, 1, 1, tzinfo=UTC)
    valid = builder.not_valid_before(since).not_valid_after(since + timedelta(days=36_500))
    return valid.sign(key, SHA256()).public_bytes(Encoding.DER)


def flipped(answer: Json, member: str, bit: int) -> Json:
    """The answer with one bit of one member of its response turned over."""
    response = _object(answer["response"])
    value = bytearray(decoded(str(response[member])))
    value[bit // 8 % len(value)] ^= 1 << bit % 8
    return answer | {"response": response | {member: encoded(bytes(value))}}


def _object(value: JsonValue) -> Json:
    assert isinstance(value, dict)
    return value
