"""Does anything tell a secret? All contexts in a process of their own, everything goes wrong, and then all is searched."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx2
import psutil
import pytest

from fillstream.contexts import Context, load_all, names
from fillstream.embedded.home import open_home
from fillstream.embedded.kafka import KafkaServer
from fillstream.embedded.postgres import PostgresServer, StopMode
from fillstream.embedded.stack import kafka_runtime, remove_home
from fillstream.inflight import watch_in_flight
from fillstream.installation import Installation, prepare
from libs.kit.backbone import BACKBONE_TABLES
from libs.kit.crypto.key_encryption import WrappedKey
from libs.kit.settings import Settings
from tests.interfaces.expectations import EXPECTATIONS, Scoped
from tests.interfaces.exposed import all_files, all_topics, whole_database
from tests.interfaces.leaks import Secret, leaks
from tests.interfaces.mailbox import newest_token
from tests.interfaces.people import Call, Person
from tests.interfaces.planting import planted_settings, variables
from tests.interfaces.premises import let_trade
from tests.interfaces.visitors import Visitors
from tests.keysets import keys_in, keyset_url, vault_at
from tests.system.commands import Program, becomes, fillstream, running
from tests.world import eventually

_LOGIN = "fillstream_planted"
SOURCES = (
    "log", "answers", "topics", "metrics", "database", "servers' logs", "output of commands", "command line",
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """What a run left behind, and what must not be in it."""

    secrets: Sequence[Secret]
    sources: Mapping[str, bytes]
    broken: Sequence[int]
    """How calls were answered while tables were missing."""
    away: Sequence[int]
    """How calls were answered while there was no database."""
    refresh_tokens: Sequence[str]
    kept_digests: frozenset[bytes]
    sealed_keys: Sequence[bytes]
    private_keys: Sequence[bytes]


@dataclass(frozen=True)
class Site:
    """Servers and services of one run."""

    home: Path
    log: Path
    postgres: PostgresServer
    kafka: KafkaServer
    where: Installation
    """As its administrator has it."""
    planted: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """What the services are given: every secret is a planted one."""
        plain = {"FILLSTREAM_KAFKA_BOOTSTRAP": self.kafka.bootstrap, "FILLSTREAM_HTTP_PORT": "0"}
        plain |= {"FILLSTREAM_LOG_LEVEL": "DEBUG", "FILLSTREAM_NOTIFICATIONS_STREAM_SECONDS": "0.2"}
        # Tables will be missing for a while, which a task that looks every second does not outlive.
        plain |= {"FILLSTREAM_NOTIFICATIONS_MAIL_SECONDS": "3600"}
        # Orders by hand meet bars of the future alone.
        plain |= {"FILLSTREAM_MARKETDATA_BAR_SKEW_SECONDS": "1e9"}
        plain |= {"FILLSTREAM_ENCRYPTION_KEY_URL": keyset_url(), "FILLSTREAM_AUTH_AUDIT_HEAD_SECONDS": "5"}
        return plain | variables(self.planted, self.postgres.url, _LOGIN)

    async def execute(self, *statements: str) -> list[asyncpg.Record]:
        """Do something as the database's administrator; gives the rows of the last statement."""
        admin = await asyncpg.connect(self.postgres.url)
        try:
            rows = [await admin.fetch(statement) for statement in statements]
        finally:
            await admin.close()
        return rows[-1]

    async def mailed(self, person: Person, purpose: str) -> str:
        """What stands in the newest mail to a person."""
        admin = await asyncpg.connect(self.postgres.url)
        try:
            return await newest_token(admin, self.planted["mail_token_secret"], person.email, purpose)
        finally:
            await admin.close()


