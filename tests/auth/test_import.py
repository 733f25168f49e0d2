"""Whoever comes from a file is there whole, once, and logs in as before; whoever can't be made is told and leaves no trace."""

from __future__ import annotations

import asyncio
from pathlib import Path

import bcrypt
import pytest
from httpx2 import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fillstream.users import make_people
from libs.kit.db import Database
from libs.schema.audit import SecurityActed
from libs.schema.auth import (
    EmailVerified,
    MailRequested,
    MailTemplate,
    PasswordResetRequested,
    UserChanged,
    UserDeactivated,
    UserRegistered,
)
from services.auth.hashing import Cost
from tests.auth.builders import PASSWORD, a_person, bearer, log_in, mails, ticket
from tests.auth.files_of_users import bring_in, csv_of, ignored, json_lines, read
from tests.world import Running, World

BCRYPT = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
ADA: dict[str, object] = {
    "email": "ada@example.com", "password_hash": BCRYPT, "first_name": "Ada", "last_name": "Lovelace",
    "username": "ada", "phone_number": "+442079460958", "time_zone": "Europe/London", "language": "en-GB",
    "email_verified": True, "created_at": "2019-05-01T00:00:00Z",
}  # fmt: skip
TABLES = ('"user"', "workspace", "membership", "imported_person")


@pytest.fixture
def db(auth: Running) -> Database:
    return auth.db


async def sizes(world: World) -> list[int]:
    """How many rows each table has that a person stands in."""
    return [(await world.fetch(f"SELECT count(*) FROM auth.{table}"))[0][0] for table in TABLES]


async def test_an_imported_person_logs_in_and_their_hash_is_made_anew(
    client: AsyncClient, db: Database, world: World, tmp_path: Path
) -> None:
    made = await bring_in(db, read(tmp_path, csv_of(ADA), "people.csv"))
    (before,) = await world.fetch('SELECT password_hash FROM auth."user"')

    session = await log_in(client)
    (after,) = await world.fetch('SELECT password_hash FROM auth."user"')
    me = (await client.get("/v1/me", headers=bearer(session.json()["access_token"]))).json()

    assert made == (1, 0, {})
    assert session.status_code == 200
    assert before["password_hash"] == BCRYPT
    assert after["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await log_in(client)).status_code == 200
    assert (await log_in(client, password="another password")).status_code == 401
    said = {name: value for name, value in ADA.items() if name != "password_hash"}
    assert {name: me[name] for name in said} == said
    assert (me["platform_role"], me["workspace"]["role"], me["workspace"]["name"]) == ("USER", "OWNER", "Personal")


async def test_all_that_a_registration_tells_is_told_of_an_import_but_no_mail_is_sent(
    auth: Running, db: Database, world: World, tmp_path: Path
) -> None:
    await bring_in(db, read(tmp_path, json_lines(ADA | {"is_active": False})))

    (registered,) = await world.expect(UserRegistered, 1)
    (act,) = await world.expect(SecurityActed, 1)
    (changed,) = await world.expect(UserChanged, 1)
    (verified,) = await world.expect(EmailVerified, 1)
    (deactivated,) = await world.expect(UserDeactivated, 1)

    home = registered.tenant_id
    assert {one.tenant_id for one in (act, changed, verified, deactivated)} == {home}
    assert (registered.event.email, registered.event.first_name) == ("ada@example.com", "Ada")
    assert (changed.event.username, changed.event.time_zone) == ("ada", "Europe/London")
    assert (act.event.act, act.event.actor_kind, act.event.target_id) == (
        "user.imported", "SYSTEM", str(registered.event.user_id),
    )  # fmt: skip
    await world.settled("auth")
    assert not world.published(MailRequested)


async def test_who_is_not_active_is_shut_out(client: AsyncClient, db: Database, tmp_path: Path) -> None:
    await bring_in(db, read(tmp_path, json_lines(ADA | {"is_active": False})))

    assert (await log_in(client)).status_code == 401


async def test_whoever_has_no_hash_chooses_a_password_by_mail(
    client: AsyncClient, db: Database, world: World, tmp_path: Path
) -> None:
    await bring_in(db, read(tmp_path, json_lines({"email": "ada@example.com"}, {"email": "bob@example.com"})))
    for guess in ("", PASSWORD):
        assert (await log_in(client, password=guess)).status_code == 401

    await client.post("/v1/auth/password-reset", json={"email": "ada@example.com"})
    await world.expect(PasswordResetRequested, 1)
    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)
    chosen = {"token": ticket(mail), "new_password": "another horse battery staple"}
    assert (await client.put("/v1/auth/password-reset", json=chosen)).status_code == 204
    assert (await log_in(client, password="another horse battery staple")).status_code == 200


