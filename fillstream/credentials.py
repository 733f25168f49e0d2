"""Where does a login stay? In the system's keyring where there is one, or else in a file that only its owner can read."""

from __future__ import annotations

import hashlib
import importlib
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import typer

from libs.kit.errors import FillstreamError

_SERVICE = "fillstream"
_OWNER_ALONE = 0o600
_OTHERS = 0o077
# Where there is no such flag, there are no such links.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class Exposed(FillstreamError):
    """The file is not the owner's alone; what is in it may be known to others, or be theirs."""


class Keyring(Protocol):
    """What the optional package `keyring` offers."""

    def get_password(self, service: str, username: str) -> str | None:
        """What is kept, or None."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""

    def delete_password(self, service: str, username: str) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Refresh tokens, one for each installation, by its address."""

    keyring: Keyring | None
    folder: Path

    def keep(self, url: str, token: str) -> str:
        """Keep a token; gives the name of the place."""
        if self._kept_in_keyring(url, token):
            # An older one in the file would come back when the keyring is away.
            self._path(url).unlink(missing_ok=True)
            return "the system's keyring"
        self._write(self._path(url), token)
        return str(self._path(url))

    def known(self, url: str) -> str | None:
        """The token that was kept last, if any. Raises Exposed when others could have read or written it.

        A file is there only when the keyring did not take what came last.
        """
        return self._read(self._path(url)) or self._from_keyring(url)

    def forget(self, url: str) -> None:
        """Keep it no longer, wherever it is."""
        if self.keyring is not None:
            with suppress(_failure()):
                self.keyring.delete_password(_SERVICE, url)
        self._path(url).unlink(missing_ok=True)

    def _kept_in_keyring(self, url: str, token: str) -> bool:
        """A keyring may be there and keep nothing: it is asked for what it was just given."""
        if self.keyring is None:
            return False
        with suppress(_failure()):
            self.keyring.set_password(_SERVICE, url, token)
        return self._from_keyring(url) == token

    def _from_keyring(self, url: str) -> str | None:
        if self.keyring is not None:
            with suppress(_failure()):
                return self.keyring.get_password(_SERVICE, url)
        return None

    def _path(self, url: str) -> Path:
        return self.folder / f"session-{hashlib.sha256(url.encode()).hexdigest()[:32]}"

    def _write(self, path: Path, token: str) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        # Never through a link that somebody has laid, and never readable by others, not even for a moment.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, _OWNER_ALONE), "w") as file:
            file.write(token)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def _read(self, path: Path) -> str | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | _NO_LINK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Exposed(f"{path} can't be read as it should: {error.strerror}; remove it and log in again") from error
        with os.fdopen(descriptor) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
                raise Exposed(f"{path} is not yours alone: remove it and log in again")
            return file.read()


def credentials() -> Credentials:
    """Where this user's logins stay."""
    return Credentials(_system_keyring(), Path(typer.get_app_dir("fillstream")))


def _system_keyring() -> Keyring | None:
    try:
        return cast("Keyring", importlib.import_module("keyring"))
    except ImportError:
        return None


def _failure() -> type[Exception]:
    """What keyrings raise when they are locked, away or empty; nothing of that kind where the package is not there."""
    try:
        return cast("type[Exception]", importlib.import_module("keyring.errors").KeyringError)
    except ImportError:
        return FillstreamError
