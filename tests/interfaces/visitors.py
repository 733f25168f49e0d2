"""Who lets secrets slip? People who log in, mistype, send passwords to the wrong place, and come while things are broken."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from httpx2 import AsyncClient, Response

from tests.auth.authenticator import ES256, Authenticator, a_key
from tests.auth.builders import Person as Session
from tests.auth.builders import bearer
from tests.interfaces.leaks import Secret
from tests.interfaces.people import Call, Mailbox, Person, no_mailbox
from tests.interfaces.routes import method_of, path_of

_PAGE = "http://localhost:8000"
_JSON = {"content-type": "application/json"}
_numbers = count(1)


def a_password() -> str:
    """Random, and with characters that encodings differ in."""
    return secrets.token_urlsafe(24) + ' "ü%\\'


@dataclass
class Visitors:
    """Everybody who comes to one address; what they must keep to themselves, and what they were answered."""

    client: AsyncClient
    mailbox: Mailbox = no_mailbox
    secrets: dict[str, str] = field(default_factory=dict)
    sessions: list[Mapping[str, str]] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    """All but those whose purpose is to hand out tokens."""
    passkeys: dict[str, Authenticator] = field(default_factory=dict)
    """Of those who log in by one, by their addresses."""

    def keep(self, name: str, secret: str) -> str:
        """Remember a secret."""
        self.secrets[f"{name} {next(_numbers)}"] = secret
        return secret

    async def ask(self, method: str, path: str, **request: Any) -> Response:
        """Ask, and keep the answer."""
        answer = await self.client.request(method, path, **request)
        if answer.is_success and b'"refresh_token"' in answer.content:
            self._keep_session(answer.json())
        elif answer.is_success and b'"access_token"' in answer.content:
            self._keep_access(answer.json()["access_token"])
        elif answer.is_success and b'"client_secret"' in answer.content:
            told = answer.json()
            self.keep("API key", told["client_secret"].removeprefix(told["client_id"]))
        else:
            self.answers.append(answer)
        return answer

    def _keep_session(self, session: Mapping[str, str]) -> None:
        self.sessions.append(session)
        self._keep_access(session["access_token"])
        self.keep("refresh token", session["refresh_token"].partition(".")[2])

    def _keep_access(self, token: str) -> None:
        # What stands before is no secret: signed heads of audit trails name the same key and issuer.
        self.keep("signature", token.rpartition(".")[2])

    async def send(self, route: str, call: Call, headers: Mapping[str, str]) -> Response:
        """Send a call to the address."""
        path = path_of(route).format_map(call.path)
        return await self.ask(method_of(route), path, params=call.query, json=call.body, headers=headers)

    async def register(self, name: str) -> Person:
        """Somebody new, who proved their address and logged in."""
        password = self.keep(f"password of {name}", a_password())
        body = {"email": f"{name}@example.com", "password": password}
        made = (await self.ask("POST", "/v1/auth/register", json=body)).raise_for_status().json()
        session = Session(made["user_id"], made["workspace_id"], "", "")
        person = Person(body["email"], password, session, self.send, self.mailed)
        proof = {"token": await self.mailed(person, "VERIFY_EMAIL"), "password": password}
        (await self.ask("POST", "/v1/auth/email-verification", json=proof)).raise_for_status()
        return await self.log_in(person)

    async def log_in(self, person: Person) -> Person:
        """The person with a new session."""
        if person.email in self.passkeys:
            session = await self._log_in_by_passkey(self.passkeys[person.email])
        else:
            body = {"email": person.email, "password": person.password}
            session = (await self.ask("POST", "/v1/auth/login", json=body)).raise_for_status().json()
        access, refresh = session["access_token"], session["refresh_token"]
        known = Session(person.session.user_id, person.session.workspace_id, access, refresh, session["session_id"])
        return Person(person.email, person.password, known, self.send, self.mailed)

    async def mailed(self, person: Person, purpose: str) -> str:
        """What stands in a mail to the person, who keeps it to themselves."""
        token = await self.mailbox(person, purpose)
        self.keep(f"token of {purpose}", token.partition(".")[2])
        return token

    async def make_passkey(self, person: Person) -> None:
        """Let the person log in by a passkey from now on, which takes no codes that others use up."""
        begun = await person.made("POST /v1/me/passkey-options", Call())
        device = Authenticator(a_key(ES256), origin=_PAGE)
        made = {"challenge": begun["challenge"], "credential": device.create(begun["options"]), "name": "own"}
        await person.made("POST /v1/me/passkeys", Call(made))
        self.passkeys[person.email] = device

    async def _log_in_by_passkey(self, device: Authenticator) -> dict[str, str]:
        asked = (await self.ask("POST", "/v1/auth/passkeys/options", json={})).raise_for_status().json()
        shown = {"challenge": asked["challenge"], "credential": device.get(asked["options"])}
        session: dict[str, str] = (await self.ask("POST", "/v1/auth/passkeys", json=shown)).raise_for_status().json()
        return session

    async def go_on(self, person: Person) -> None:
        """Refresh, refresh with what is spent, look, log out."""
        last = await self.log_in(person)
        refreshed = await self.ask("POST", "/v1/auth/refresh", json={"refresh_token": last.session.refresh_token})
        await self.ask("GET", "/v1/me", headers=bearer(refreshed.json()["access_token"]))
        for path in ("refresh", "refresh", "logout"):
            await self.ask("POST", f"/v1/auth/{path}", json={"refresh_token": last.session.refresh_token})

    async def let_a_program_in(self, person: Person) -> None:
        """A key of a person's: used in every way that there is, and in every way that there is not."""
        made = await self.ask("POST", "/v1/api-keys", json=_a_key(), headers=bearer(person.everything))
        key = made.raise_for_status().json()
        pair = {"client_id": key["client_id"], "client_secret": key["client_secret"]}
        form, place = {"grant_type": "client_credentials"}, "/v1/auth/token"
        token = (await self.ask("POST", place, data=form | pair)).raise_for_status().json()["access_token"]
        await self.ask("GET", "/v1/audit", headers=bearer(token))
        for wrong in (pair["client_secret"] + "x", self.keep("wrong secret", a_password())):
            await self.ask("POST", place, data=form | pair | {"client_secret": wrong})
        await self.ask("POST", place, params=pair, data=form)
        await self.ask("POST", place, json=form | pair | {"secret": pair["client_secret"]})
        await self.ask("POST", place, content=json.dumps(form | pair)[:-1], headers=_JSON)
        for header in (f"Basic {pair['client_secret']}", f"Bearer {pair['client_secret']}", pair["client_secret"]):
            await self.ask("POST", place, data=form, headers={"Authorization": header})
            await self.ask("GET", "/v1/orders", params=pair, headers={"Authorization": header})
        rotated = {"overlap_seconds": 60}
        path = f"/v1/api-keys/{key['key']['id']}"
        await self.ask("POST", f"{path}/rotate", json=rotated, headers=bearer(person.everything))
        await self.ask("DELETE", path, headers=bearer(person.everything))

    async def mistype(self, person: Person) -> None:
        """Wrong passwords, for a known and an unknown address, and bodies that no parser takes."""
        for email in (person.email, "nobody@example.com"):
            wrong = self.keep("wrong password", a_password())
            await self.ask("POST", "/v1/auth/login", json={"email": email, "password": wrong})
        for path in ("/v1/auth/login", "/v1/auth/register"):
            for content in _malformed(person.email, self.keep("password in a malformed body", a_password())):
                await self.ask("POST", path, content=content, headers=_JSON)
            for body in _misshapen(person.email, self.keep("password in a wrong field", a_password())):
                await self.ask("POST", path, json=body)
        token = person.session.refresh_token
        for path in ("/v1/auth/refresh", "/v1/auth/logout"):
            for content in (f'{{"refresh_token": "{token}"', f'"{token}"', json.dumps({"refresh_token": [token]})):
                await self.ask("POST", path, content=content, headers=_JSON)

    async def misplace(self, person: Person, routes: list[str]) -> None:
        """Passwords and tokens in queries, headers, cookies and paths, at every route."""
        password = self.keep("password in a wrong place", a_password())
        plain = self.keep("password without special characters", secrets.token_urlsafe(24))
        known = {"password": password, "access_token": person.session.access_token}
        known |= {"refresh_token": person.session.refresh_token, "cursor": password, "limit": password}
        for route in routes:
            path = path_of(route).replace("{", "").replace("}", "")
            await self.ask(method_of(route), path, params=known, headers=_headers(person, plain), json={"a": "b"})
            signed = bearer(person.session.access_token)
            await self.ask(method_of(route), path, params=known, headers=signed, json={"a": "b"})
        for path in (f"/{plain}", f"/v1/{plain}", f"/v1/orders/{plain}", f"/v1/auth/{plain}"):
            await self.ask("GET", path, headers=bearer(person.session.access_token))

    async def insist(self, person: Person, calls: Mapping[str, Call]) -> list[int]:
        """Every call, whatever is broken now; gives the statuses."""
        credentials = {"email": person.email, "password": person.password}
        newcomer = {"email": f"new{next(_numbers)}@example.com", "password": self.keep("password", a_password())}
        answers = [
            await self.ask("POST", "/v1/auth/login", json=credentials),
            await self.ask("POST", "/v1/auth/register", json=newcomer),
            await self.ask("POST", "/v1/auth/refresh", json={"refresh_token": person.session.refresh_token}),
            *[await self.send(route, call, bearer(person.everything)) for route, call in calls.items()],
        ]
        return [answer.status_code for answer in answers]

    def known_secrets(self) -> list[Secret]:
        """All that they must keep to themselves."""
        return [Secret.of(name, text) for name, text in self.secrets.items()]

    def told(self) -> bytes:
        """All that they were told."""
        return b"\n".join(f"{answer.headers}".encode() + answer.content for answer in self.answers)


