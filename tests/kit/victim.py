"""A process that dies, or freezes, at the worst moment: `python -m tests.kit.victim ROLE`, settings in the environment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from types import MappingProxyType

from libs.kit import consumer as consumer_module
from libs.kit.crypto.encryption import encryption
from libs.kit.crypto.rotation import Rotation
from libs.kit.db import database
from libs.kit.relay import Relay
from libs.kit.settings import Settings
from tests.kit.probe import Base, Faults, consuming


async def _die(*_arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def die_before_offsets_are_committed(settings: Settings) -> None:
    """Take events, commit their effects, and die."""
    consumer_module._commit = _die  # type: ignore[assignment]  # noqa: SLF001
    async with consuming(settings, Faults()):
        await asyncio.Event().wait()


async def die_before_rows_are_moved(settings: Settings) -> None:
    """Send events, have them acknowledged, and die."""
    async with database(settings, "probe") as db:
        dying = Relay(db, settings)
        send = dying._send  # noqa: SLF001

        async def send_and_die(*arguments: object) -> None:
            if (await send(*arguments)).sent:  # type: ignore[arg-type]
                await _die()

        dying._send = send_and_die  # type: ignore[method-assign,assignment]  # noqa: SLF001
        await dying.run()


async def freeze_in_the_middle_of_a_transaction(settings: Settings) -> None:
    """Take events, write their effects, and stand still before the commit."""
    async with consuming(settings, Faults(before=lambda _: os.kill(os.getpid(), signal.SIGSTOP))):
        await asyncio.Event().wait()


async def die_while_rotating(settings: Settings) -> None:
    """Seal two batches of secrets anew, and die."""
    batches = iter(range(2))

    def step(_count: int) -> None:
        if next(batches, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    async with database(settings, "probe") as db, encryption(settings) as safe:
        rotation = Rotation(db, safe, Base.metadata)
        for tenant in await rotation.tenants():
            await rotation.renew(tenant, db.clock(), step)


async def freeze_while_leading(settings: Settings) -> None:
    """Send events, and stand still with the relay's lock in hand."""
    async with database(settings, "probe") as db:
        freezing = Relay(db, settings)
        send = freezing._send  # noqa: SLF001

        async def send_and_freeze(*arguments: object) -> object:
            outcome = await send(*arguments)  # type: ignore[arg-type]
            if outcome.sent:
                os.kill(os.getpid(), signal.SIGSTOP)
            return outcome

        freezing._send = send_and_freeze  # type: ignore[method-assign,assignment]  # noqa: SLF001
        await freezing.run()


_ROLES = MappingProxyType(
    {
        "dying-consumer": die_before_offsets_are_committed,
        "dying-relay": die_before_rows_are_moved,
        "dying-rotation": die_while_rotating,
        "freezing-consumer": freeze_in_the_middle_of_a_transaction,
        "freezing-relay": freeze_while_leading,
    }
)

if __name__ == "__main__":
    asyncio.run(_ROLES[sys.argv[1]](Settings()))
