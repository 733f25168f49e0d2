"""Which services hold keys in tests? Servers that speak the protocols of AWS KMS, Cloud KMS and Vault, and can misbehave."""

from __future__ import annotations

import asyncio
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from libs.kit.crypto.crc32c import crc32c


class Mood(Enum):
    """How a service behaves."""

    WELL = auto()
    BROKEN = auto()
    THROTTLED = auto()
    FORBIDDEN = auto()
    SILENT = auto()
    TRUNCATED = auto()
    GARBLED = auto()


class Wrong(Exception):
    """A ciphertext that is not of this key, or a question that makes no sense."""


@dataclass
class Versions:
    """The versions of one key, the newest last."""

    keys: list[AESGCM] = field(default_factory=lambda: [AESGCM(os.urandom(32))])

    def rotate(self) -> None:
        self.keys.append(AESGCM(os.urandom(32)))

    def encrypt(self, plain: bytes, bound: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self.keys[-1].encrypt(nonce, plain, bound)

    def decrypt(self, sealed: bytes, bound: bytes) -> bytes:
        for key in self.keys:
            try:
                return key.decrypt(sealed[:12], sealed[12:], bound)
            except (InvalidTag, ValueError):
                continue
        raise Wrong


@dataclass
class FakeService:
    """What the three have in common: keys, a mood, and what was asked."""

    keys: dict[str, Versions]
    mood: Mood = Mood.WELL
    asked: list[str] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(
        self, work: Callable[[], Awaitable[Response]], *, broken: Response, throttled: Response
    ) -> Response:
        """Do the work as the mood wants it."""
        if self.mood is Mood.SILENT:
            await self.released.wait()
        if self.mood is Mood.BROKEN:
            return broken
        if self.mood is Mood.THROTTLED:
            return throttled
        response = await work()
        if self.mood is Mood.TRUNCATED:
            return Response(bytes(response.body)[:25], media_type=response.media_type)
        return response


def _b64(data: bytes) -> str:
    return b64encode(data).decode()


class Vault(FakeService):
    """The transit engine of Vault at `/v1/transit`."""

    token = "s.made-up"

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/transit/{operation}/{key}")
        async def data(operation: str, key: str, request: Request) -> Response:
            return await self._answer(operation, key, request)

        @app.post("/v1/transit/keys/{key}/rotate")
        async def rotate(key: str, request: Request) -> Response:
            return await self._answer("rotate", key, request)

        return app

    async def _answer(self, operation: str, key: str, request: Request) -> Response:
        body = await request.json()
        self.asked.append(operation)
        if request.headers.get("x-vault-token") != self.token or self.mood is Mood.FORBIDDEN:
            return JSONResponse({"errors": ["permission denied"]}, 403)

        async def work() -> Response:
            try:
                return JSONResponse({"data": self._do(operation, key, body), "lease_id": ""})
            except (Wrong, KeyError, ValueError, IndexError):
                return JSONResponse({"errors": ["cipher: message authentication failed"]}, 400)

        return await self.answer(
            work,
            broken=JSONResponse({"errors": ["Vault is sealed"]}, 503),
            throttled=JSONResponse({"errors": ['request path "transit": rate limit quota exceeded']}, 429),
        )

    def _do(self, operation: str, name: str, body: dict[str, str]) -> dict[str, object]:
        key = self.keys[name]
        if operation == "rotate":
            key.rotate()
            return {"name": name, "latest_version": len(key.keys)}
        bound = b64decode(body["associated_data"], validate=True)
        if operation == "encrypt":
            sealed = key.encrypt(b64decode(body["plaintext"], validate=True), bound)
            if self.mood is Mood.GARBLED:
                return {"ciphertext": _b64(sealed)}
            return {"ciphertext": f"vault:v{len(key.keys)}:{_b64(sealed)}", "key_version": len(key.keys)}
        vault, version, text = body["ciphertext"].split(":")
        if vault != "vault":
            raise Wrong
        [one] = [key.keys[int(version.removeprefix("v")) - 1]]
        plain = Versions([one]).decrypt(b64decode(text, validate=True), bound)
        return {"plaintext": "%%" if self.mood is Mood.GARBLED else _b64(plain)}


class CloudKms(FakeService):
    """Cloud KMS at `/v1/projects/...`, and Google's token endpoint at `/token`."""

    token = "ya29.made-up"

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/token")
        async def token() -> dict[str, object]:
            return {"access_token": self.token, "expires_in": 3600, "token_type": "Bearer"}

        @app.post("/v1/{name:path}")
        async def data(name: str, request: Request) -> Response:
            return await self._answer(*name.rsplit(":", 1), request)  # type: ignore[call-arg, arg-type]

        return app

    async def _answer(self, name: str, operation: str, request: Request) -> Response:
        body = await request.json()
        self.asked.append(operation)
        if request.headers.get("authorization") != f"Bearer {self.token}" or self.mood is Mood.FORBIDDEN:
            return _google(403, "PERMISSION_DENIED")
        if name not in self.keys:
            return _google(404, "NOT_FOUND")

        async def work() -> Response:
            try:
                return JSONResponse(self._do(operation, name, body))
            except (Wrong, KeyError, ValueError):
                return _google(400, "INVALID_ARGUMENT")

        return await self.answer(work, broken=_google(503, "UNAVAILABLE"), throttled=_google(429, "RESOURCE_EXHAUSTED"))

    def _do(self, operation: str, name: str, body: dict[str, str]) -> dict[str, object]:
        key, bound = self.keys[name], _verified(body, "additionalAuthenticatedData")
        # A service that damages what it answers sends a checksum of what it meant.
        damage = 1 if self.mood is Mood.GARBLED else 0
        if operation == "decrypt":
            plain = key.decrypt(_verified(body, "ciphertext"), bound)
            checksum = str(crc32c(plain) ^ damage)
            return {"plaintext": _b64(plain), "plaintextCrc32c": checksum, "usedPrimary": True}
        sealed = key.encrypt(_verified(body, "plaintext"), bound)
        return {
            "name": f"{name}/cryptoKeyVersions/{len(key.keys)}",
            "ciphertext": _b64(sealed),
            "ciphertextCrc32c": str(crc32c(sealed) ^ damage),
            "verifiedPlaintextCrc32c": True,
            "verifiedAdditionalAuthenticatedDataCrc32c": True,
            "protectionLevel": "SOFTWARE",
        }


def _google(status: int, name: str) -> Response:
    return JSONResponse({"error": {"code": status, "status": name, "message": "no"}}, status)


def _verified(body: dict[str, str], name: str) -> bytes:
    data = b64decode(body[name], validate=True)
    if int(body[f"{name}Crc32c"]) != crc32c(data):
        raise Wrong
    return data


class AwsKmsServer(FakeService):
    """AWS KMS at `/`: JSON 1.1, the operation in `X-Amz-Target`, signed with signature version 4."""

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/")
        async def data(request: Request) -> Response:
            return await self._answer(request)

        return app

    async def _answer(self, request: Request) -> Response:
        operation = request.headers.get("x-amz-target", "").removeprefix("TrentService.")
        self.asked.append(operation)
        signed = request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=")
        if not signed or "x-amz-date" not in request.headers or self.mood is Mood.FORBIDDEN:
            return _amazon("AccessDeniedException", 400)
        body = json.loads(await request.body())

        async def work() -> Response:
            try:
                return _amazon_json(self._do(operation, body))
            except KeyError:
                return _amazon("NotFoundException", 400)
            except (Wrong, ValueError):
                return _amazon("InvalidCiphertextException", 400)

        return await self.answer(
            work, broken=_amazon("KMSInternalException", 500), throttled=_amazon("ThrottlingException", 400)
        )

    def _do(self, operation: str, body: dict[str, object]) -> dict[str, object]:
        if operation == "Encrypt":
            sealed = self._key(body["KeyId"]).encrypt(_bytes(body["Plaintext"]), _context(body["EncryptionContext"]))
            return self._named(body["KeyId"], CiphertextBlob=_b64(sealed))
        if operation == "Decrypt":
            bound = _context(body["EncryptionContext"])
            plain = self._key(body["KeyId"]).decrypt(_bytes(body["CiphertextBlob"]), bound)
            return self._named(body["KeyId"], Plaintext=_b64(plain))
        if operation != "ReEncrypt":
            raise KeyError(operation)
        source = _context(body["SourceEncryptionContext"])
        plain = self._key(body["SourceKeyId"]).decrypt(_bytes(body["CiphertextBlob"]), source)
        bound = _context(body["DestinationEncryptionContext"])
        sealed = self._key(body["DestinationKeyId"]).encrypt(plain, bound)
        return self._named(body["DestinationKeyId"], CiphertextBlob=_b64(sealed))

    def _key(self, name: object) -> Versions:
        return self.keys[str(name).rpartition("/")[2]]

    def _named(self, name: object, **parts: str) -> dict[str, object]:
        if self.mood is Mood.GARBLED:
            return {"Said": "nothing"}
        return {"KeyId": f"arn:aws:kms:eu-west-1:111122223333:key/{str(name).rpartition('/')[2]}", **parts}


def _bytes(text: object) -> bytes:
    return b64decode(str(text), validate=True)


def _context(names: object) -> bytes:
    return json.dumps(names, sort_keys=True).encode()


def _amazon(code: str, status: int) -> Response:
    return _amazon_json({"__type": code, "message": "no"}, status)


def _amazon_json(body: dict[str, object], status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type="application/x-amz-json-1.1")
