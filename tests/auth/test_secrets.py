"""What never leaves: passwords, tokens and private keys are neither logged nor kept in the open."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from httpx2 import AsyncClient
from pydantic import SecretStr, ValidationError

from libs.kit.crypto.key_encryption import KeyRefused, Unwrappable
from libs.kit.crypto.keyset_file import create_keyset
from libs.kit.logging import configure_logging
from libs.kit.mail_secrets import mail_secret
from services.auth.keys import generate_key, key_id
from tests.auth.builders import MAIL_SECRET, PASSWORD, a_person, again, log_in, private_key, refresh, register
from tests.keysets import keys_in, keyset_url, vault_at
from tests.world import Running, World


@pytest.fixture
def everything_logged() -> Iterator[None]:
    """The house's logging at its loudest, undone afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logging("DEBUG")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_no_secret_is_logged_even_when_everything_fails(
    world: World, capfd: pytest.CaptureFixture[str], everything_logged: None
) -> None:
    async with world.running("auth") as auth:
        client = await auth.anonymous()
        person = await a_person(client)
        newer = (await refresh(client, person.refresh_token)).json()
        private = (await private_key(world)).as_dict(private=True)["d"]
        await refresh(client, person.refresh_token)
        await register(client)
        await log_in(client, password="not the password")
        person = await again(client, person.user_id)
        await world.fetch("ALTER TABLE auth.membership RENAME TO membership_away")
        failures = [await log_in(client), await register(client, email="bob@example.com")]
        failures += [await client.get("/v1/me", headers=person.bearer)]
        await world.fetch('ALTER TABLE auth."user" DROP COLUMN last_name')
        failures += [await register(client, email="eve@example.com")]

    logged = "".join(capfd.readouterr())
    assert [answer.status_code for answer in failures] == [500] * 4
    assert "request_failed" in logged
    assert "membership" in logged, "the failures are not told"
    tokens = [person.access_token, person.refresh_token, newer["access_token"], newer["refresh_token"]]
    guards = keys_in(keyset_url())
    for secret in (PASSWORD, "not the password", *guards, str(private), "$argon2id$", *tokens):
        assert secret not in logged
    assert person.refresh_token.partition(".")[2] not in logged


async def test_the_database_holds_no_secret_in_the_open(client: AsyncClient, world: World) -> None:
    person = await a_person(client)
    private = str((await private_key(world)).as_dict(private=True)["d"])

    tables = ('"user"', "refresh_token", "signing_key", "mailed_token", "outbox", "event_log")
    kept = "".join([str(await world.fetch(f"SELECT * FROM auth.{table}")) for table in tables])

    (mail,) = await world.fetch("SELECT id FROM auth.mailed_token")
    mailed = mail_secret(SecretStr(MAIL_SECRET), mail["id"])
    for secret in (PASSWORD, person.refresh_token.partition(".")[2], private, mailed):
        assert secret not in kept


async def test_a_private_key_opens_with_its_key_encryption_key_and_its_id_alone(tmp_path: Path) -> None:
    create_keyset(tmp_path / "keyset.json")
    url, key = (tmp_path / "keyset.json").as_uri(), generate_key()
    wrapped = await vault_at(url).seal(key)

    assert (await vault_at(url).open(key_id(key), wrapped)).as_dict(private=True) == key.as_dict(private=True)
    flipped = replace(wrapped, ciphertext=wrapped.ciphertext[:-1] + bytes([wrapped.ciphertext[-1] ^ 1]))
    for kid, damaged in (("another", wrapped), (key_id(key), flipped), (key_id(key), replace(wrapped, ciphertext=b""))):
        with pytest.raises(Unwrappable):
            await vault_at(url).open(kid, damaged)
    with pytest.raises(KeyRefused):
        await vault_at(keyset_url()).open(key_id(key), wrapped)


def test_keys_must_outlive_the_tokens_that_they_sign(world: World) -> None:
    with pytest.raises(ValidationError, match="auth_key_overlap_seconds must be at least"):
        world.settings_of("auth", access_token_seconds=601, auth_key_overlap_seconds=600)


async def test_the_running_service_repeats_none_of_its_secrets(auth: Running) -> None:
    shown = repr(auth.service.http.state.parts)
    assert not [key for key in [MAIL_SECRET, *keys_in(keyset_url())] if key in shown]
