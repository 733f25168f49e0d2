"""What do settings give away? No password, whatever is printed and whatever is wrong."""

from __future__ import annotations

import json
import traceback

import pytest
from pydantic import ValidationError

from libs.kit.kafka import connection
from libs.kit.settings import Settings

GOOD: dict[str, object] = {
    "database_url": "postgresql://us:hunter2@h/db",
    "kafka_bootstrap": "h:9092",
    "kafka_sasl_username": "us",
    "kafka_sasl_password": "hunter3",
}


def test_nothing_printed_of_the_settings_holds_a_password() -> None:
    settings = Settings(**GOOD)  # type: ignore[arg-type]
    for text in (repr(settings), str(settings), repr(settings.kafka), settings.model_dump_json(), f"{settings}"):
        assert "hunter" not in text


def test_passwords_reach_those_who_need_them() -> None:
    settings = Settings(**GOOD)  # type: ignore[arg-type]
    assert connection(settings.kafka)["sasl_plain_password"] == "hunter3"
    assert settings.database_url.get_secret_value() == GOOD["database_url"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"database_url": "mysql://us:hunter2@h/db"},
        {"database_url": "hunter2"},
        {"database_url": "postgresql://us:hunter2@h:99999999/db"},
        {"kafka_partitions": 0},
        {"database_pool_size": "hunter2"},
        {"log_level": "hunter2"},
        {"kafka_sasl_password": ["hunter2"]},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_error_in_the_settings_names_the_field_and_no_value(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**(GOOD | wrong))  # type: ignore[arg-type]

    text = "".join(traceback.format_exception(refused.value))
    assert next(iter(wrong)) in str(refused.value)
    assert "hunter" not in str(refused.value)
    assert "hunter2" not in text.partition("pydantic_core")[2]
    assert "hunter" not in json.dumps(refused.value.errors(include_input=False, include_context=False))


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(f"FILLSTREAM_{name.upper()}", str(value))
    monkeypatch.setenv("FILLSTREAM_HTTP_CORS_ORIGINS", '["https://a.example"]')

    settings = Settings()
    assert settings.http_cors_origins == ("https://a.example",)
    assert settings.kafka_bootstrap == "h:9092"
