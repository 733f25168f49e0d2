"""Who are we to Google? What its Application Default Credentials say, by google-auth over our own HTTP client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import google.auth
import httpx2
from google.auth import exceptions, transport
from google.auth.credentials import Credentials

from libs.kit.crypto.key_encryption import KeyRefused, KeyServiceAway

_SCOPES = ("https://www.googleapis.com/auth/cloudkms",)


class _Response(transport.Response):
    """An answer as google-auth wants it."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    @property
    def status(self) -> int:
        return self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    @property
    def data(self) -> bytes:
        return self._response.content


class _Request(transport.Request):
    """A question as google-auth asks it."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 ours is shorter
        **_: object,
    ) -> _Response:
        try:
            return _Response(self._client.request(method, url, content=body, headers=dict(headers or {})))
        except httpx2.HTTPError as error:
            raise exceptions.TransportError(error) from error  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class DefaultCredentials:
    """The default credentials, found when they are first needed. Not for several threads at once."""

    client: httpx2.Client
    _found: Credentials | None = field(default=None, repr=False)

    def token(self) -> str:
        """An access token that is still good. Raises KeyRefused and KeyServiceAway."""
        request = _Request(self.client)
        try:
            if self._found is None:
                self._found, _ = google.auth.default(scopes=_SCOPES, request=request)
            if not self._found.valid:
                self._found.refresh(request)  # type: ignore[no-untyped-call]
        except exceptions.TransportError as error:
            raise KeyServiceAway("Google gives no access token now") from error
        except exceptions.GoogleAuthError as error:
            if getattr(error, "retryable", False):
                raise KeyServiceAway("Google gives no access token now") from error
            raise KeyRefused(f"Google gives no access token ({type(error).__name__}): check the credentials") from error
        return str(self._found.token)
