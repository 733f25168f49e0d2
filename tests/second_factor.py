"""How does somebody with a second factor log in, in tests? An application in software shows codes, each of them once."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from httpx2 import AsyncClient

from services.auth.totp import STANDARD

Json = dict[str, Any]


class Ask(Protocol):
    """Sends a body and gives the document that is answered, whoever's client it goes through; fails on a refusal."""

    async def __call__(self, path: str, body: Json, token: str) -> Json: ...


def asking(client: AsyncClient) -> Ask:
    """Asks through a plain client."""

    async def ask(path: str, body: Json, token: str) -> Json:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await client.post(path, json=body, headers=headers)
        assert answer.is_success, f"{path} answered {answer.status_code}: {answer.text}"
        document: Json = answer.json()
        return document

    return ask


@dataclass
class App:
    """An authenticator application that was set up, and the recovery codes that came with it."""

    secret: bytes
    recovery_codes: list[str] = field(default_factory=list)
    last_step: int = 0

    def code(self) -> str:
        """One that was not shown before: of this step or the next, and then a recovery code."""
        now = _step()
        if self.last_step > now:
            return self.recovery_codes.pop()
        self.last_step = max(now, self.last_step + 1)
        return STANDARD.code(self.secret, self.last_step)

    def code_of(self, offset: int) -> str:
        """What it shows so many steps from now, seen before or not."""
        return STANDARD.code(self.secret, _step() + offset)


async def enrol(ask: Ask, token: str) -> App:
    """Set up a new application for whom a fresh token speaks. Two logins, and ten more, can follow at once."""
    offered = (await ask("/v1/me/totp", {}, token))["secret"]
    app = App(base64.b32decode(offered))
    step = _step() - 1
    # The step may end while the request is under way.
    if datetime.now(UTC).timestamp() % 30 > 28:
        step += 1
    confirmed = await ask("/v1/me/totp/confirm", {"code": STANDARD.code(app.secret, step)}, token)
    app.recovery_codes, app.last_step = confirmed["recovery_codes"], step
    return app


async def log_in_with(ask: Ask, app: App, email: str, password: str) -> Json:
    """The tokens of somebody who shows both factors."""
    challenged = await ask("/v1/auth/login", {"email": email, "password": password}, "")
    return await ask("/v1/auth/second-factor", {"challenge": challenged["challenge"], "code": app.code()}, "")


async def log_in_as_staff(ask: Ask, email: str, password: str, *lost: type[Exception]) -> Json:
    """The tokens of somebody who has a role that counts with a second factor alone, and sets one up for it.

    `lost` is how a refusal is raised that may only mean that the answer before it was lost: then all is done once more.
    """
    first = await ask("/v1/auth/login", {"email": email, "password": password}, "")
    try:
        return await log_in_with(ask, await enrol(ask, first["access_token"]), email, password)
    except lost:
        return await log_in_with(ask, await enrol(ask, first["access_token"]), email, password)


def _step() -> int:
    return STANDARD.step(datetime.now(UTC))
