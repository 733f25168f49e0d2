"""How does a device log in, in tests? In forms, as OAuth's clients do, and with a person who answers elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from httpx2 import AsyncClient, Response

from services.auth.model import GrantType
from tests.auth.builders import Person
from tests.world import World

CLIENT = "fillstream-cli"
APPROVAL = "/v1/auth/device/approval"


@dataclass(frozen=True)
class Device:
    """Something that shows a code and polls."""

    client: AsyncClient
    device_code: str
    user_code: str

    async def poll(self, **changes: str) -> Response:
        """Ask whether somebody has answered."""
        form = {"grant_type": GrantType.DEVICE_CODE.value, "device_code": self.device_code, "client_id": CLIENT}
        return await self.client.post("/v1/auth/token", data=form | changes)

    async def decided(self, person: Person, decision: str = "APPROVE") -> Response:
        """Let a person answer."""
        body = {"user_code": self.user_code, "decision": decision}
        return await self.client.post(APPROVAL, json=body, headers=person.bearer)


async def a_device(client: AsyncClient) -> Device:
    asked = (await client.post("/v1/auth/device", data={"client_id": CLIENT})).raise_for_status().json()
    return Device(client, asked["device_code"], asked["user_code"])


async def time_passes(world: World, seconds: int) -> None:
    """For devices: what they did and what was promised them is so much longer ago."""
    await world.fetch(
        "UPDATE auth.device_authorization SET polled_at = polled_at - make_interval(secs => $1), "
        "expires_at = expires_at - make_interval(secs => $1)",
        seconds,
    )


def error(answer: Response) -> str:
    """OAuth's word for why there are no tokens."""
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    return str(body["error"])
