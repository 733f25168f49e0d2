"""On which servers does Fillstream run? The user's own, when the environment names them, or else embedded ones."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import ValidationError
from pydantic_settings import SettingsError

from fillstream.contexts import Context, load_all
from libs.kit.crypto.keyset_file import create_keyset
from libs.kit.errors import FillstreamError
from libs.kit.kafka import create_topics, topic_specs
from libs.kit.migrate import migrate
from libs.kit.settings import Settings
from libs.schema.catalogue import TOPICS

if TYPE_CHECKING:
    # A service's image has no embedded servers.
    from fillstream.embedded.stack import Endpoints

S = TypeVar("S", bound=Settings)
_OWN = ("FILLSTREAM_DATABASE_URL", "FILLSTREAM_KAFKA_BOOTSTRAP")


class ConfigurationError(FillstreamError):
    """The environment does not say what is needed; the text names the variable."""


@dataclass(frozen=True)
class Installation:
    """Servers and secrets, as values that replace those of the environment."""

    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def settings(self, kind: type[S], **changes: Any) -> S:
        """The settings of a service. Raises ConfigurationError that names the variable at fault."""
        try:
            return kind(**(dict(self.values) | changes))
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            name = "_".join(["FILLSTREAM", *map(str, first["loc"])]).upper()
            raise ConfigurationError(f"{name}: {first['msg']}") from error
        except SettingsError as error:
            # A list that is no JSON; the text says which in the words of pydantic-settings.
            names = [f"FILLSTREAM_{name.upper()}" for name in kind.model_fields if f'"{name}"' in str(error)]
            raise ConfigurationError(f"{', '.join(names)}: should be a JSON list") from error

    def of(self, context: Context, **changes: Any) -> Settings:
        """The settings of one context."""
        return self.settings(context.settings, **changes)

    def with_values(self, **changes: Any) -> Installation:
        """The same with other values."""
        return Installation({**self.values, **changes})

    def environment(self) -> dict[str, str]:
        """The values as variables, for a process of its own."""
        return {f"FILLSTREAM_{name.upper()}": str(value) for name, value in self.values.items()}

    def sibling_database(self, name: str) -> Installation:
        """The same servers with another database."""
        url = self.settings(Settings).database_url.get_secret_value()
        return self.with_values(database_url=urlunsplit(urlsplit(url)._replace(path=f"/{name}")))


def home() -> Path:
    """Where the embedded servers keep their data."""
    return Path(os.environ.get("FILLSTREAM_HOME", ".fillstream")).resolve()


@asynccontextmanager
async def installation(where: Path, report: Callable[[str], None]) -> AsyncIterator[Installation]:
    """The user's own servers, or embedded ones with their data under `where` for as long as the body runs.

    Embedded servers that another process runs there are used as they are. Raises StackError when they can't start,
    ConfigurationError when half of the variables are set.
    """
    if has_own_servers():
        yield Installation()
        return
    from fillstream.embedded.stack import embedded_stack, running_endpoints

    running = running_endpoints(where)
    if running is not None:
        yield _embedded(where, running)
        return
    async with embedded_stack(where, report) as endpoints:
        yield _embedded(where, endpoints)


def has_own_servers() -> bool:
    """Whether the environment names servers. Raises ConfigurationError when it names one of the two."""
    named = [name for name in _OWN if os.environ.get(name)]
    if len(named) == 1:
        raise ConfigurationError(f"{named[0]} is set: set {_OWN[0]} and {_OWN[1]}, or neither for embedded servers")
    return bool(named)


def _embedded(where: Path, endpoints: Endpoints) -> Installation:
    return Installation(
        {
            "database_url": endpoints.database_url,
            "kafka_bootstrap": endpoints.kafka_bootstrap,
            "encryption_key_url": _kept_keyset(where / "keyset.json"),
            "mail_token_secret": _kept_secret(where / "mail_token_secret"),
            "notifications_mail_url": (where / "mail").absolute().as_uri(),
        }
    )


def _kept_keyset(path: Path) -> str:
    """The address of a keyset that is made once and readable by its owner alone."""
    create_keyset(path)
    return path.as_uri()


def _kept_secret(path: Path) -> str:
    """A random secret that is made once and readable by its owner alone; the first of several processes makes it."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        draft.touch(0o600)
        draft.write_text(secrets.token_urlsafe(48))
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text()


async def prepare(where: Installation) -> None:
    """Bring schemas, roles, partitions and topics to what this release needs; may be repeated at any time."""
    settings = where.settings(Settings)
    url = settings.database_url.get_secret_value()
    await migrate(url, [context.source for context in load_all()], settings.event_retention_days)
    await create_topics(settings.kafka, topic_specs(settings, TOPICS))
