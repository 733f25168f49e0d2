"""How does AWS KMS guard the data keys? Its API encrypts them, with the binding as encryption context.

By botocore, which signs requests and finds credentials, in threads: it knows no asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, parse_qs, unquote

from libs.kit.crypto.key_encryption import (
    ANSWER_SECONDS,
    Binding,
    KeyEncryption,
    KeyRefused,
    KeyServiceAway,
    Unwrappable,
    WrappedKey,
)
from libs.kit.crypto.threads import Threads, key_threads
from libs.kit.settings import Settings

if TYPE_CHECKING:
    # Its package is an extra.
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

Part = TypeVar("Part")
_KIND = "aws-kms"
_THREADS = 8
"""Calls at a time; botocore keeps 10 connections."""
_WRONG = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_NOT_NOW = frozenset({
    "ThrottlingException", "Throttling", "TooManyRequestsException", "LimitExceededException", "KMSInternalException",
    "DependencyTimeoutException", "KeyUnavailableException", "ServiceUnavailable", "RequestTimeout",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class AwsKms:
    """A key of AWS KMS: its id, its ARN or an alias."""

    client: BaseClient
    key: str
    threads: Threads

    async def wrap(self, key: bytes, binding: Binding, /) -> WrappedKey:
        """Encrypt a key."""
        answer = await self._ask("encrypt", KeyId=self.key, Plaintext=key, EncryptionContext=binding.context())
        return _wrapped(answer)

    async def unwrap(self, wrapped: WrappedKey, binding: Binding, /) -> bytes:
        """The key. Raises Unwrappable."""
        answer = await self._ask(
            "decrypt",
            KeyId=_arn(wrapped),
            CiphertextBlob=wrapped.ciphertext,
            EncryptionContext=binding.context(),
        )
        return _part(answer, "Plaintext", bytes)

    async def rewrap(self, wrapped: WrappedKey, binding: Binding, /) -> WrappedKey:
        """The same key under the newest material, without leaving AWS. Raises Unwrappable."""
        answer = await self._ask(
            "re_encrypt",
            SourceKeyId=_arn(wrapped),
            CiphertextBlob=wrapped.ciphertext,
            SourceEncryptionContext=binding.context(),
            DestinationKeyId=self.key,
            DestinationEncryptionContext=binding.context(),
        )
        return _wrapped(answer)

    async def renew(self) -> None:
        """Nothing: AWS makes new key material by itself, or on demand of an operator."""

    async def _ask(self, operation: str, **question: object) -> Mapping[str, object]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self.threads.run(partial(self._call, operation, question))
        except TimeoutError:
            raise KeyServiceAway(f"AWS KMS gives no answer within {ANSWER_SECONDS} s") from None

    def _call(self, operation: str, question: Mapping[str, object]) -> Mapping[str, object]:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
        from botocore.parsers import ResponseParserError

        try:
            answer: dict[str, Any] = getattr(self.client, operation)(**question)
        except ClientError as error:
            raise _trouble(error) from None
        except NoCredentialsError as error:
            raise KeyRefused("AWS KMS needs credentials: set AWS_ACCESS_KEY_ID and the like, or give a role") from error
        except (BotoCoreError, ResponseParserError, ValueError) as error:
            raise KeyServiceAway(f"AWS KMS does not answer: {type(error).__name__}") from error
        return answer


def _trouble(error: ClientError) -> KeyRefused | KeyServiceAway | Unwrappable:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _WRONG:
        return Unwrappable(f"AWS KMS answers {code}: the wrapped key is damaged or was moved")
    if code in _NOT_NOW or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return KeyServiceAway(f"AWS KMS answers {code or status}")
    return KeyRefused(f"AWS KMS answers {code or status}: check the key's name and what we may do with it")


def _wrapped(answer: Mapping[str, object]) -> WrappedKey:
    return WrappedKey(_part(answer, "CiphertextBlob", bytes), f"{_KIND}:{_part(answer, 'KeyId', str)}")


def _part(answer: Mapping[str, object], name: str, kind: type[Part]) -> Part:
    part = answer.get(name)
    if not isinstance(part, kind):
        raise KeyServiceAway(f"AWS KMS gives an answer without {name}")
    return part


def _arn(wrapped: WrappedKey) -> str:
    kind, _, arn = wrapped.by.partition(":")
    if kind != _KIND:
        raise KeyRefused(f"the key was wrapped by {wrapped.by}, not by AWS KMS")
    return arn


@asynccontextmanager
async def aws_kms(url: SplitResult, _settings: Settings) -> AsyncIterator[KeyEncryption]:
    """`aws-kms://KEY?region=REGION&endpoint=URL`, KEY being an id, an ARN or `alias/NAME`. Raises KeyRefused.

    Who we are, botocore finds out: variables, files, or the role of the machine.
    """
    key = unquote(url.netloc + url.path)
    if not key:
        raise KeyRefused("FILLSTREAM_ENCRYPTION_KEY_URL should look like aws-kms://alias/fillstream?region=eu-west-1")
    options = {name: values[-1] for name, values in parse_qs(url.query).items()}
    client = await asyncio.to_thread(_client, options.get("region"), options.get("endpoint"))
    try:
        with key_threads(_THREADS) as threads:
            yield AwsKms(client, key, threads)
    finally:
        client.close()


def _client(region: str | None, endpoint: str | None) -> BaseClient:
    try:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ImportError as error:
        raise KeyRefused("aws-kms:// needs the package botocore: install fillstream[aws]") from error
    config = Config(connect_timeout=ANSWER_SECONDS, read_timeout=ANSWER_SECONDS, retries={"total_max_attempts": 1})
    try:
        return Session().create_client("kms", region_name=region, endpoint_url=endpoint, config=config)
    except BotoCoreError as error:
        raise KeyRefused(f"AWS KMS can't be used ({type(error).__name__}): give the URL a region") from error
