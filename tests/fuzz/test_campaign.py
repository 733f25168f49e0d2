"""Does the fuzzer find what is there to be found? A toy app with faults, of which each has to be reported, and one without."""

from __future__ import annotations

import asyncio
from io import StringIO
from typing import Annotated

import pytest
from fastapi import APIRouter, FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console

from fillstream.serve import bind, listening
from libs.kit.http.app import bare_app
from libs.kit.http.document import Document
from libs.kit.http.observe import Observe
from tests.fuzz.__main__ import main
from tests.fuzz.campaign import Plan, Target, run
from tests.fuzz.findings import Findings
from tests.fuzz.people import Person
from tests.fuzz.report import print_findings

_CALLS = 150


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    quantity: Annotated[int, Field(ge=1, le=1_000, strict=True)]


class Placed(BaseModel):
    quantity: int


def toy() -> FastAPI:
    """Four routes: one is good, one breaks on some input, one answers what nobody knows of, one takes anything."""
    routes = APIRouter()

    @routes.post("/good")
    async def good(order: Order) -> Placed:
        return Placed(quantity=order.quantity)

    @routes.post("/breaks")
    async def breaks(order: Order) -> Placed:
        if order.quantity > 900:
            raise RuntimeError("a toy that breaks")
        return Placed(quantity=order.quantity)

    @routes.post("/surprises")
    async def surprises(order: Order) -> Response:
        return Response(status_code=418 if order.quantity > 900 else 200, media_type="application/json", content="{}")

    @routes.post("/takes-anything", openapi_extra={"requestBody": _described("Order")})
    async def takes_anything() -> Placed:
        return Placed(quantity=1)

    app = bare_app("toy", [routes])
    app.add_middleware(Observe, context="toy")
    return app


def _described(schema: str) -> Document:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"required": True, "content": content}


async def fuzzed(app: FastAPI, seed: int) -> Findings:
    listener = bind("127.0.0.1", 0)
    async with listening(app, listener):
        target = Target(f"http://127.0.0.1:{listener.getsockname()[1]}", app.openapi())
        return await asyncio.to_thread(run, target, [Person("toy", "token", {})], Plan(_CALLS, seed), lambda _: None)


async def test_every_fault_of_an_app_is_found_and_nothing_else() -> None:
    findings = await fuzzed(toy(), 1)

    assert findings.total >= _CALLS
    found = {(finding.route, finding.check) for finding in findings.failures.values()}
    assert ("POST /breaks", "not_a_server_error") in found
    assert ("POST /surprises", "status_code_conformance") in found
    assert ("POST /takes-anything", "negative_data_rejection") in found
    assert "POST /good" not in {route for route, _ in found}


async def test_a_fault_is_told_with_its_route_its_answer_and_a_command_that_repeats_it() -> None:
    findings = await fuzzed(toy(), 2)
    console = Console(record=True, width=160, file=StringIO())
    print_findings(console, findings, 1.0)

    text = console.export_text()
    [broken] = [finding for finding in findings.failures.values() if finding.check == "not_a_server_error"]
    assert broken.answer.startswith("500 ")
    assert broken.curl.startswith("curl -X POST")
    assert broken.curl in text
    assert "POST /breaks · not_a_server_error" in text
    assert f"{findings.total} calls of 4 routes" in text


@pytest.mark.parametrize("arguments", [["--calls", "0"], ["--calls", "many"], ["--seed", "x"], ["--speed", "1"]])
def test_bad_input_gets_one_line_and_exit_code_2(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["fuzz", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("python -m tests.fuzz: error: ")
