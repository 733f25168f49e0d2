"""How do OAuth's clients talk? In forms, and they hear errors in words of their own (RFC 6749, appendix B and section 5.2).

Whoever sends JSON instead is treated as everywhere else here: unknown fields are refused, errors are problems.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message

from libs.kit.errors import Invalid
from libs.kit.http.routes import Route, limits_of, read_body
from services.auth.model import Refusal

MEDIA_TYPE = "application/x-www-form-urlencoded"
_MOST_FIELDS = 20


_TOLD = {
    Refusal.AUTHORIZATION_PENDING: "nobody has answered yet",
    Refusal.SLOW_DOWN: "wait 5 seconds longer than before between two polls",
    Refusal.ACCESS_DENIED: "the person has said no",
    Refusal.EXPIRED_TOKEN: "nobody has answered in time: ask again",
    Refusal.INVALID_CLIENT: "there is no such client, or its secret is not the right one, or no longer",
    Refusal.INVALID_SCOPE: "wider than the API key, or than the role of its person",
    Refusal.UNAUTHORIZED_CLIENT: "not from this address, or its person may not act in the workspace any more",
    Refusal.INVALID_GRANT: "the code or token is not valid, or no longer",
    Refusal.INVALID_REQUEST: "the grant needs the parameter that it is named after, a device code the client_id, and "
    "client_credentials an API key's prefix and secret, in the form or by HTTP Basic, not in both or in the address",
    Refusal.UNSUPPORTED_TOKEN_TYPE: "access tokens end with their session: send its refresh token",
    Refusal.UNSUPPORTED_GRANT_TYPE: "the metadata tells which grant types there are",
}


class RefusedOut(BaseModel):
    """Why OAuth's client gets nothing."""

    error: Refusal
    error_description: str


def refused(error: Refusal, description: str | None = None) -> Response:
    """The answer that tells a client why."""
    return JSONResponse(RefusedOut(error=error, error_description=description or _TOLD[error]).model_dump(), 400)


def unproven(error: Refusal) -> Response:
    """The answer to a client that has tried to prove by a header who it is, and could not (RFC 6749, section 5.2)."""
    answer = JSONResponse(RefusedOut(error=error, error_description=_TOLD[error]).model_dump(), 401)
    answer.headers["WWW-Authenticate"] = 'Basic realm="fillstream"'
    return answer


class FormRoute(Route):
    """A route that takes its one model as a form, too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with forms in front of it."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            if Headers(scope=request.scope).get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
                return await handle(request)
            try:
                await read_body(request, limits_of(request).usual)
                return await handle(await self._from_form(request))
            except (RequestValidationError, _NoForm, Invalid) as error:
                return refused(Refusal.INVALID_REQUEST, _told(error))

        return handler

    async def _from_form(self, request: Request) -> Request:
        """The request as JSON would say it. Unknown fields and empty ones are left out (RFC 6749, section 3.2)."""
        known = self.body_field.field_info.annotation if self.body_field else None
        names = set(known.model_fields) if isinstance(known, type) and issubclass(known, BaseModel) else set()
        fields = [(name, value) for name, value in _fields(await request.body()) if name in names and value]
        if len(dict(fields)) < len(fields):
            raise _NoForm("a parameter is there twice")
        return _with_json(request, json.dumps(dict(fields)).encode())


class _NoForm(Exception):
    """The body can't be read as a form; the text says why."""


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii"), strict_parsing=bool(body), errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise _NoForm("the body is no form") from None


def _with_json(request: Request, body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = dict(request.scope)
    scope["headers"] = list(request.scope["headers"])
    headers = MutableHeaders(scope=scope)
    headers["content-type"] = "application/json"
    headers["content-length"] = str(len(body))
    return Request(scope, receive)


def _told(error: Exception) -> str:
    """What is wrong, without what was sent."""
    if isinstance(error, RequestValidationError):
        return "; ".join(f"{'/'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
    return str(error)
