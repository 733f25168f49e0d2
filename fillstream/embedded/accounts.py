"""As whom does PostgreSQL run, and what can that account reach?

PostgreSQL refuses to run as root. Started by root it gets an account of its own; nothing is opened up for that account:
what it cannot reach is put where it can.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fillstream.embedded.errors import StackError

NAME = "fillstream"
FALLBACK = "nobody"
REACHABLE_ROOTS = (Path("/var/lib/fillstream"), Path("/var/tmp/fillstream"))  # noqa: S108 - owned by root, mode 0755


@dataclass(frozen=True)
class Account:
    """An account of the operating system."""

    name: str
    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Whether the account may walk to an existing path and enter or execute it."""
        resolved = path.resolve()
        return all(self._may_enter(step) for step in (resolved, *resolved.parents))

    def _may_enter(self, path: Path) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        if status.st_gid == self.gid:
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)


def server_account() -> Account | None:
    """The account to run PostgreSQL under when we are root, made if it is missing; None when we are not root."""
    if os.geteuid() != 0:
        return None
    entry = _entry(NAME) or _created(NAME) or _entry(FALLBACK)
    if entry is None:
        raise StackError("PostgreSQL refuses to run as root, and no other account could be found or made for it.")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def reachable_root() -> Path:
    """A folder of root's that every account can walk into, for what lies out of reach elsewhere."""
    for root in REACHABLE_ROOTS:
        try:
            root.mkdir(parents=True, exist_ok=True)
            # The mode given to mkdir is cut by the umask.
            root.chmod(0o755)
        except OSError:
            continue
        return root
    raise StackError(f"PostgreSQL's account can reach neither {REACHABLE_ROOTS[0]} nor {REACHABLE_ROOTS[1]}.")


def reachable_copy(source: Path, folders: Sequence[str], name: str) -> Path:
    """A copy of some folders below `source` that every account can read, made once under this name."""
    target = reachable_root() / name
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / name
        for folder in folders:
            if (source / folder).exists():
                shutil.copytree(source / folder, fresh / folder, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            fresh.rename(target)
        except OSError:
            if not target.exists():
                raise
    return target


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _created(name: str) -> pwd.struct_passwd | None:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    try:
        subprocess.run([*command, "--shell", "/usr/sbin/nologin", name], check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return _entry(name)
