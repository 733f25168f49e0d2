"""Which Java archives make up Kafka, and are they here, unchanged?

`deploy/kafka/jgo.lock.toml` names them with their SHA-256 sums. Each is fetched once into the user's cache and verified
there; later starts only look at size and time of the file, and verify again when one of them has changed.
"""

import asyncio
import fcntl
import hashlib
import json
import sys
import tempfile
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from fillstream.embedded.concurrency import together
from fillstream.embedded.errors import StackError
from fillstream.embedded.home import writable
from libs.kit.cancellation import uninterrupted

DEPLOY = Path(__file__).parents[2] / "deploy" / "kafka"
LOCK = DEPLOY / "jgo.lock.toml"
CONNECTIONS = 6
ATTEMPTS = 2
POLL = 0.1
FETCH_SECONDS = 30
Stamp = list[str | int]


@dataclass(frozen=True)
class Jar:
    """One Java archive of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """Its file's name."""
        return f"{self.artifact}-{self.version}.jar"


def locked_jars(lock: Path = LOCK) -> list[Jar]:
    """The archives of a lock file, in the order of the class path."""
    try:
        entries = tomllib.loads(lock.read_text())["dependencies"]
    except FileNotFoundError:
        raise StackError(f"The list of Kafka's Java archives, {lock}, is missing.") from None
    return [Jar(entry["groupId"], entry["artifactId"], entry["version"], entry["sha256"]) for entry in entries]


def kafka_version(jars: Sequence[Jar]) -> str:
    """The version of Kafka that the archives are."""
    return next(jar.version for jar in jars if jar.artifact == "kafka-clients")


async def ensure_jars(
    jars: Sequence[Jar], cache: Path, report: Callable[[str], None], repositories: Mapping[str, str] | None = None
) -> list[Path]:
    """The archives' files, fetched if missing and verified.

    `repositories` are names and addresses of Maven repositories to use in place of the configured ones. Raises
    StackError when a repository cannot be reached or an archive's sum is wrong.
    """
    folder = writable(cache / "jars")
    async with _held(folder):
        missing = [jar for jar in jars if not (folder / jar.name).exists()]
        if missing:
            report(f"fetching {len(missing)} Java archives of Apache Kafka {kafka_version(jars)}, once")
            await _fetch(missing, folder, repositories)
        await asyncio.to_thread(_verify, jars, folder)
    return [folder / jar.name for jar in jars]


@asynccontextmanager
async def _held(folder: Path) -> AsyncIterator[None]:
    """One fetches at a time; another start waits, and then finds everything there."""
    with (folder / "lock").open("w") as lock:
        # Asked for again and again, since a thread that waits for it could not be cancelled.
        while not _locked(lock.fileno()):  # noqa: ASYNC110
            await asyncio.sleep(POLL)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _verify(jars: Sequence[Jar], folder: Path) -> None:
    marker = folder / "verified.json"
    known = _stamps(marker)
    found: dict[str, Stamp] = {}
    for jar in jars:
        path = folder / jar.name
        stamp = _stamp(path, jar.sha256)
        if known.get(jar.name) != stamp:
            _check_sum(path, jar)
        found[jar.name] = stamp
    if found != known:
        fresh = marker.with_suffix(".new")
        fresh.write_text(json.dumps({**known, **found}))
        fresh.replace(marker)


def _stamps(marker: Path) -> dict[str, Stamp]:
    try:
        stamps: dict[str, Stamp] = json.loads(marker.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return stamps


def _stamp(path: Path, sha256: str) -> Stamp:
    status = path.stat()
    return [sha256, status.st_size, status.st_mtime_ns]


def _check_sum(path: Path, jar: Jar) -> None:
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != jar.sha256:
        raise StackError(f"The Java archive {jar.name} does not have the SHA-256 sum of the lock: delete {path}.")


async def _fetch(jars: Sequence[Jar], folder: Path, repositories: Mapping[str, str] | None) -> None:
    connections = asyncio.Semaphore(CONNECTIONS)
    with _progress() as progress:
        bar = progress.add_task("Apache Kafka", total=len(jars))

        async def fetch(jar: Jar) -> None:
            async with connections:
                # A thread cannot be cancelled: let it end before the folder is given up.
                await uninterrupted(asyncio.to_thread(_fetch_one, jar, folder, repositories))
            progress.advance(bar)

        await together(*map(fetch, jars))


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("archives"))
    return Progress(*columns, console=Console(file=sys.stderr), transient=True, disable=not sys.stderr.isatty())


def _fetch_one(jar: Jar, folder: Path, repositories: Mapping[str, str] | None) -> None:
    """Put one archive in the folder, whole and verified or not at all."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            # jgo writes to the final name while it fetches, and takes a torn file for a whole one afterwards.
            with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as scratch:
                fetched = _resolve(jar, Path(scratch), repositories)
                _check_sum(fetched, jar)
                fetched.replace(folder / jar.name)
        except (OSError, RuntimeError) as error:
            if attempt == ATTEMPTS:
                raise _explained(error, jar, folder) from error
        else:
            return


def _resolve(jar: Jar, scratch: Path, repositories: Mapping[str, str] | None) -> Path:
    # Imported here: it takes a while, and only a first start fetches.
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    if repositories is None:
        repositories = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    maven = MavenContext(repo_cache=scratch, remote_repos=dict(repositories), timeout=FETCH_SECONDS)
    return maven.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()


def _explained(error: Exception, jar: Jar, folder: Path) -> StackError:
    # Errors of the network are OSErrors without a number.
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return StackError(f"The Java archive {jar.name} cannot be written to {folder}: {error.strerror}.")
    if isinstance(error, RuntimeError):
        return StackError(f"The Java archive {jar.name} was not found in the Java package registry.")
    return StackError(
        f"The Java package registry cannot be reached, so {jar.name} was not fetched: connect to the network once."
    )
