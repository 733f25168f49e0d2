"""Does the search for secrets find them? In every encoding, whole or in part, wherever they stand."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from urllib.parse import quote

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic import Secret as SecretOf

from tests.interfaces.leaks import Secret, leaks
from tests.interfaces.planting import is_secret, planted_settings

SECRET = secrets.token_urlsafe(24) + ' "ü%\\'

HIDING: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "in JSON": lambda text: json.dumps({"password": text}),
    "in JSON in JSON": lambda text: json.dumps(json.dumps({"password": text})),
    "percent-encoded": quote,
    "percent-encoded whole": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "in hexadecimal": lambda text: text.encode().hex(),
    "in capital hexadecimal": lambda text: text.encode().hex().upper(),
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64 after a name": lambda text: base64.b64encode(f"ada:{text}".encode()).decode(),
    "in base64 after another name": lambda text: base64.b64encode(f"ada@x:{text}".encode()).decode(),
    "in base64url without its end": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "its first 32 characters": lambda text: text[:32],
    "its last 20 characters": lambda text: text[-20:],
    "some 31 characters of it": lambda text: text[3:34],
}


@pytest.mark.parametrize("hiding", HIDING)
def test_a_secret_is_found(hiding: str) -> None:
    log = f"... user=ada, value={HIDING[hiding](SECRET)}, ..."
    assert {leak.secret for leak in leaks([Secret.of("password", SECRET)], {"log": log.encode()})} == {"password"}


def test_what_is_not_there_is_not_found() -> None:
    other = secrets.token_urlsafe(5_000).encode()
    assert leaks([Secret.of("password", SECRET)], {"log": other, "other log": b""}) == []


def test_a_leak_says_what_leaked_how_and_where() -> None:
    [leak] = leaks([Secret.of("password of ada", "hunter2")], {"metrics": b"x hunter2 y"})
    assert str(leak) == "password of ada as plain text in metrics"


class _Somebody(BaseModel):
    plain: str
    password: SecretStr
    perhaps: SecretStr | None = None
    several: list[SecretBytes] = []
    number: SecretOf[int] = SecretOf(1)


def test_settings_that_are_secret_are_told_by_their_types() -> None:
    found = {name for name, field in _Somebody.model_fields.items() if is_secret(field.annotation)}
    assert found == {"password", "perhaps", "several", "number"}


def test_every_secret_setting_of_every_context_is_planted() -> None:
    assert {"database_url", "kafka_sasl_password", "encryption_vault_token"} <= set(planted_settings())
