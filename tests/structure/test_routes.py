"""Is every path served by one context, described, and closed to strangers?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import isasyncgenfunction, iscoroutinefunction, isfunction
from typing import Annotated
from uuid import uuid4

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient

from fillstream.contexts import load, load_all, names
from fillstream.gateway import prefixes
from fillstream.openapi import Document, merged_document
from libs.kit.errors import Unauthenticated
from libs.kit.http.app import bare_app
from tests.world import World

_METHODS = {"get", "put", "post", "delete", "patch"}
_PROBLEMS = {"400", "401", "403", "404", "409", "413", "422", "503"}

PUBLIC = {
    ("post", "/v1/auth/register"): "whoever registers has no token yet",
    ("post", "/v1/auth/login"): "this is where tokens come from",
    ("post", "/v1/auth/refresh"): "the refresh token in the body is what is checked",
    ("post", "/v1/auth/switch"): "the refresh token in the body is what is checked",
    ("post", "/v1/auth/logout"): "the refresh token in the body is what is checked; the access token may be gone",
    ("post", "/v1/auth/email-verification"): "the mailed token in the body is what is checked",
    ("post", "/v1/auth/unlock"): "the mailed token in the body is what is checked",
    ("post", "/v1/auth/password-reset"): "whoever forgot their password has no token",
    ("put", "/v1/auth/password-reset"): "the mailed token in the body is what is checked",
    ("post", "/v1/auth/device"): "a device asks before anybody is known",
    ("post", "/v1/auth/token"): "the code or refresh token in the body is what is checked",
    ("post", "/v1/auth/revoke"): "the refresh token in the body is what is checked",
    ("post", "/v1/auth/second-factor"): "the challenge in the body is what is checked, and the code",
    ("post", "/v1/auth/passkeys/options"): "whoever logs in has no token yet",
    ("post", "/v1/auth/passkeys"): "what the passkey has signed is what is checked",
    ("post", "/v1/auth/step-up"): "the refresh token in the body is what is checked, and what is shown with it",
    (
        "post",
        "/v1/auth/erasure-certificate",
    ): "whoever was erased has no account; the mailed token in the body is checked",
    ("get", "/.well-known/oauth-authorization-server"): "where to log in is told before anybody has",
    ("get", "/.well-known/jwks.json"): "public keys are public: services check tokens with them",
    ("get", "/.well-known/audit-keys.json"): "public keys are public: auditors check heads of trails with them",
}

MONEY = {("post", "/v1/orders"), ("post", "/v1/accounts")}
"""What must not happen twice because an answer was lost."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as a document describes it."""

    method: str
    path: str
    said: Document

    @property
    def place(self) -> tuple[str, str]:
        """Method and path."""
        return self.method, self.path

    @property
    def url(self) -> str:
        """The path with an id for every parameter."""
        return re.sub(r"\{[^}]+\}", str(uuid4()), self.path)


def operations(document: Document) -> Iterator[Operation]:
    """All operations of an OpenAPI document."""
    for path, methods in document["paths"].items():
        for method in sorted(_METHODS & set(methods)):
            yield Operation(method, path, methods[method])


def undescribed_problems(operation: Operation) -> set[str]:
    """Statuses of problems that the operation's description lacks."""
    told = {
        status
        for status, response in operation.said["responses"].items()
        if "application/problem+json" in response.get("content", {})
    }
    return _PROBLEMS - told


async def open_operations(app: FastAPI, document: Document) -> dict[tuple[str, str], int]:
    """The operations that answer a stranger with anything but 401 and a challenge."""
    found: dict[tuple[str, str], int] = {}
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://service") as stranger:
        for operation in operations(document):
            answer = await stranger.request(operation.method, operation.url)
            challenged = answer.status_code == Unauthenticated.status and "www-authenticate" in answer.headers
            if not (challenged and answer.headers["content-type"] == "application/problem+json"):
                found[operation.place] = answer.status_code
    return found


def _of(name: str) -> Document:
    document: Document = bare_app(name, [load(name).router]).openapi()
    return document


