"""Who calls, and what is a call? People who registered, each for one workspace, and requests that they may send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from httpx2 import Response

from tests.auth.builders import Person as Session
from tests.auth.builders import bearer
from tests.second_factor import enrol

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is valid for whoever may send it; `path` and `query` hold parameters by name."""

    body: Json | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    def said(self) -> str:
        """All values that it sends."""
        return f"{self.body} {dict(self.path)} {dict(self.query)}"


class Sender(Protocol):
    """Takes a call to the context that serves the route."""

    async def __call__(self, route: str, call: Call, headers: Mapping[str, str]) -> Response: ...


class Mailbox(Protocol):
    """Gives what stands in a mail to a person."""

    async def __call__(self, person: Person, purpose: str) -> str: ...


async def no_mailbox(_person: Person, _purpose: str) -> str:
    """Nobody's mail is read."""
    raise NotImplementedError


class Steps(Protocol):
    """Lets a person be a newcomer once more."""

    async def __call__(self, person: Person) -> None: ...


async def no_steps(_person: Person) -> None:
    """Nobody's steps are forgotten."""


@dataclass(frozen=True)
class Person:
    """Somebody who registered and logged in."""

    email: str
    password: str
    session: Session
    send: Sender
    mailbox: Mailbox = no_mailbox
    begin_anew: Steps = no_steps
    forge: Callable[[Session], str] | None = None
    """Signs a token of a session with every scope that there is; without it the session's own is all that they have."""

    @property
    def everything(self) -> str:
        """A token that allows all, as new as can be: the tests of a module may take longer than one lives."""
        return self.session.access_token if self.forge is None else self.forge(self.session)

    async def log_in(self) -> Session:
        """Tokens of a session of its own."""
        answer = await self.ask("/v1/auth/login", {"email": self.email, "password": self.password}, "")
        if "challenge" in answer:
            # Some call has set up a second factor: another one, whose codes nobody has used, takes its place.
            app = await enrol(self.ask, self.everything)
            shown = {"challenge": answer["challenge"], "code": app.code()}
            answer = await self.ask("/v1/auth/second-factor", shown, "")
        return Session(
            self.session.user_id,
            self.session.workspace_id,
            answer["access_token"],
            answer["refresh_token"],
            answer["session_id"],
        )

    async def ask(self, path: str, body: Json, token: str) -> Json:
        """What is answered to a body that is posted."""
        answer = await self.send(f"POST {path}", Call(body), bearer(token) if token else {})
        document: Json = answer.raise_for_status().json()
        return document

    async def made(self, route: str, call: Call) -> Json:
        """What the answer to a call tells, which has to succeed."""
        answer = await self.send(route, call, bearer(self.everything))
        assert answer.is_success, f"{route} answered {answer.status_code}: {answer.text}"
        return answer.json() if answer.content else {}

    async def items(self, path: str) -> list[Json]:
        """The first page of a list."""
        found: list[Json] = (await self.made(f"GET {path}", Call()))["items"]
        return found

    async def first(self, path: str, name: str = "id") -> str:
        """A field of the first item of a list."""
        return str((await self.items(path))[0][name])