async def test_the_same_people_are_made_once_however_the_file_is_written(
    db: Database, world: World, tmp_path: Path
) -> None:
    people = [ADA, {"email": "bob@example.com"}, {"email": "eva@example.com"}]
    first = await bring_in(db, read(tmp_path, json_lines(*people[:2])))
    again = await bring_in(db, read(tmp_path, csv_of(*reversed(people)), "people.csv"))

    assert (first, again) == ((2, 0, {}), (1, 2, {}))
    assert await sizes(world) == [3, 3, 3, 3]


async def test_who_has_logged_in_since_was_still_imported_before(
    client: AsyncClient, db: Database, tmp_path: Path
) -> None:
    await bring_in(db, read(tmp_path, json_lines(ADA)))
    await log_in(client)

    assert await bring_in(db, read(tmp_path, json_lines(ADA))) == (0, 1, {})


async def test_what_others_have_is_a_bad_line(client: AsyncClient, db: Database, world: World, tmp_path: Path) -> None:
    person = await a_person(client, email="Ada@Example.com")
    await client.patch("/v1/me", json={"username": "bob"}, headers=person.bearer)

    made = await bring_in(
        db, read(tmp_path, json_lines(ADA | {"username": None}, ADA | {"email": "b@x.org", "username": "b.o.b"}))
    )

    assert made == (0, 0, {1: "email: is taken", 2: "username: is taken"})
    assert await sizes(world) == [1, 1, 1, 0]


async def test_another_line_for_an_imported_person_is_a_bad_one(db: Database, tmp_path: Path) -> None:
    await bring_in(db, read(tmp_path, json_lines(ADA)))

    made = await bring_in(db, read(tmp_path, json_lines(ADA | {"first_name": "Eve"})))
    assert made == (0, 0, {1: "email: is taken; username: is taken"})


async def test_who_comes_too_late_leaves_no_trace(
    client: AsyncClient, db: Database, world: World, tmp_path: Path
) -> None:
    lines = read(tmp_path, json_lines(ADA, ADA | {"email": "bob@example.com", "username": "bob"})).lines
    person = await a_person(client)
    await client.patch("/v1/me", json={"username": "b.o.b"}, headers=person.bearer)

    late = await make_people(db, Cost(), lines, ignored)

    assert {flaw.number: flaw.reason for flaw in late} == {
        1: "this e-mail address is registered already", 2: "this user name is taken",
    }  # fmt: skip
    assert await sizes(world) == [1, 1, 1, 0]
    assert len(await world.expect(UserRegistered, 1)) == 1


async def test_two_imports_of_one_file_make_everybody_once(db: Database, world: World, tmp_path: Path) -> None:
    lines = read(tmp_path, json_lines(*({"email": f"n{number}@example.com"} for number in range(20)))).lines

    late = await asyncio.gather(*(make_people(db, Cost(), lines, ignored) for _ in range(2)))

    assert sum(map(len, late)) == 20
    assert await sizes(world) == [20, 20, 20, 20]
    await world.expect(UserRegistered, 20)


_EMAILS = st.integers(0, 40).map(lambda number: f"n{number}@example.com") | st.text(max_size=6)
_ROWS = st.fixed_dictionaries(
    {"email": _EMAILS},
    optional={
        "first_name": st.text(max_size=5), "username": st.from_regex(r"[a-z0-9._-]{1,6}", fullmatch=True),
        "language": st.sampled_from(["en", "xx", "EN-gb"]), "email_verified": st.booleans(),
        "is_active": st.booleans() | st.just("yes"), "created_at": st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
        "password_hash": st.just(BCRYPT) | st.text(max_size=5), "role": st.just("ADMIN"),
    },
)  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(_ROWS, min_size=1, max_size=8))
async def test_whatever_a_line_says_it_is_somebody_whole_or_told(
    db: Database, world: World, tmp_path: Path, rows: list[dict[str, object]]
) -> None:
    before = await sizes(world)
    file = read(tmp_path, json_lines(*rows))

    made, there, told = await bring_in(db, file)

    assert made + there + len(told) == len(rows)
    assert await sizes(world) == [size + made for size in before]
    (unowned,) = await world.fetch(
        """
        SELECT count(*) FROM auth."user" u
        LEFT JOIN auth.workspace w ON w.id = u.default_workspace_id AND w.owner_id = u.id
        LEFT JOIN auth.membership m ON m.tenant_id = w.id AND m.user_id = u.id AND m.role = 'OWNER'
        LEFT JOIN auth.imported_person i ON i.tenant_id = w.id AND i.user_id = u.id
        WHERE w.id IS NULL OR m.user_id IS NULL OR i.user_id IS NULL OR u.platform_role <> 'USER'
        """
    )
    assert unowned[0] == 0
    assert (await bring_in(db, file))[:2] == (0, made + there)