@pytest.mark.parametrize("name", names())
async def test_every_route_demands_a_token(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILLSTREAM_MAIL_TOKEN_SECRET", "a made-up secret of at least 32 characters")
    public = {place for place in PUBLIC if place in {operation.place for operation in operations(_of(name))}}
    async with world.running(name) as running:
        found = await open_operations(running.service.http, _of(name))
        assert {place for place in found if place not in public} == set()


async def test_a_route_without_a_token_is_found() -> None:
    router = APIRouter()
    router.get("/v1/open/{id}")(lambda id: id)  # noqa: A006
    app = bare_app("open", [router])
    assert await open_operations(app, app.openapi()) == {("get", "/v1/open/{id}"): 200}


def threaded(router: APIRouter) -> set[str]:
    """What requests would wait for a thread for: endpoints and dependencies that are plain functions."""
    found, left = set[str](), [route.dependant for route in router.routes if isinstance(route, APIRoute)]
    while left:
        dependant = left.pop()
        left += dependant.dependencies
        if isfunction(dependant.call) and not (
            iscoroutinefunction(dependant.call) or isasyncgenfunction(dependant.call)
        ):
            found.add(dependant.call.__qualname__)
    return found


@pytest.mark.parametrize("name", names())
def test_no_request_waits_for_a_thread(name: str) -> None:
    assert threaded(load(name).router) == set()


def _slow() -> int:
    return 1


def test_a_dependency_that_takes_a_thread_is_found() -> None:
    router = APIRouter()

    @router.get("/")
    async def quick(_: Annotated[int, Depends(_slow)]) -> None: ...

    assert threaded(router) == {"_slow"}


def test_what_is_public_is_still_served() -> None:
    served = {operation.place for name in names() for operation in operations(_of(name))}
    assert not set(PUBLIC) - served


def test_only_public_operations_ask_for_no_token_in_the_document() -> None:
    unsecured = {o.place for name in names() for o in operations(_of(name)) if not o.said.get("security")}
    assert unsecured == set(PUBLIC)


def test_resources_are_under_v1() -> None:
    paths = {operation.path for name in names() for operation in operations(_of(name))}
    assert not {path for path in paths if not path.startswith("/v1/")} - {
        "/.well-known/jwks.json",
        "/.well-known/audit-keys.json",
        "/.well-known/oauth-authorization-server",
    }


def test_no_path_is_served_by_two_contexts() -> None:
    paths = Counter(path for name in names() for path in _of(name)["paths"])
    assert not [path for path, count in paths.items() if count > 1]


def test_no_prefix_that_the_gateway_routes_by_belongs_to_two_contexts() -> None:
    owners = Counter(prefix for context in load_all() for prefix in prefixes(context))
    assert not [prefix for prefix, count in owners.items() if count > 1]


def test_the_merged_document_describes_every_operation_of_every_context() -> None:
    merged = {operation.place for operation in operations(merged_document(load_all()))}
    assert merged == {operation.place for name in names() for operation in operations(_of(name))}


def test_every_operation_describes_its_problems_and_itself() -> None:
    for operation in operations(merged_document(load_all())):
        assert not undescribed_problems(operation), operation.place
        assert operation.said.get("description"), operation.place


def test_a_missing_problem_is_found() -> None:
    responses: Document = {status: {"content": {"application/problem+json": {}}} for status in _PROBLEMS - {"409"}}
    assert undescribed_problems(Operation("get", "/", {"responses": responses | {"200": {}}})) == {"409"}


def test_every_name_that_the_merged_document_refers_to_is_in_it() -> None:
    document = merged_document(load_all())
    referred = set(re.findall(r"'#/components/schemas/([^']+)'", repr(document)))
    assert not referred - set(document["components"]["schemas"])


def test_posts_that_move_money_take_an_idempotency_key() -> None:
    able = {
        operation.place
        for operation in operations(merged_document(load_all()))
        if any(parameter["name"].lower() == "idempotency-key" for parameter in operation.said.get("parameters", ()))
    }
    assert not MONEY - able