def _a_key() -> dict[str, object]:
    ends = datetime.now(UTC) + timedelta(days=30)
    return {"name": "auditor", "scopes": ["audit:read", "orders:read"], "expires_at": ends.isoformat()}


def _malformed(email: str, password: str) -> Iterator[bytes]:
    quoted = json.dumps(password)
    yield f'{{"email": "{email}", "password": {quoted}'.encode()
    yield f'{{"email": "{email}", "password": {quoted[:-1]}'.encode()
    yield f'{{"email": "{email}", "password": {quoted}, "password": {quoted}}}'.encode()
    yield f'{{"email": "{email}", "password": {quoted}, "x": NaN}}'.encode()
    yield f'{{"email": "{email}", "password": {"[" * 50}{quoted}{"]" * 50}}}'.encode()
    yield f"email={email}&password={password}".encode()
    yield quoted.encode()
    yield f"[{quoted}]".encode()
    yield password.encode("utf-16")
    yield f'{{"password": {quoted}, "x": "{"x" * 2_100_000}"}}'.encode()


def _misshapen(email: str, password: str) -> Iterator[dict[str, object]]:
    yield {"email": password, "password": email}
    yield {"email": f"ada@{password}", "password": password}
    yield {"email": email, "password": [password]}
    yield {"email": email, "password": {"password": password}}
    yield {"email": email, "password": password * 10}
    yield {"email": email, "passwort": password}
    yield {"email": email, "password": password, "role": password}
    yield {"email": {"password": password}, "password": None}
    yield {"email": email, "password": password + "\0"}
    yield {"email": email, "password": password + "\ud800"} if password.isascii() else {"password": password}


def _headers(person: Person, plain: str) -> dict[str, str]:
    pair = base64.b64encode(f"{person.email}:{plain}".encode()).decode()
    return {
        "Authorization": f"Basic {pair}", "Cookie": f"password={plain}", "X-Password": plain, "X-API-Key": plain,
        "X-Correlation-Id": plain, "traceparent": plain, "Last-Event-ID": plain, "User-Agent": plain, "Referer": plain,
        "Idempotency-Key": plain,
    }  # fmt: skip
