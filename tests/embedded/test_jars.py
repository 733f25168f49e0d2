"""Kafka's archives are the locked ones or Kafka does not start."""

import hashlib
import os
import socket
from pathlib import Path

import pytest

from fillstream.embedded.jars import DEPLOY, Jar, ensure_jars, locked_jars
from fillstream.embedded.stack import StackError

CONTENT = b"classes"


def a_cached_jar(cache: Path) -> Jar:
    jar = Jar("org.example", "example", "1.0", hashlib.sha256(CONTENT).hexdigest())
    (cache / "jars").mkdir()
    (cache / "jars" / jar.name).write_bytes(CONTENT)
    return jar


def silent(_: str) -> None:
    """Report to nobody."""


def test_the_lock_names_every_archive_with_its_sum_and_no_address() -> None:
    jars = locked_jars()
    assert {"kafka_2.13", "kafka-clients", "log4j-slf4j-impl"} <= {jar.artifact for jar in jars}
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert not any("//" in path.read_text() for path in DEPLOY.iterdir())


async def test_a_verified_archive_is_accepted_again(tmp_path: Path) -> None:
    jar = a_cached_jar(tmp_path)
    assert await ensure_jars([jar], tmp_path, silent) == await ensure_jars([jar], tmp_path, silent)


async def test_an_archive_that_was_changed_after_it_was_verified_is_named(tmp_path: Path) -> None:
    jar = a_cached_jar(tmp_path)
    [path] = await ensure_jars([jar], tmp_path, silent)
    path.write_bytes(CONTENT[::-1])
    os.utime(path, (1, 1))
    with pytest.raises(StackError, match=r"^The Java archive example-1\.0\.jar does not have the SHA-256 sum"):
        await ensure_jars([jar], tmp_path, silent)


async def test_an_unreachable_registry_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(StackError, match=r"^The Java package registry cannot be reached, so .*\.jar was not fetched"):
        await ensure_jars(locked_jars(), tmp_path, silent, {"nobody": nobody})
    assert not list((tmp_path / "jars").glob("*.jar"))
    assert not list((tmp_path / "jars").glob("fetch-*"))
