"""What can't work is said in one sentence, at once, with exit code 1 and nothing that only a programmer reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fillstream.contexts import names
from fillstream.installation import Installation
from fillstream.serve import bind
from tests.deploy.test_gateway import free_port
from tests.system.commands import Done, fillstream
from tests.world import PATIENCE_SECONDS


def sentence(done: Done) -> str:
    """The one thing that it said."""
    assert done.status == 1, done
    assert done.out == ""
    assert "Traceback" not in done.err
    assert done.seconds < PATIENCE_SECONDS
    # What a library logs on the way is a JSON record, and no sentence for people.
    [told] = [line for line in done.err.splitlines() if not line.startswith("{")]
    assert told.startswith("fillstream: ")
    return told.removeprefix("fillstream: ")


async def test_an_unknown_context_is_told_with_those_that_there_are() -> None:
    assert sentence(await fillstream("serve", "nonsense")) == (
        f"there is no service nonsense; there are {', '.join(names())}"
    )


async def test_a_missing_variable_is_told() -> None:
    assert sentence(await fillstream("serve", "auth")) == "FILLSTREAM_DATABASE_URL: Field required"


async def test_half_of_the_servers_are_not_enough(tmp_path: Path) -> None:
    home, url = str(tmp_path / "home"), "postgresql://a:hush-hush@127.0.0.1/b"
    said = sentence(await fillstream("up", FILLSTREAM_HOME=home, FILLSTREAM_DATABASE_URL=url))
    assert said.startswith("FILLSTREAM_DATABASE_URL is set: set FILLSTREAM_DATABASE_URL and FILLSTREAM_KAFKA_BOOTSTRAP")
    assert "hush-hush" not in said


@pytest.mark.parametrize("command", [("serve", "auth"), ("up",)], ids=" ".join)
async def test_a_port_that_is_taken_is_told(where: Installation, tmp_path: Path, command: tuple[str, ...]) -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        variables = where.with_values(http_port=port).environment() | {"FILLSTREAM_HOME": str(tmp_path / "home")}
        said = sentence(await fillstream(*command, **variables, FILLSTREAM_LOG_LEVEL="ERROR"))
    assert said == f"127.0.0.1:{port} can't be listened at: Address already in use"


async def test_an_absent_broker_is_told_before_anything_starts(where: Installation) -> None:
    away = f"127.0.0.1:{free_port()}"
    variables = where.with_values(kafka_bootstrap=away).environment()
    said = sentence(await fillstream("serve", *names(), **variables))
    assert re.match(rf"broker: Kafka does not answer at {away} \(.*\): check FILLSTREAM_KAFKA_BOOTSTRAP", said)


@pytest.mark.parametrize("command", [("serve", "orders"), ("migrate",), ("demo",)], ids=" ".join)
async def test_an_absent_database_is_told(where: Installation, command: tuple[str, ...]) -> None:
    url = f"postgresql://a:hush-hush@127.0.0.1:{free_port()}/b"
    said = sentence(await fillstream(*command, **where.with_values(database_url=url).environment()))
    assert re.match(
        r"database: PostgreSQL at \S+ does not let us in \(.*refused\): check FILLSTREAM_DATABASE_URL$", said
    )


async def test_a_database_that_was_never_migrated_is_told(where: Installation) -> None:
    said = sentence(await fillstream("serve", "auth", **where.sibling_database("postgres").environment()))
    assert said == "schema auth: it is not there: run `fillstream migrate`"


async def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = sentence(await fillstream("up", FILLSTREAM_HOME=str(tmp_path / "file" / "home")))
    assert said == f"The folder {tmp_path}/file/home cannot be made: Not a directory."


async def test_a_bad_line_is_told_before_any_server_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "AAPL.csv"
    path.write_text("date,open,high,low,close,volume\n2011-03-01,1,2,1,2,5\n2011-03-02,1,2,1,zero,5\n")
    said = sentence(await fillstream("bars", "import", str(path), FILLSTREAM_HOME=str(tmp_path / "home")))
    assert said == f"{path}, line 3, close: Input should be a valid decimal"
    assert not (tmp_path / "home").exists()


async def test_a_folder_without_bars_is_told(tmp_path: Path) -> None:
    said = sentence(await fillstream("replay", "--data", str(tmp_path), "--symbol", "AAPL"))
    assert said == f"{tmp_path} has no bars of AAPL from 2011-03-01 to 2013-03-01"


async def test_a_victim_that_there_is_not_is_told(tmp_path: Path) -> None:
    said = sentence(await fillstream("demo", "--kill", "nonsense", FILLSTREAM_HOME=str(tmp_path)))
    assert said.startswith("there is no service nonsense to kill; there are auth, ")