@asynccontextmanager
async def a_site(folder: Path) -> AsyncIterator[Site]:
    """Servers of this run alone, and a database user whose password is planted."""
    place = open_home(folder / "home")
    postgres, kafka = PostgresServer(place), KafkaServer(place, await kafka_runtime(place, lambda _: None))
    await postgres.start()
    await kafka.start()
    try:
        where = Installation({"database_url": postgres.url, "kafka_bootstrap": kafka.bootstrap, "kafka_partitions": 2})
        await prepare(where)
        site = Site(place.logs, folder / "serve.log", postgres, kafka, where, planted_settings())
        roles = ", ".join(f"{name}_{role}" for name in names() for role in ("api", "worker"))
        await site.execute(
            f"CREATE ROLE {_LOGIN} LOGIN NOINHERIT PASSWORD '{site.planted['database_url']}'",
            f"GRANT {roles} TO {_LOGIN}",
        )
        yield site
    finally:
        await postgres.stop(StopMode.IMMEDIATE)
        await kafka.kill()
        await remove_home(place.path)


@asynccontextmanager
async def without_tables(site: Site, contexts: Sequence[Context]) -> AsyncIterator[None]:
    """Let the contexts' own tables be gone for a while."""
    own = [t for c in contexts for t in c.metadata.sorted_tables if t.name not in BACKBONE_TABLES]
    await site.execute(*(f'ALTER TABLE {table.schema}."{table.name}" RENAME TO "{table.name}_away"' for table in own))
    yield
    await site.execute(*(f'ALTER TABLE {table.schema}."{table.name}_away" RENAME TO "{table.name}"' for table in own))


async def dead_letters(site: Site) -> int:
    """How many there are."""
    counts = [await site.execute(f"SELECT count(*) FROM {name}.dead_letter") for name in names()]
    return sum(rows[0][0] for rows in counts)


async def some_are_dead(site: Site) -> None:
    """Wait until an event could not be handled."""

    async def dead() -> None:
        assert await dead_letters(site) > 0

    await eventually(dead)


async def the_run(site: Site, program: Program, visitors: Visitors, url: str) -> tuple[list[int], list[int], bytes]:
    """All that happens; gives the statuses of what was broken and away, and what commands said."""
    environment, said = site.environment(), list[str]()
    settings = site.where.settings(Settings)
    async with watch_in_flight(load_all(), settings) as in_flight:
        ada = await visitors.register("ada")
        granted = await fillstream("admin", "create", ada.email, **environment)
        assert granted.status == 0, granted
        said += [granted.out, granted.err]
        # A new role ends sessions.
        ada = await visitors.log_in(ada)
        await visitors.make_passkey(ada)
        ada = await visitors.log_in(ada)
        await in_flight.wait_until_none()
        await let_trade(in_flight, ada)
        await visitors.go_on(ada)
        await visitors.let_a_program_in(ada)
        await visitors.mistype(ada)
        scoped = [route for route, stated in EXPECTATIONS.items() if isinstance(stated, Scoped)]
        # What ends sessions comes last, and ends this one.
        await visitors.misplace(ada, sorted(scoped, key=lambda route: "/v1/sessions" in route))
        ada = await visitors.log_in(ada)
        calls: dict[str, Call] = {
            route: await stated.make(ada) for route, stated in EXPECTATIONS.items() if isinstance(stated, Scoped)
        }
        await in_flight.wait_until_none()
    async with without_tables(site, load_all()):
        broken = await visitors.insist(ada, calls)
    async with without_tables(site, [context for context in load_all() if context.name != "auth"]):
        await visitors.register("bob")
        await some_are_dead(site)
    for command in (("dead-letters", "list"), ("doctor",)):
        done = await fillstream(*command, **environment)
        said += [done.out, done.err]
    await site.postgres.stop(StopMode.IMMEDIATE)
    away = await visitors.insist(ada, calls)
    done = await fillstream("doctor", **environment)
    said += [done.out, done.err]
    await site.postgres.start()
    await becomes(url, 200)
    await visitors.insist(await visitors.log_in(ada), calls)
    assert program.process.returncode is None
    return broken, away, "\n".join(said).encode()


