"""Does a service's document say what is served? Problems, headers, parameters, names and decimals, exactly."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from libs.kit.http.app import bare_app
from libs.kit.http.document import Document
from libs.schema.values import Amount, Price, Quantity, Ratio, SignedQuantity, Volume
from tests.kit.api import router

InitialCash = Annotated[Amount, Field(gt=0, le=Decimal(10) ** 10)]
Fee = Annotated[Ratio, Field(ge=0, le=1, decimal_places=8)]
Percentage = Annotated[Ratio, Field(gt=0, lt=100)]
Budget = Annotated[Amount, Field(ge=1, le=10**11)]


class Inner(BaseModel):
    level: Percentage | None = None


class Decimals(BaseModel):
    amount: Amount
    price: Price
    quantity: Quantity
    holding: SignedQuantity
    volume: Volume
    ratio: Ratio
    cash: InitialCash
    fee: Fee
    budget: Budget
    maybe: Price | None = None
    inner: list[Inner] = []


def documented(app: FastAPI) -> Document:
    document: Document = app.openapi()
    return document


@pytest.fixture(scope="module")
def probe() -> Document:
    return documented(bare_app("probe", [router]))


@pytest.fixture(scope="module")
def decimals() -> dict[str, Any]:
    routes = APIRouter()
    routes.post("/v1/decimals")(_take)
    schemas: dict[str, Any] = documented(bare_app("decimals", [routes]))["components"]["schemas"]
    return schemas


async def _take(body: Decimals) -> None: ...


def _answers(document: Document) -> list[tuple[str, Document]]:
    return [
        (status, response)
        for path in document["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
    ]


def test_a_problem_has_one_media_type_and_its_schema(probe: Document) -> None:
    problems = [response for status, response in _answers(probe) if status >= "400"]
    assert problems
    for response in problems:
        assert response["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def test_headers_that_answers_have_are_told(probe: Document) -> None:
    headers = probe["components"]["headers"]
    for status, response in _answers(probe):
        assert "X-Correlation-Id" in response["headers"]
        assert ("WWW-Authenticate" in response["headers"]) == (status == "401")
        assert ("Retry-After" in response["headers"]) == (status in {"429", "503"})
        assert all(
            reference == {"$ref": f"#/components/headers/{name}"} for name, reference in response["headers"].items()
        )
        assert set(response["headers"]) <= set(headers)
    placed = probe["paths"]["/v1/counters"]["post"]["responses"]["201"]
    assert "Idempotency-Replayed" in placed["headers"]


def test_routes_that_count_or_that_programs_may_call_and_no_others_tell_that_there_may_be_too_many_requests(
    probe: Document,
) -> None:
    limited = {
        operation["operationId"]
        for path in probe["paths"].values()
        for operation in path.values()
        if "429" in operation["responses"]
    }
    assert limited == {"probe_knock", "probe_turn", "probe_count", "probe_counters", "probe_import_"}
    for path in probe["paths"].values():
        for operation in path.values():
            told = [{"RateLimit", "RateLimit-Policy"} <= set(of["headers"]) for of in operation["responses"].values()]
            assert set(told) == {operation["operationId"] in limited}


def test_no_parameter_may_be_null(probe: Document) -> None:
    parameters = [
        p for path in probe["paths"].values() for operation in path.values() for p in operation.get("parameters", [])
    ]
    assert {"cursor", "limit", "Idempotency-Key"} <= {parameter["name"] for parameter in parameters}
    assert all("anyOf" not in parameter["schema"] for parameter in parameters)
    [cursor] = {
        repr(parameter["schema"]): parameter["schema"] for parameter in parameters if parameter["name"] == "cursor"
    }.values()
    assert cursor["type"] == "string"
    assert cursor["maxLength"] == 300


def test_operations_are_named_by_service_and_function(probe: Document) -> None:
    names = [operation["operationId"] for path in probe["paths"].values() for operation in path.values()]
    assert "probe_count" in names
    assert len(names) == len(set(names))


def _pattern(schema: Document) -> str:
    [text] = [choice for choice in schema["anyOf"] if choice["type"] == "string"]
    return str(text["pattern"])


@pytest.mark.parametrize(
    ("field", "taken", "refused"),
    [
        ("amount", ["0", "-1.5", "9" * 20 + "." + "9" * 8], ["1e5", "", "1.123456789", "9" * 21, "x", "+1", "NaN"]),
        ("price", ["0.00000001", "353.50", "1"], ["0", "0.00", "-1", ".5", "5."]),
        ("volume", ["0", "0.0", "12"], ["-1", "-0"]),
        ("cash", ["100000.00", "9999999999.99"], ["0", "99999999999", "-5"]),
        ("budget", ["1", "99999999999"], ["0", "0.5", "999999999999"]),
        ("fee", ["0", "0.001", "0.12345678"], ["7", "1.5", "0.123456789", "-0.1"]),
        ("maybe", ["1.25"], ["0"]),
    ],
)
def test_a_decimal_is_documented_by_the_digits_that_it_may_have(
    decimals: dict[str, Any], field: str, taken: list[str], refused: list[str]
) -> None:
    pattern = _pattern(decimals["Decimals"]["properties"][field])
    assert [text for text in taken if not re.search(pattern, text)] == []
    assert [text for text in refused if re.search(pattern, text)] == []


def test_decimals_of_inner_models_and_optional_ones_are_documented(decimals: dict[str, Any]) -> None:
    level = decimals["Inner"]["properties"]["level"]
    assert _pattern(level).startswith("^(?=.*[1-9])[0-9]{1,2}")
    assert {"type": "null"} in level["anyOf"]


def test_no_bound_is_left_where_it_means_nothing(decimals: dict[str, Any]) -> None:
    assert not {"gt", "ge", "lt", "le"} & {
        word for schema in decimals["Decimals"]["properties"].values() for word in schema
    }


_EVERY = ["amount", "price", "quantity", "holding", "volume", "ratio", "cash", "fee", "budget"]


@pytest.mark.parametrize("field", _EVERY)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_the_document_allows_is_taken(decimals: dict[str, Any], field: str, data: st.DataObject) -> None:
    schema = decimals["Decimals"]["properties"][field]
    whole = next(choice for choice in schema["anyOf"] if choice["type"] == "integer")
    least = whole.get("minimum", whole.get("exclusiveMinimum", 0) + 1)
    allowed = st.from_regex(_pattern(schema), fullmatch=True) | st.integers(least, whole["maximum"])
    Decimals.__pydantic_validator__.validate_assignment(Decimals.model_construct(), field, data.draw(allowed))
