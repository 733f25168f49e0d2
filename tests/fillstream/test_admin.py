"""Is the first super admin made by the command, once, and does an operator get in where no colleague can?"""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from fillstream.installation import Installation
from libs.kit.settings import Settings
from services.auth.passwords import Passwords
from tests.system.commands import Done, fillstream

PASSWORD = "nine purple llamas sing at dawn"


async def admin(where: Installation, *said: str, typed: str = "") -> Done:
    return await fillstream("admin", *said, typed=typed, **where.environment())


async def fetch(where: Installation, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(where.settings(Settings).database_url.get_secret_value())
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close()


async def roles(where: Installation) -> dict[str, str]:
    """Who is what."""
    return {row[0]: row[1] for row in await fetch(where, 'SELECT email, platform_role FROM auth."user"')}


async def test_the_first_super_admin_is_made_of_nobody_and_no_second(where: Installation) -> None:
    made = await admin(where, "create", "chief@Example.com", typed=f"{PASSWORD}\n")
    again = await admin(where, "create", "chief@example.com")
    another = await admin(where, "create", "other@example.com", typed=f"{PASSWORD}\n")

    assert (made.status, made.out) == (0, "chief@example.com is the first super admin, from the next login on\n")
    assert (again.status, another.status) == (1, 1)
    assert again.err == "fillstream: there is a super admin already: they give the roles from now on\n"
    assert await roles(where) == {"chief@example.com": "SUPER_ADMIN"}
    [row] = await fetch(where, 'SELECT password_hash FROM auth."user"')
    assert await Passwords(1, queue=1).match(PASSWORD, row[0])
    assert PASSWORD not in made.out + made.err


async def test_of_several_at_once_one_makes_it(where: Installation) -> None:
    done = await asyncio.gather(
        *(admin(where, "create", f"p{number % 2}@example.com", typed=f"{PASSWORD}\n") for number in range(3))
    )

    assert sorted(one.status for one in done) == [0, 1, 1]
    assert all(one.err.startswith("fillstream: ") and "Traceback" not in one.err for one in done if one.status)
    assert list((await roles(where)).values()) == ["SUPER_ADMIN"]


@pytest.mark.parametrize(
    ("email", "typed", "said"),
    [
        ("nonsense", PASSWORD, "fillstream: email: "),
        ("chief@example.com", "too short", "fillstream: password: "),
        ("chief@example.com", "", "fillstream: password: "),
        ("chief@example.com", "password1234", "fillstream: password: "),
    ],
)
async def test_what_makes_no_sense_is_told_and_makes_nobody(
    where: Installation, email: str, typed: str, said: str
) -> None:
    done = await admin(where, "create", email, typed=f"{typed}\n" if typed else "")

    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(said)
    assert "Traceback" not in done.err
    assert await roles(where) == {}


async def test_an_operator_gives_roles_but_takes_not_the_last_super_admins(where: Installation) -> None:
    await admin(where, "create", "chief@example.com", typed=f"{PASSWORD}\n")

    lowered = await admin(where, "grant", "chief@example.com", "admin")
    unknown = await admin(where, "grant", "nobody@example.com", "ADMIN")
    no_role = await admin(where, "grant", "chief@example.com", "KING")

    assert (lowered.status, lowered.err) == (1, "fillstream: this is the last super admin who can act\n")
    assert (unknown.status, unknown.err) == (1, "fillstream: there is no user nobody@example.com\n")
    assert no_role.status == 2
    assert await roles(where) == {"chief@example.com": "SUPER_ADMIN"}
