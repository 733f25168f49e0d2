"""A login stays where its owner alone can read it, and nobody lays a trap for it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fillstream.credentials import Credentials, Exposed
from libs.kit.errors import FillstreamError

URL, OTHER = "https://api.example.com", "https://api.example.org"
TOKEN = "0198a000-0000-7000-8000-00000000000a.secret"


@dataclass
class Ring:
    """A keyring; a locked one fails at everything, a forgetful one keeps nothing."""

    locked: bool = False
    forgetful: bool = False
    kept: dict[str, str] = field(default_factory=dict)

    def get_password(self, _service: str, username: str) -> str | None:
        self._open()
        return self.kept.get(username)

    def set_password(self, _service: str, username: str, password: str) -> None:
        self._open()
        if not self.forgetful:
            self.kept[username] = password

    def delete_password(self, _service: str, username: str) -> None:
        self._open()
        if self.kept.pop(username, None) is None:
            raise FillstreamError("there is none")

    def _open(self) -> None:
        if self.locked:
            raise FillstreamError("the keyring is locked")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "config"


def the_file(folder: Path) -> Path:
    [path] = folder.iterdir()
    return path


def test_without_a_keyring_a_token_is_in_a_file_of_its_owners_alone(folder: Path) -> None:
    store = Credentials(None, folder)
    old = os.umask(0)
    try:
        place = store.keep(URL, TOKEN)
    finally:
        os.umask(old)

    assert place == str(the_file(folder))
    assert stat.S_IMODE(the_file(folder).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert store.known(URL) == TOKEN


def test_a_keyring_that_works_is_all_that_is_used(folder: Path) -> None:
    Credentials(None, folder).keep(URL, "older")
    ring = Ring()

    Credentials(ring, folder).keep(URL, TOKEN)

    assert (ring.kept, list(folder.iterdir())) == ({URL: TOKEN}, [])
    assert Credentials(ring, folder).known(URL) == TOKEN


@pytest.mark.parametrize("ring", [Ring(locked=True), Ring(forgetful=True)], ids=["locked", "forgetful"])
def test_a_keyring_that_keeps_nothing_gives_way_to_the_file(ring: Ring, folder: Path) -> None:
    store = Credentials(ring, folder)
    store.keep(URL, TOKEN)

    assert the_file(folder).read_text() == TOKEN
    assert store.known(URL) == TOKEN


@pytest.mark.parametrize("ring", [None, Ring(), Ring(locked=True)], ids=["none", "working", "locked"])
def test_installations_have_tokens_of_their_own_which_can_be_forgotten(ring: Ring | None, folder: Path) -> None:
    store = Credentials(ring, folder)
    store.keep(URL, TOKEN)
    store.keep(OTHER, "other")

    store.forget(URL)
    store.forget(URL)

    assert (store.known(URL), store.known(OTHER)) == (None, "other")


def test_a_link_in_the_place_of_the_file_is_replaced_and_what_it_leads_to_left_alone(
    folder: Path, tmp_path: Path
) -> None:
    store, target = Credentials(None, folder), tmp_path / "target"
    target.write_text("precious")
    place = Path(store.keep(URL, TOKEN))
    place.unlink()
    place.symlink_to(target)

    store.keep(URL, "newer")

    assert target.read_text() == "precious"
    assert not the_file(folder).is_symlink()
    assert store.known(URL) == "newer"


def test_a_token_is_never_read_through_a_link(folder: Path, tmp_path: Path) -> None:
    store, target = Credentials(None, folder), tmp_path / "target"
    target.write_text("somebody else's")
    target.chmod(0o600)
    place = Path(store.keep(URL, TOKEN))
    place.unlink()
    place.symlink_to(target)

    with pytest.raises(Exposed, match="remove it and log in again"):
        store.known(URL)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_can_read_or_write_is_not_believed(folder: Path, mode: int) -> None:
    store = Credentials(None, folder)
    store.keep(URL, TOKEN)
    the_file(folder).chmod(mode)

    with pytest.raises(Exposed, match="is not yours alone"):
        store.known(URL)


def test_no_draft_is_left(folder: Path) -> None:
    store = Credentials(None, folder)
    for token in ("a", "b", "c"):
        store.keep(URL, token)

    assert len(list(folder.iterdir())) == 1
