"""How are errors told over HTTP? As RFC 9457 problem details, made here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.routing import Match

from libs.kit.crypto.key_encryption import KeyServiceAway
from libs.kit.errors import FieldError, Rejected, Unauthenticated
from libs.kit.logging import logger
from libs.kit.outages import is_outage, is_unstorable_text

log = logger(__name__)
MEDIA_TYPE = "application/problem+json"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OUTAGE_RETRY_SECONDS = 1


class ProblemError(BaseModel):
    """What is wrong with one field."""

    pointer: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemError] = []


def problem_response(
    status: int,
    slug: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    retry_after: int | None = None,
) -> Response:
    """The answer that tells a problem."""
    problem = Problem(
        type=f"urn:fillstream:problem:{slug}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=[ProblemError(pointer=e.pointer, message=e.message) for e in errors],
    )
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(problem.model_dump_json(), status, headers, MEDIA_TYPE)


def install_problems(app: FastAPI) -> None:
    """Make the app answer every error as a problem."""
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _rejected(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Rejected):
        raise error
    response = problem_response(error.status, error.slug, error.detail, error.errors, error.retry_after)
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = error.challenge
    return response


async def _invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    fields = [field_error(detail) for detail in error.errors()]
    detail = "; ".join(f"{field.pointer}: {field.message}" for field in fields[:5])
    malformed = any(detail["type"] == "json_invalid" for detail in error.errors())
    if malformed:
        return problem_response(400, "malformed-json", f"the body is not JSON: {detail}", fields)
    return problem_response(422, "invalid", detail, fields)


def field_error(detail: ErrorDetails) -> FieldError:
    """A pydantic error as a pointer and a message that does not repeat the input."""
    where, *path = [str(part) for part in detail["loc"]] or ["body"]
    pointer = "/" + "/".join(path) if where == "body" else ".".join(path) or where
    return FieldError(pointer, detail["msg"].removeprefix("Value error, "))


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    slug = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    response = problem_response(error.status_code, slug, str(error.detail))
    response.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(method for method in METHODS if _serves(request, method))
    return response


def _serves(request: Request, method: str) -> bool:
    """Whether the path takes the method. The error names those of one route, and a path may have several."""
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


async def _unexpected(request: Request, error: Exception) -> Response:
    return unexpected(request.app.title, error)


def unexpected(context: str, error: Exception) -> Response:
    """The answer to an error that nobody foresaw: it is logged, and nothing of it is told."""
    if isinstance(error, KeyServiceAway):
        log.warning("key_service_away", context=context, error=repr(error))
        detail = "the service that guards our keys does not answer now; nothing was changed"
        return problem_response(503, "unavailable", detail, retry_after=_OUTAGE_RETRY_SECONDS)
    if is_outage(error):
        log.warning("database_away", context=context, error=repr(error))
        detail = "the database does not answer now; nothing was changed"
        return problem_response(503, "unavailable", detail, retry_after=_OUTAGE_RETRY_SECONDS)
    if is_unstorable_text(error):
        return problem_response(422, "invalid", "a text holds the character NUL, which can't be kept")
    log.error("request_failed", context=context, exc_info=error)
    return problem_response(500, "internal", "an error of ours; it is logged with the correlation id of this answer")