@pytest.fixture(scope="module")
async def evidence(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Evidence]:
    """What one run left behind."""
    folder = tmp_path_factory.mktemp("secrets")
    async with a_site(folder) as site:
        async with running("serve", *names(), log=site.log, **site.environment()) as program:
            url = await program.says(r'"url": "(http://[^"]+)"')
            async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
                visitors = Visitors(client, site.mailed)
                broken, away, said = await the_run(site, program, visitors, url)
                metrics = (await client.get("/metrics")).content
            command_line = "\0".join(psutil.Process(program.process.pid).cmdline()).encode()
            assert await program.end(15) == 0
        tokens = await site.execute("SELECT token_hash FROM auth.refresh_token")
        sealed = await site.execute("SELECT kid, sealed_private_key, wrapped_by FROM auth.signing_key")
        private = [await _private(row) for row in sealed]
        planted = [Secret.of(f"setting {name}", value) for name, value in site.planted.items()]
        superuser = Secret.of("superuser's password", site.postgres.url.split(":")[2].partition("@")[0])
        planted += [Secret.of("key-encryption key", key) for key in keys_in(keyset_url())]
        keys = [Secret.of("private signing key", key) for key in private]
        keys += [Secret("private signing key in bytes", _unpadded(key)) for key in private]
        yield Evidence(
            [*planted, superuser, *keys, *visitors.known_secrets(), *_raw_signatures(visitors)],
            dict(zip(SOURCES, (
                site.log.read_bytes(), visitors.told(), await all_topics(site.kafka.bootstrap), metrics,
                await whole_database(site.postgres.url), all_files(site.home), said, command_line,
            ), strict=True)),
            broken,
            away,
            [session["refresh_token"] for session in visitors.sessions],
            frozenset(row[0] for row in tokens),
            [row[1] for row in sealed],
            [_unpadded(key) for key in private],
        )  # fmt: skip


async def _private(row: asyncpg.Record) -> str:
    """The secret half of a key, which is text in a JSON Web Key."""
    key = await vault_at(keyset_url()).open(row["kid"], WrappedKey(row["sealed_private_key"], row["wrapped_by"]))
    return str(key.as_dict(private=True)["d"])


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _raw_signatures(visitors: Visitors) -> list[Secret]:
    signatures = [text for name, text in visitors.secrets.items() if name.startswith("signature")]
    return [Secret("signature in bytes", _unpadded(text)) for text in signatures]


@pytest.mark.parametrize("source", SOURCES)
def test_no_secret_is_told(evidence: Evidence, source: str) -> None:
    assert [str(leak) for leak in leaks(evidence.secrets, {source: evidence.sources[source]})] == []


@pytest.mark.parametrize(
    ("source", "trace"),
    [
        ("log", b"request_failed"),
        ("log", b"database_away"),
        ("answers", b"urn:fillstream:problem:internal"),
        ("answers", b"urn:fillstream:problem:unavailable"),
        ("answers", b"urn:fillstream:problem:malformed-json"),
        ("answers", b"urn:fillstream:problem:unauthenticated"),
        ("topics", b"bob@example.com"),
        ("metrics", b"/v1/auth/login"),
        ("database", b"$argon2id$"),
        ("database", b"bob@example.com"),
        ("servers' logs", b"does not exist"),
        ("output of commands", b"does not let us in"),
        ("output of commands", b"auth.v1"),
        ("command line", b"serve"),
    ],
)
def test_what_was_searched_is_what_happened(evidence: Evidence, source: str, trace: bytes) -> None:
    assert trace.lower() in evidence.sources[source].lower()


def test_the_run_has_met_errors_of_ours_and_a_database_that_was_away(evidence: Evidence) -> None:
    assert evidence.broken.count(500) > len(evidence.broken) / 2
    assert evidence.away.count(503) > len(evidence.away) / 2
    assert 500 not in evidence.away


def test_refresh_tokens_are_kept_as_digests_alone(evidence: Evidence) -> None:
    assert len(evidence.refresh_tokens) >= 4
    digests = {hashlib.sha256(token.partition(".")[2].encode()).digest() for token in evidence.refresh_tokens}
    assert digests == evidence.kept_digests


def test_private_signing_keys_are_kept_sealed(evidence: Evidence) -> None:
    assert evidence.sealed_keys
    for sealed, private in zip(evidence.sealed_keys, evidence.private_keys, strict=True):
        assert len(private) == 32
        assert private not in sealed
        assert not sealed.startswith(b"{")
