"""What gets into the log? One JSON object a line, with the ids that are bound, and no secret however deep it lies."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from libs.kit.logging import configure_logging

SECRETS = {"password": "hunter2", "Authorization": "Bearer hunter2", "api_key": "hunter2", "refresh_token": "hunter2"}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """Standard error under the house's logging, which is taken down again afterwards."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []  # or pytest's own would be closed
    error = StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", error)
        configure_logging("INFO")
    yield error
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def lines(written: StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def log() -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("tests.kit")
    return bound


def test_a_record_is_one_json_object_with_what_is_bound(written: StringIO) -> None:
    with structlog.contextvars.bound_contextvars(tenant_id="t-1", correlation_id="c-1"):
        log().info("order_filled", quantity="100\nnot a new line")

    [line] = lines(written)
    assert line["event"] == "order_filled"
    assert (line["tenant_id"], line["correlation_id"], line["level"]) == ("t-1", "c-1", "info")
    assert line["quantity"] == "100\nnot a new line"
    assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize(
    "fields",
    [
        SECRETS,
        {"request": SECRETS},
        {"request": {"headers": [SECRETS, {"inner": (SECRETS,)}]}},
        {"tokens": ["hunter2"]},
        {"private_key_pem": {"x": "hunter2"}},
    ],
)
def test_secrets_are_redacted_however_deep_they_lie(written: StringIO, fields: dict[str, object]) -> None:
    log().warning("odd", **fields)
    assert "hunter2" not in written.getvalue()


def test_what_is_no_secret_is_kept(written: StringIO) -> None:
    log().info("x", request={"path": "/v1/orders", "sizes": [1, {"a": 2}]})
    [line] = lines(written)
    assert line["request"] == {"path": "/v1/orders", "sizes": [1, {"a": 2}]}


def test_redacting_leaves_the_callers_values_alone(written: StringIO) -> None:
    fields = {"password": "hunter2"}
    log().info("x", request=fields)
    assert fields == {"password": "hunter2"}


@pytest.mark.parametrize("field", ["event", "path", "note"])
def test_the_secret_of_an_api_key_is_cut_wherever_somebody_has_put_it(written: StringIO, field: str) -> None:
    name, behind = "fsk_Ab12Cd34", "x" * 20 + "_-" + "y" * 21
    secret = f"{name}_{behind}"

    log().info(**({"event": "asked"} | {field: f"/v1/orders?key={secret}&x"}), deeper=[{"inner": secret}])

    assert behind[-10:] not in written.getvalue()
    assert behind[:10] not in written.getvalue()
    assert name in written.getvalue()


def test_a_traceback_shows_no_local_variables(written: StringIO) -> None:
    def fail(phrase: str) -> None:
        raise ValueError(len(phrase))

    try:
        fail("hunter2")
    except ValueError:
        log().exception("broken")
    [line] = lines(written)
    assert "hunter2" not in json.dumps(line["exception"]).replace('fail(\\"hunter2\\")', "")
    assert "ValueError" in json.dumps(line["exception"])


def test_records_of_libraries_look_the_same(written: StringIO) -> None:
    logging.getLogger("sqlalchemy").warning("pool %s", "full")
    [line] = lines(written)
    assert (line["event"], line["level"], line["logger"]) == ("pool full", "warning", "sqlalchemy")


def test_what_is_below_the_level_is_left_out(written: StringIO) -> None:
    log().debug("detail")
    logging.getLogger("aiokafka").info("chatty")
    assert written.getvalue() == ""
