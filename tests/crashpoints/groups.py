"""Who tells the broker that a killed consumer is gone? We do, in its name, so that nobody waits for a session to end.

The successor then takes over the same group with the same offsets, as it would after the session timeout.
"""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest

_TRIES = 20
_AGAIN_SECONDS = 0.02


async def bury_members(admin: AIOKafkaAdminClient, group: str) -> None:
    """Let all members of a group leave it; gives up on one that comes back: the session timeout ends it."""
    coordinator = await admin.find_coordinator(group)
    for _ in range(_TRIES):
        members = await _members(admin, group, coordinator)
        if not members:
            return
        for member in members:
            await admin._client.send(coordinator, LeaveGroupRequest(group, member))  # noqa: SLF001 it has no such call
        await asyncio.sleep(_AGAIN_SECONDS)


async def _members(admin: AIOKafkaAdminClient, group: str, coordinator: int) -> list[str]:
    [answer] = await admin.describe_consumer_groups([group], coordinator)
    return [member[0] for described in answer.groups for member in described[5]]
