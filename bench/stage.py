"""Where does a benchmark take place? On real servers of its own, prepared as an installation is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from fillstream.embedded.stack import embedded_stack
from fillstream.installation import Installation, prepare
from libs.kit.crypto.keyset_file import create_keyset
from libs.kit.settings import Settings


@dataclass(frozen=True)
class Stage:
    """Servers, and how large everything is to be."""

    where: Installation
    home: Path
    quick: bool
    """Only a smoke test: small sizes, and figures that mean nothing."""

    @property
    def settings(self) -> Settings:
        """How to reach the servers."""
        return self.where.settings(Settings)

    def sized(self, full: int, quick: int) -> int:
        """One of the two sizes."""
        return quick if self.quick else full

    async def connect(self, schema: str = "public") -> asyncpg.Connection[asyncpg.Record]:
        """The database as its administrator, past row-level security."""
        return await asyncpg.connect(
            self.settings.database_url.get_secret_value(), server_settings={"search_path": schema}
        )

    async def reset(self, *tables: str) -> None:
        """Empty tables, and let none of the work before be paid for by what follows."""
        connection = await self.connect()
        try:
            await connection.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()


def _keyset(home: Path) -> str:
    create_keyset(home / "keyset.json")
    return (home / "keyset.json").as_uri()


@asynccontextmanager
async def stage(home: Path, *, quick: bool) -> AsyncIterator[Stage]:
    """Fresh servers under `home` with every context's schema and topics."""
    async with embedded_stack(home, lambda _: None) as endpoints:
        where = Installation(
            {
                "database_url": endpoints.database_url,
                "kafka_bootstrap": endpoints.kafka_bootstrap,
                "encryption_key_url": _keyset(home),
                "mail_token_secret": "only-for-this-benchmark-and-long-enough",
                "log_level": "WARNING",
                "rate_limit_scale": 1_000,
                # Named, so that processes apart take each other's tokens.
                "public_url": "http://127.0.0.1:8000",
            }
        )
        await prepare(where)
        yield Stage(where, home, quick)
