"""What does every service tell beside its business? Ids, careful headers, health and metrics."""

from __future__ import annotations

from uuid import UUID

import pytest
from httpx2 import AsyncClient
from prometheus_client import REGISTRY

from libs.kit.db import database
from libs.kit.health import Probe, ProbeFailed
from libs.kit.http.app import http_app
from libs.kit.revocations import Revocations
from libs.kit.security import token_verifier
from libs.kit.settings import Settings
from tests.kit.api import Api
from tests.kit.probe import Admin
from tests.kit.test_http_problems import problem

CORRELATION = "0190a7d4-8c5e-7cc1-9b4c-1f6c4ee5c1aa"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_correlation_id_comes_back_and_goes_into_the_events(
    api: Api, client: AsyncClient, tenant: UUID
) -> None:
    headers = {"X-Correlation-Id": CORRELATION, "traceparent": TRACE}
    answer = await client.post("/v1/counters", json={"name": "clicks"}, headers=headers)

    assert answer.headers["x-correlation-id"] == CORRELATION
    [row] = await api.fetch("SELECT correlation_id, traceparent FROM probe.outbox WHERE tenant_id = $1", tenant)
    assert (str(row[0]), row[1]) == (CORRELATION, TRACE)


@pytest.mark.parametrize("given", ["", "x", "0190a7d4", "' OR 1=1", "\xff"])
async def test_a_correlation_id_that_is_none_is_replaced(anonymous: AsyncClient, given: str) -> None:
    answer = await anonymous.get("/healthz", headers={"X-Correlation-Id": given.encode("latin-1")})  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert str(UUID(answer.headers["x-correlation-id"])) != given


async def test_a_trace_that_is_none_is_replaced(api: Api, client: AsyncClient, tenant: UUID) -> None:
    await client.post("/v1/counters", json={"name": "clicks"}, headers={"traceparent": "nonsense"})
    [row] = await api.fetch("SELECT traceparent FROM probe.outbox WHERE tenant_id = $1", tenant)
    assert row[0] != "nonsense"
    assert len(row[0]) == len(TRACE)


@pytest.mark.parametrize("path", ["/healthz", "/v1/nothing", "/v1/counters", "/v1/crash", "/metrics"])
async def test_every_answer_has_careful_headers(anonymous: AsyncClient, path: str) -> None:
    headers = (await anonymous.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "max-age" in headers["strict-transport-security"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


async def test_no_origin_may_call_unless_it_is_named(anonymous: AsyncClient) -> None:
    for method in ("GET", "OPTIONS"):
        answer = await anonymous.request(
            method, "/healthz", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
        )
        assert "access-control-allow-origin" not in answer.headers


async def test_a_named_origin_may_call_and_no_other(settings: Settings, api: Api) -> None:
    named = settings.model_copy(update={"http_cors_origins": ("https://app.example",)})
    async with database(named, "probe") as db, token_verifier(named, Revocations()) as tokens:
        app = http_app("probe", named, routers=[], db=db, tokens=tokens, probes=())
        async with Api(app, api.issuer, db, "").client() as client:
            ours = await client.get("/healthz", headers={"Origin": "https://app.example"})
            theirs = await client.get("/healthz", headers={"Origin": "https://evil.example"})
    assert ours.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-origin" not in theirs.headers


async def test_a_process_that_is_well_says_so(anonymous: AsyncClient) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await anonymous.get(path)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_a_part_that_is_not_well_makes_the_process_not_ready(settings: Settings, api: Api) -> None:
    def fail() -> None:
        raise ProbeFailed("the relay has not completed a pass for 31 s")

    async with database(settings, "probe") as db, token_verifier(settings, Revocations()) as tokens:
        probes = (Probe("relay", fail), Probe("consumer", lambda: None))
        app = http_app("probe", settings, routers=[], db=db, tokens=tokens, probes=probes)
        async with Api(app, api.issuer, db, "").client() as client:
            ready, alive = await client.get("/readyz"), await client.get("/healthz")
    assert ready.status_code == 503
    assert ready.json()["failures"] == {"relay": "the relay has not completed a pass for 31 s"}
    assert alive.status_code == 200


async def test_while_the_database_is_away_requests_may_be_tried_later(
    api: Api, client: AsyncClient, admin: Admin
) -> None:
    async with admin.away():
        refused = await client.post("/v1/counters", json={"name": "x"})
        ready, alive = await client.get("/readyz"), await client.get("/healthz")
        assert REGISTRY.get_sample_value(
            "fillstream_http_request_duration_seconds_count",
            {"context": "probe", "method": "POST", "route": "/v1/counters", "status": "503"},
        )
    after = await client.post("/v1/counters", json={"name": "x"})

    assert problem(refused) == (503, "unavailable")
    assert refused.headers["retry-after"] == "1"
    assert (ready.status_code, list(ready.json()["failures"])) == (503, ["database"])
    assert alive.status_code == 200
    assert after.status_code == 201


async def test_metrics_tell_of_requests_and_pools(client: AsyncClient) -> None:
    await client.get("/v1/counters")
    await client.get("/v1/nothing/at/all")
    await client.request("BREW", "/v1/counters")
    text = (await client.get("/metrics")).text

    assert 'http_request_duration_seconds_count{context="probe",method="GET",route="/v1/counters",status="200"}' in text
    assert 'route="unmatched",status="404"' in text
    assert 'fillstream_database_connections_max{context="probe",role="api"}' in text
    assert "BREW" not in text
    assert "/at/all" not in text


async def test_the_operations_are_not_part_of_the_documented_api(api: Api) -> None:
    assert not {"/healthz", "/readyz", "/metrics"} & set(api.http.openapi()["paths"])
