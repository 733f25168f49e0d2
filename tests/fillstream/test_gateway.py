"""Every path goes to its owner, nothing else goes anywhere, and what is not well is told."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fillstream.contexts import load_all
from fillstream.gateway import gateway
from fillstream.installation import Installation
from fillstream.openapi import merged_document
from fillstream.serve import serving
from libs.kit.health import Probe, ProbeFailed
from tests.world import PATIENCE_SECONDS, eventually

CONTEXTS = load_all()
ROUTES = [
    (method, route.path, context.name)
    for context in CONTEXTS
    for route in context.router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]


def echo(name: str) -> ASGIApp:
    """A service that says who it is and what it was asked."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = scope["raw_path"].decode()
        body = {"owner": name, "method": request.method, "raw_path": path, "query": request.url.query}
        await JSONResponse(body)(scope, receive, send)

    return app


def probes() -> list[Probe]:
    def fails() -> None:
        raise ProbeFailed("the relay has not completed a pass for 31 s")

    return [Probe("orders relay", fails), Probe("auth relay", lambda: None)]


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    app = gateway(CONTEXTS, {context.name: echo(context.name) for context in CONTEXTS}, [], probes())
    async with AsyncClient(transport=ASGITransport(app), base_url="http://gateway") as asking:
        yield asking


async def test_every_route_reaches_the_service_that_owns_it(client: AsyncClient) -> None:
    for method, path, owner in ROUTES:
        asked = re.sub(r"\{[^}]*\}", "42", path)
        answer = (await client.request(method, asked, params={"limit": "5"})).json()
        assert answer == {"owner": owner, "method": method, "raw_path": asked, "query": "limit=5"}


def test_no_two_services_have_the_same_prefix() -> None:
    owners: dict[str, set[str]] = {}
    for _, path, owner in ROUTES:
        owners.setdefault("/".join(path.split("/")[:3]), set()).add(owner)
    assert all(len(found) == 1 for found in owners.values())


async def test_a_symbol_with_a_slash_reaches_its_service_as_it_was_written(client: AsyncClient) -> None:
    for path, owner in (("/v1/instruments/BTC%2FUSDT", "marketdata"), ("/v1/positions/BTC%2FUSDT", "portfolio")):
        answer = (await client.get(path)).json()
        assert (answer["owner"], answer["raw_path"]) == (owner, path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/nothing",
        "/v2/orders",
        "/V1/orders",
        "/v1/ordersandmore",
        "/orders",
        "/v1/orders%2F..%2F..%2Fmetrics",
        "/v1/orders/..%2F..%2Fmetrics",
        "/v1/orders/x%2F..%2F..%2Fbars",
        "/v1%2Forders",
        "/v1%2Forders/x",
        "/v1/orders/%2e%2e/bars",
    ],
)
async def test_a_path_of_nobodys_is_a_problem(client: AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["type"], answer.json()["detail"]) == (
        "urn:fillstream:problem:not-found",
        "no service has this path",
    )


async def test_a_method_that_the_gateways_own_paths_do_not_take_is_a_problem(client: AsyncClient) -> None:
    answer = await client.post("/docs")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["type"], answer.headers["allow"]) == ("urn:fillstream:problem:method-not-allowed", "GET")


async def test_what_is_not_well_is_named_with_its_reason(client: AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "failing",
        "failures": {"orders relay": "the relay has not completed a pass for 31 s"},
    }
    assert (await client.get("/healthz")).status_code == 200
    assert "fillstream_" in (await client.get("/metrics")).text


async def test_the_documentation_is_that_of_all_services(client: AsyncClient) -> None:
    assert (await client.get("/openapi.json")).json() == merged_document(CONTEXTS)


async def test_all_services_of_one_process_answer_at_its_address_and_their_parts_are_told_apart(
    where: Installation,
) -> None:
    async with (
        serving(CONTEXTS, where) as running,
        AsyncClient(base_url=running.url, trust_env=False, timeout=PATIENCE_SECONDS) as client,
    ):
        assert (await client.get("/readyz")).json() == {"status": "ok", "failures": {}}
        assert (await client.get("/v1/orders")).status_code == 401
        assert (await client.get("/.well-known/jwks.json")).json()["keys"]
        for service in running.services:
            for probe in service.probes:
                if probe.task is not None:
                    probe.task.cancel()
        all_ended = dict.fromkeys(
            (f"{service.name} {probe.name}" for service in running.services for probe in service.probes), "it has ended"
        )
        assert {"orders relay", "portfolio consumer"} <= set(all_ended)

        async def told() -> None:
            assert (await client.get("/readyz")).json()["failures"] == all_ended

        await eventually(told)
