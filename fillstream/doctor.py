"""What is wrong with an installation, and what helps? Each check answers with a sentence or with nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Container, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import asyncpg
from aiokafka.errors import KafkaError

from fillstream.contexts import Context
from fillstream.installation import Installation
from libs.kit.crypto.addresses import key_encryption
from libs.kit.crypto.key_encryption import DATA_KEY_BYTES, Binding, KeyTrouble
from libs.kit.crypto.rotation import keeps_secrets
from libs.kit.errors import FillstreamError
from libs.kit.kafka import admin
from libs.kit.migrate import newest_revision
from libs.kit.settings import Settings
from libs.schema.catalogue import TOPICS

_CLOCK_SECONDS = 5
_CONNECT_SECONDS = 5
_PROBE = Binding("doctor", None, "probe")


class NotReady(FillstreamError):
    """Something that services need is missing; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one check. `advice` is None when all is well."""

    check: str
    advice: str | None


async def examine(contexts: Sequence[Context], where: Installation) -> AsyncGenerator[Finding, None]:
    """Look at settings, encryption key, database, roles, schemas, broker, topics and clocks. Raises ConfigurationError."""
    settings = where.settings(Settings)
    for context in contexts:
        where.of(context)
    yield Finding("settings", None)
    if any(keeps_secrets(context.metadata) for context in contexts):
        yield Finding("encryption key", await _check_encryption(settings))
    url = settings.database_url.get_secret_value()
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = str(error) or "no answer in time"
        server = urlsplit(url).netloc.rpartition("@")[2]
        yield Finding("database", f"PostgreSQL at {server} does not let us in ({why}): check FILLSTREAM_DATABASE_URL")
    else:
        try:
            yield Finding("database", None)
            for context in contexts:
                yield Finding(f"schema {context.name}", await _check_schema(connection, context))
            yield Finding("clocks", await _check_clock(connection))
        finally:
            await connection.close()
    try:
        missing = await _missing_topics(settings)
    except (KafkaError, OSError, ValueError) as error:
        why = f"Kafka does not answer at {settings.kafka_bootstrap} ({error})"
        yield Finding("broker", f"{why}: check FILLSTREAM_KAFKA_BOOTSTRAP")
    else:
        yield Finding("broker", None)
        yield Finding("topics", f"{', '.join(missing)} are missing: run `fillstream migrate`" if missing else None)


async def require_servers(where: Installation) -> None:
    """Refuse to work on servers that are away. Raises NotReady with what helps."""
    await _require((), where, frozenset({"database", "broker"}))


async def require_ready(contexts: Sequence[Context], where: Installation) -> None:
    """Refuse to start on what can't work. Raises NotReady with the first finding's advice."""
    await _require(contexts, where, None)


async def _require(contexts: Sequence[Context], where: Installation, wanted: Container[str] | None) -> None:
    async with aclosing(examine(contexts, where)) as findings:
        async for finding in findings:
            if finding.advice is not None and (wanted is None or finding.check in wanted):
                raise NotReady(f"{finding.check}: {finding.advice}")


async def _check_schema(connection: asyncpg.Connection[asyncpg.Record], context: Context) -> str | None:
    wanted = newest_revision(context.source)
    try:
        found = await connection.fetchval(f"SELECT version_num FROM {context.name}.alembic_version")
    except asyncpg.UndefinedTableError:
        return "it is not there: run `fillstream migrate`"
    except asyncpg.InsufficientPrivilegeError:
        found = wanted
    if found != wanted:
        return f"it is at revision {found}, this release needs {wanted}: run `fillstream migrate`"
    for role in (f"{context.name}_api", f"{context.name}_worker"):
        if not await connection.fetchval("SELECT pg_has_role(current_user, $1, 'MEMBER')", role):
            return f"the database user may not take the role {role}: GRANT {role} TO it"
    return None


async def _check_encryption(settings: Settings) -> str | None:
    try:
        async with key_encryption(settings) as guard:
            wrapped = await guard.wrap(bytes(DATA_KEY_BYTES), _PROBE)
            await guard.unwrap(wrapped, _PROBE)
    except KeyTrouble as error:
        return str(error)
    return None


async def _check_clock(connection: asyncpg.Connection[asyncpg.Record]) -> str | None:
    before = time.time()
    there: datetime = await connection.fetchval("SELECT clock_timestamp()")
    apart = abs((there.astimezone(UTC) - datetime.now(UTC)).total_seconds()) - (time.time() - before)
    if apart > _CLOCK_SECONDS:
        return f"this machine's clock and the database's are {apart:.0f} s apart: set both by NTP"
    return None


async def _missing_topics(settings: Settings) -> list[str]:
    async with admin(settings.kafka) as client:
        existing = set(await client.list_topics())
    wanted = [settings.kafka_prefix + topic for topic in TOPICS]
    return [topic for topic in wanted if topic not in existing]
