"""May a program go on with its token? From the networks of its API key, and no more often than its policy says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from uuid import UUID

from fastapi import Request

from libs.kit.errors import Forbidden
from libs.kit.http.client_address import address_of, client_address, is_in
from libs.kit.http.limiter import limiter
from libs.kit.rate_limits import RateLimit
from libs.kit.settings import Network, Settings

_POLICY = "api-key"


@dataclass(frozen=True, slots=True)
class Program:
    """Who calls in a person's place, as its access token says."""

    key_id: UUID
    """The API key that the token came from."""
    networks: tuple[Network, ...] = ()
    """Where it may call from; anywhere when there are none."""


def program_limit(settings: Settings) -> RateLimit:
    """How often one key may call this context, whatever of it."""
    quota = settings.api_key_requests_per_minute * settings.rate_limit_scale
    return RateLimit(_POLICY, quota, timedelta(minutes=1))


def networks_of(texts: object) -> tuple[Network, ...]:
    """Networks as a token names them. Raises ValueError for what is none, and TypeError for anything but a list of texts."""
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        msg = "networks are a list of texts"
        raise TypeError(msg)
    return tuple(ip_network(text) for text in texts)


def is_among(address: str, networks: Sequence[Network]) -> bool:
    """Whether a client is in one of the networks; all are where none is named, and who has no address is in none."""
    if not networks:
        return True
    client = address_of(address)
    return client is not None and is_in(client, networks)


async def admit(request: Request, program: Program) -> None:
    """Let a program's request through. Raises Forbidden from elsewhere, and RateLimited when there were too many."""
    if not is_among(client_address(request), program.networks):
        raise Forbidden("the API key may not be used from this address", slug="address-not-allowed")
    counting = await limiter(request)
    await counting.take(_POLICY, str(program.key_id))
