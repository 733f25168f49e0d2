"""How is a service that holds a key asked over HTTP? One JSON question, one checked answer, in little time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from libs.kit.crypto.key_encryption import ANSWER_SECONDS, KeyRefused, KeyServiceAway, KeyTrouble

A = TypeVar("A", bound=BaseModel)
_NOT_NOW = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class KeyService:
    """A service by its name, for errors. What it says of them is not repeated: it may quote what it was sent."""

    name: str
    client: httpx2.AsyncClient

    async def ask(
        self,
        url: str,
        question: Mapping[str, str],
        answer: type[A],
        headers: Mapping[str, str],
        when_wrong: type[KeyTrouble] = KeyRefused,
    ) -> A:
        """Post a question. Raises KeyServiceAway, KeyRefused, and `when_wrong` when it calls the question wrong."""
        response = await self._post(url, question, headers)
        status = response.status_code
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _NOT_NOW:
            raise KeyServiceAway(f"{self.name} answers {status}")
        if status == HTTPStatus.BAD_REQUEST:
            raise when_wrong(f"{self.name} answers {status}: it takes this for no question of this key's")
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise KeyRefused(f"{self.name} answers {status}: check the key's name and what we may do with it")
        try:
            return answer.model_validate_json(response.content)
        except ValidationError:
            raise KeyServiceAway(f"{self.name} gives an answer that makes no sense") from None

    async def _post(self, url: str, question: Mapping[str, str], headers: Mapping[str, str]) -> httpx2.Response:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self.client.post(url, json=dict(question), headers=dict(headers))
        except TimeoutError:
            raise KeyServiceAway(f"{self.name} gives no answer within {ANSWER_SECONDS} s") from None
        except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, httpx2.InvalidURL, UnicodeError) as error:
            # Nothing was sent, and nothing ever will be: what it says may quote the token.
            raise KeyRefused(
                f"{self.name} can't be asked ({type(error).__name__}): check the key's URL, and the token for odd characters"
            ) from None
        except httpx2.HTTPError as error:
            raise KeyServiceAway(f"{self.name} does not answer: {type(error).__name__}") from error
