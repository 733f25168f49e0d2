"""Addresses: mail goes to the one that was given, and look-alikes are different people."""

from __future__ import annotations

import unicodedata

import pytest
from alembic import command
from httpx2 import AsyncClient
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from fillstream.contexts import load
from libs.kit.connections import async_url
from libs.kit.migrate import _config
from libs.schema.auth import MailTemplate
from services.auth.contact import Email
from tests.auth.builders import a_person, log_in, mails, register
from tests.auth.teams import a_team, a_verified_person, accept, invited, mail_to
from tests.world import World

EMAIL: TypeAdapter[str] = TypeAdapter(Email)
SHARP, PLAIN = "mo\u00df@example.com", "moss@example.com"


async def reset(client: AsyncClient, world: World, email: str) -> None:
    (await client.post("/v1/auth/password-reset", json={"email": email})).raise_for_status()
    await world.settled("auth")


async def test_a_domain_is_kept_as_it_was_meant(client: AsyncClient, world: World) -> None:
    await register(client, email="ada@fa\u00df.example")

    await reset(client, world, "ada@fa\u00df.example")

    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)
    assert mail.address == "ada@fa\u00df.example"


async def test_look_alikes_register_and_log_in_each_for_themselves(client: AsyncClient) -> None:
    sharp, plain = await a_person(client, email=SHARP), await a_person(client, email=PLAIN)

    assert sharp.user_id != plain.user_id
    assert (await register(client, email=SHARP.upper().replace("SS", "\u00df"))).status_code == 409
    for person, email in ((sharp, "MO\u00df@Example.com"), (plain, "MOSS@Example.com")):
        answer = await log_in(client, email=email)
        assert answer.json()["workspace_id"] == person.workspace_id


@pytest.mark.parametrize(("has", "asked"), [(PLAIN, SHARP), (SHARP, PLAIN)])
async def test_a_reset_for_a_look_alike_goes_nowhere(client: AsyncClient, world: World, has: str, asked: str) -> None:
    await register(client, email=has)

    await reset(client, world, asked)

    await mails(world, MailTemplate.RESET_PASSWORD, 0)


async def test_a_reset_goes_to_the_address_as_it_is_kept_however_it_was_asked_for(
    client: AsyncClient, world: World
) -> None:
    await register(client, email=SHARP)
    await register(client, email=PLAIN)

    await reset(client, world, "MO\u00df@EXAMPLE.COM")

    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)
    assert mail.address == SHARP


async def test_a_look_alike_accepts_nobody_elses_invitation(client: AsyncClient, world: World) -> None:
    team = await a_team(client, world)
    stranger = await a_verified_person(client, world, PLAIN)

    answer = await accept(client, stranger, await invited(client, world, team.owner, SHARP))

    assert answer.is_client_error
    listed = (await client.get("/v1/invitations", headers=stranger.bearer)).raise_for_status().json()
    assert listed["items"] == []
    assert (await mail_to(world, SHARP, MailTemplate.INVITATION)).address == SHARP


@pytest.mark.parametrize(
    ("letter", "named"),
    [
        ("\u037e", "U+037E (GREEK QUESTION MARK) may be read as ';'"),
        ("\uff0c", "U+FF0C (FULLWIDTH COMMA) may be read as ','"),
        ("\ufe64", "U+FE64 (SMALL LESS-THAN SIGN) may be read as '<'"),
        ("\uff20", "U+FF20 (FULLWIDTH COMMERCIAL AT) may be read as '@'"),
        ("\uff02", "U+FF02 (FULLWIDTH QUOTATION MARK) may be read as '\"'"),
        ("\u2024", "U+2024 (ONE DOT LEADER) may be read as '.'"),
        ("\u226e", "U+226E (NOT LESS-THAN) may be read as '<'"),
        ("=\u0338", "U+2260 (NOT EQUAL TO) may be read as '='"),
        ("\u1fef", "U+1FEF (GREEK VARIA) may be read as '`'"),
        ("\u2100", "U+2100 (ACCOUNT OF) may be read as '/'"),
    ],
)
async def test_a_letter_that_hides_a_sign_is_refused_by_name(client: AsyncClient, letter: str, named: str) -> None:
    answer = await register(client, email=f"victim+a{letter}b@example.com")

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/email"
    assert named in error["message"]


def test_no_address_that_is_taken_has_another_sign_in_any_form_of_unicode() -> None:
    forms = ("NFC", "NFD", "NFKC", "NFKD")
    odd = [chr(code) for code in range(0x80, 0x30000) if not unicodedata.normalize("NFKD", chr(code)).isalnum()]
    hidden = [letter for letter in odd if any(one.isascii() and not one.isalnum() for one in _all_forms(letter))]

    assert len(hidden) > 300
    for letter in hidden:
        try:
            kept = EMAIL.validate_python(f"a{letter}b@example.com")
        except ValidationError:
            continue
        assert {unicodedata.normalize(form, kept).isascii() for form in forms} == {True}, ascii(letter)


def _all_forms(letter: str) -> str:
    return "".join(unicodedata.normalize(form, letter) for form in ("NFC", "NFKC", "NFD", "NFKD"))


async def test_people_and_invitations_of_before_are_known_apart_as_well(client: AsyncClient, world: World) -> None:
    team = await a_team(client, world)
    await register(client, email=SHARP)
    await invited(client, world, team.owner, "ga\u00df@example.com")

    await _taken_back_and_applied(world)

    assert [row["email_key"] for row in await world.fetch(f"{_KEYS} WHERE email = $1", SHARP)] == [SHARP]


async def test_what_is_apart_by_the_new_keys_alone_is_not_thrown_together(client: AsyncClient, world: World) -> None:
    for email in (SHARP, PLAIN):
        await register(client, email=email)

    with pytest.raises(IntegrityError, match="user_email_key"):
        await _taken_back_and_applied(world)

    assert {row["email_key"] for row in await world.fetch(_KEYS)} == {SHARP, PLAIN}


_KEYS = 'SELECT email_key FROM auth."user"'


async def _taken_back_and_applied(world: World) -> None:
    """The keys folded as the release before folded them, and then written by the migration."""
    engine = create_async_engine(async_url(world.settings.database_url.get_secret_value()))
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SET LOCAL ROLE auth_owner"))
            assert await connection.run_sync(_moved, "0018") == {"moss@example.com", "gass@example.com"}
            assert await connection.run_sync(_moved, "head") == {SHARP, "ga\u00df@example.com"}
    finally:
        await engine.dispose()


def _moved(connection: Connection, revision: str) -> set[str]:
    """The keys of addresses with letters beyond ASCII, at a revision."""
    config = _config(load("auth").source)
    config.attributes["connection"] = connection
    (command.upgrade if revision == "head" else command.downgrade)(config, revision)
    connection.execute(text("ALTER TABLE auth.invitation NO FORCE ROW LEVEL SECURITY"))
    beyond = "octet_length(email) > char_length(email)"
    keys = connection.scalars(
        text(
            f'SELECT email_key FROM auth."user" WHERE {beyond} UNION SELECT email_key FROM auth.invitation WHERE {beyond}'
        )
    ).all()
    connection.execute(text("ALTER TABLE auth.invitation FORCE ROW LEVEL SECURITY"))
    return set(keys)
