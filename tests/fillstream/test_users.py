"""Do people come in by the command, all or none of a file, with every bad line told? And does a killed run go on?"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from fillstream.installation import Installation
from libs.kit.settings import Settings
from tests.system.commands import environment, fillstream, running
from tests.world import eventually

HEADER = "email,first_name,username"
GOOD = ("ada@example.com,Ada,ada", "bob@example.com,,")
BAD = ("nobody,Eve,admin", "ADA@example.com,,")


def a_file(folder: Path, *lines: str, name: str = "people.csv") -> str:
    path = folder / name
    path.write_text("".join(line + "\n" for line in lines))
    return str(path)


async def emails(where: Installation) -> Sequence[str]:
    """Who is there, in the order of their addresses."""
    admin = await asyncpg.connect(where.settings(Settings).database_url.get_secret_value())
    try:
        return [row[0] for row in await admin.fetch('SELECT email FROM auth."user" ORDER BY email')]
    finally:
        await admin.close()


async def test_a_good_file_is_imported_and_may_be_imported_again(where: Installation, tmp_path: Path) -> None:
    file = a_file(tmp_path, HEADER, *GOOD)
    first = await fillstream("users", "import", file, **where.environment())
    again = await fillstream("users", "import", file, **where.environment())

    assert (first.status, first.out.strip()) == (0, "2 people were imported, 0 had been before"), first.err
    assert (again.status, again.out.strip()) == (0, "0 people were imported, 2 had been before"), again.err
    assert await emails(where) == ["ada@example.com", "bob@example.com"]


async def test_bad_lines_are_all_told_and_nobody_is_imported(where: Installation, tmp_path: Path) -> None:
    done = await fillstream("users", "import", a_file(tmp_path, HEADER, *GOOD, *BAD), **where.environment())

    assert (done.status, done.out) == (1, "")
    assert "line 4: email: is not an e-mail address" in done.err
    assert "; username: is reserved" in done.err
    assert "line 5: email: is that of line 2" in done.err
    assert "2 bad lines, and nobody was imported" in done.err
    assert await emails(where) == []


async def test_bad_lines_may_be_left_out(where: Installation, tmp_path: Path) -> None:
    file = a_file(tmp_path, HEADER, *GOOD, *BAD, name="people.txt")
    done = await fillstream("users", "import", file, "--format", "csv", "--skip-bad", **where.environment())

    assert (done.status, done.out.strip()) == (0, "2 people were imported, 0 had been before"), done.err
    assert "line 4: " in done.err
    assert await emails(where) == ["ada@example.com", "bob@example.com"]


@pytest.mark.parametrize(
    ("lines", "name", "reason"),
    [
        (("email,role,tier", "ada@example.com,ADMIN,pro"), "people.csv", "no field of a person: role, tier"),
        ((), "people.jsonl", "names nobody"),
        (GOOD, "people.xlsx", "say --format csv"),
    ],
)
async def test_a_file_that_is_no_use_is_refused_in_a_sentence(
    where: Installation, tmp_path: Path, lines: Sequence[str], name: str, reason: str
) -> None:
    done = await fillstream("users", "import", a_file(tmp_path, *lines, name=name), **where.environment())

    assert done.status == 1
    assert reason in done.err
    assert "Traceback" not in done.err


async def test_a_run_that_was_killed_goes_on(where: Installation, tmp_path: Path) -> None:
    people = [json.dumps({"email": f"n{number:03}@example.com", "username": f"n-{number:03}"}) for number in range(300)]
    file = a_file(tmp_path, *people, name="people.jsonl")

    async def some() -> None:
        assert await emails(where)

    async with running("users", "import", file, log=tmp_path / "log", **where.environment()) as killed:
        await eventually(some)
        killed.process.kill()
        await killed.process.wait()
    again = await fillstream("users", "import", file, **where.environment())

    made, before = map(int, re.findall(r"\d+", again.out))
    assert again.status == 0, again.err
    assert made > 0, "it was killed too late"
    assert (before > 0, made + before) == (True, len(people))
    assert len(await emails(where)) == len(people)


async def _in_another_image(*words: str) -> tuple[int | None, str]:
    """How a command ends where the libraries are not there that only auth needs."""
    absent = ("argon2", "langcodes", "phonenumbers", "webauthn", "zxcvbn")
    program = f"import sys; sys.modules.update(dict.fromkeys({absent!r})); from fillstream.cli.main import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *words, env=environment({}), stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    return process.returncode, told.decode()


async def test_in_an_image_without_what_only_auth_needs_other_commands_work() -> None:
    assert await _in_another_image("serve", "--help") == (0, "")


@pytest.mark.parametrize("group", ["admin", "audit", "erasure", "keys", "users"])
async def test_in_an_image_without_what_only_auth_needs_auths_commands_say_so(group: str) -> None:
    status, told = await _in_another_image(group, "--help")

    assert status == 1
    assert re.search(r"fillstream: .*\w+ is not there: run this in the image of all services, or in that of auth", told)
