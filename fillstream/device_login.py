"""How does a program log in that has no browser? It shows a code, a person approves it elsewhere, it polls (RFC 8628)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import httpx2
from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError

from libs.kit.errors import FillstreamError

CLIENT_ID = "fillstream-cli"
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER_SECONDS = 5
_ANSWER_SECONDS = 10
_LATER = {httpx2.codes.TOO_MANY_REQUESTS, httpx2.codes.BAD_GATEWAY, httpx2.codes.SERVICE_UNAVAILABLE}

Pause = Callable[[float], Awaitable[object]]
M = TypeVar("M", bound=BaseModel)


class LoginFailed(FillstreamError):
    """There will be no session; the text says why."""


def _printable(text: str) -> str:
    # It goes to a terminal, which obeys some characters.
    if not text.isprintable():
        raise ValueError("holds characters that can't be shown")
    return text


Shown = Annotated[str, AfterValidator(_printable), Field(max_length=500)]


class Server(BaseModel):
    """What the server tells of itself (RFC 8414)."""

    issuer: str
    device_authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str


class Prompt(BaseModel):
    """What a person is asked to do, and how the answer is heard."""

    device_code: SecretStr
    user_code: Shown
    verification_uri: Shown
    expires_in: Annotated[int, Field(ge=1)]
    interval: Annotated[int, Field(ge=1)] = 5


class _Tokens(BaseModel):
    refresh_token: SecretStr


class _Refused(BaseModel):
    error: Shown


def http_client() -> httpx2.AsyncClient:
    """A client that gives up on silence."""
    return httpx2.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False)


async def discover(client: httpx2.AsyncClient, url: str) -> Server:
    """What the installation at an address offers. Raises LoginFailed when it is none, or could be overheard."""
    _require_privacy(url)
    answer = await _sent(client.get(f"{url}/.well-known/oauth-authorization-server"))
    server = _read(Server, answer)
    if server.issuer != url:
        # RFC 8414, section 3.3: another server's metadata would lead us to its endpoints.
        raise LoginFailed(f"{url} says that it is another one: use the address that is its FILLSTREAM_PUBLIC_URL")
    for endpoint in (server.device_authorization_endpoint, server.token_endpoint, server.revocation_endpoint):
        _require_privacy(endpoint)
    return server


async def ask(client: httpx2.AsyncClient, server: Server) -> Prompt:
    """Codes for this program and for its person. Raises LoginFailed."""
    return _read(Prompt, await _sent(client.post(server.device_authorization_endpoint, data={"client_id": CLIENT_ID})))


async def wait(client: httpx2.AsyncClient, server: Server, prompt: Prompt, pause: Pause) -> str:
    """The refresh token, once the person has approved. Raises LoginFailed when they said no, or nothing in time."""
    interval, waited = prompt.interval, 0
    form = {"grant_type": _GRANT, "client_id": CLIENT_ID, "device_code": prompt.device_code.get_secret_value()}
    while waited <= prompt.expires_in:
        await pause(interval)
        waited += interval
        try:
            answer = await client.post(server.token_endpoint, data=form)
        except httpx2.TransportError:
            interval *= 2  # RFC 8628, section 3.5: a server that does not answer is asked less and less
            continue
        if answer.status_code in _LATER:
            interval *= 2
            continue
        if answer.is_success:
            return _read(_Tokens, answer).refresh_token.get_secret_value()
        interval += _slower(_read_refusal(answer))
    raise LoginFailed("nobody approved the code in time: try again")


async def revoke(client: httpx2.AsyncClient, server: Server, token: str) -> None:
    """End a session (RFC 7009). Raises LoginFailed when the server did not."""
    form = {"token": token, "token_type_hint": "refresh_token", "client_id": CLIENT_ID}
    answer = await _sent(client.post(server.revocation_endpoint, data=form))
    if not answer.is_success:
        raise LoginFailed(f"the server answered {answer.status_code}: the session may go on")


def _slower(error: str) -> int:
    """How much longer to wait from now on. Raises LoginFailed when waiting does not help."""
    if error == "authorization_pending":
        return 0
    if error == "slow_down":
        return _SLOWER_SECONDS
    told = {"access_denied": "the code was refused", "expired_token": "nobody approved the code in time: try again"}
    raise LoginFailed(told.get(error, f"the server refuses: {error}"))


def _require_privacy(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(parts.hostname or "")):
        raise LoginFailed(f"{url} is not https://, and not on this machine: a token would be overheard")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _sent(request: Awaitable[httpx2.Response]) -> httpx2.Response:
    try:
        return await request
    except httpx2.TransportError as error:
        raise LoginFailed(f"the server does not answer: {error!r}") from error


def _read(kind: type[M], answer: httpx2.Response) -> M:
    if not answer.is_success:
        raise LoginFailed(f"{answer.request.url} answers {answer.status_code}")
    return _parsed(kind, answer)


def _read_refusal(answer: httpx2.Response) -> str:
    return _parsed(_Refused, answer).error


def _parsed(kind: type[M], answer: httpx2.Response) -> M:
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError as error:
        raise LoginFailed(f"{answer.request.url} answers what no server of ours would") from error
