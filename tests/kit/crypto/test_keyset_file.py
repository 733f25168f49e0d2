"""Is a keyset in a file private, whole and never lost?"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from libs.kit.crypto.key_encryption import Binding, KeyRefused
from libs.kit.crypto.keyset_file import KeysetFile, create_keyset

BINDING = Binding("auth", None, "key")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_keyset(tmp_path / "keyset.json")
    return tmp_path / "keyset.json"


def test_a_new_keyset_is_readable_by_its_owner_alone(path: Path) -> None:
    assert _mode(path) == 0o600


def test_of_many_who_make_a_keyset_one_does_and_nothing_else_is_left(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(create_keyset, [tmp_path / "keyset.json"] * 16))
    assert [one.name for one in tmp_path.iterdir()] == ["keyset.json"]


def test_a_folder_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="nowhere/keyset.json can't be made: No such file"):
        create_keyset(tmp_path / "nowhere/keyset.json")


def test_a_keyset_that_is_there_is_never_replaced(path: Path) -> None:
    before = path.read_bytes()
    create_keyset(path)
    assert path.read_bytes() == before


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _read(path: Path) -> str:
    return path.read_text()


def _chmod(path: Path, mode: int) -> None:
    path.chmod(mode)


def _unlink(path: Path) -> None:
    path.unlink()


def _write(path: Path, text: str) -> None:
    path.write_text(text)


async def test_a_new_primary_key_keeps_the_file_private_and_the_older_keys(path: Path) -> None:
    keyset = KeysetFile(path)
    wrapped = await keyset.wrap(b"k" * 32, BINDING)
    for _ in range(3):
        await keyset.renew()
    assert _mode(path) == 0o600
    assert await keyset.unwrap(wrapped, BINDING) == b"k" * 32


async def test_of_many_renewals_at_once_no_key_is_lost(path: Path) -> None:
    keyset = KeysetFile(path)
    names = await asyncio.gather(*(keyset.renew() for _ in range(8)))
    assert len(set(names)) == 8
    text = _read(path)
    assert not [name for name in names if name.removeprefix("file:") not in text]


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666])
async def test_a_keyset_that_is_open_to_everybody_is_refused(path: Path, mode: int) -> None:
    _chmod(path, mode)
    with pytest.raises(KeyRefused, match="chmod 600"):
        await KeysetFile(path).wrap(b"k" * 32, BINDING)


@pytest.mark.parametrize("text", ["", "{", '{"primary": "a", "keys": [{"id": "a", "key": 1}]}', '{"primary": "a"}'])
async def test_a_damaged_keyset_is_refused_without_a_word_of_it(path: Path, text: str) -> None:
    _write(path, text)
    with pytest.raises(KeyRefused, match="is damaged"):
        await KeysetFile(path).wrap(b"k" * 32, BINDING)


@pytest.mark.parametrize("key", ["c2hvcnQ=", "%%"])
async def test_a_key_that_is_no_aes_key_is_refused(path: Path, key: str) -> None:
    _write(path, f'{{"primary": "a", "keys": [{{"id": "a", "key": "{key}"}}]}}')
    with pytest.raises(KeyRefused, match="no AES key"):
        await KeysetFile(path).wrap(b"k" * 32, BINDING)


async def test_a_keyset_that_is_gone_is_refused_by_its_name(path: Path) -> None:
    _unlink(path)
    with pytest.raises(KeyRefused, match=r"keyset\.json can't be read: No such file"):
        await KeysetFile(path).wrap(b"k" * 32, BINDING)


async def test_a_keyset_that_lost_the_wrapping_key_says_which(path: Path) -> None:
    keyset = KeysetFile(path)
    wrapped = await keyset.wrap(b"k" * 32, BINDING)
    _unlink(path)
    create_keyset(path)
    with pytest.raises(KeyRefused, match=wrapped.by.removeprefix("file:")):
        await keyset.unwrap(wrapped, BINDING)


async def test_a_keyset_never_prints_its_keys(path: Path) -> None:
    keyset = KeysetFile(path)
    wrapped = await keyset.wrap(b"k" * 32, BINDING)
    assert "kkkk" not in repr((keyset, wrapped))
