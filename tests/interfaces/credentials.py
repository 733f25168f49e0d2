"""With what does a caller come who must not get in? Each is a valid token but for one thing, or no token at all."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from joserfc.jwk import OKPKey

from tests.auth.builders import Forger, bearer
from tests.interfaces.people import Person


@dataclass(frozen=True, slots=True)
class Presented:
    """What is added to a request."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody who tries to act for a person, and holds auth's own key to sign with."""

    person: Person
    forger: Forger
    scopes: str
    """All that there are."""

    def token(self, *, header: dict[str, object] | None = None, **claims: object) -> str:
        """A valid token but for the changes."""
        return self.forger.token(header=header, **({"scope": self.scopes} | claims))

    def signed_by_a_stranger(self, kid: str | None) -> str:
        """The same, but for the key."""
        key = OKPKey.generate_key("Ed25519", None if kid is None else {"kid": kid}, auto_kid=kid is None)
        return Forger(self.person.session, key).token(scope=self.scopes)


Credential = Callable[[Attempt], Presented]


def _bearer(make: Callable[[Attempt], str]) -> Credential:
    return lambda attempt: Presented(bearer(make(attempt)))


def _basic(attempt: Attempt) -> Presented:
    pair = f"{attempt.person.email}:{attempt.person.password}"
    return Presented({"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"})


REFUSED: Mapping[str, Credential] = {
    "no token": lambda _: Presented(),
    "garbage token": _bearer(lambda _: "garbage"),
    "expired": _bearer(lambda a: a.token(exp=int(time.time()) - 60)),
    "not yet valid": _bearer(lambda a: a.token(nbf=int(time.time()) + 60)),
    "issued in the future": _bearer(lambda a: a.token(iat=int(time.time()) + 60)),
    "key of a foreign issuer": _bearer(lambda a: a.signed_by_a_stranger(None)),
    "foreign key under our key's id": _bearer(lambda a: a.signed_by_a_stranger(a.forger.key.kid)),
    "foreign issuer": _bearer(lambda a: a.token(iss="somebody-else")),
    "wrong audience": _bearer(lambda a: a.token(aud="somewhere-else")),
    "alg none": _bearer(lambda a: a.forger.unsigned()),
    "HMAC with our public key": _bearer(lambda a: a.forger.hmac_with(a.forger.key.as_pem(private=False))),
    "token of another type": _bearer(lambda a: a.token(header={"typ": "JWT"})),
    "refresh token": _bearer(lambda a: a.person.session.refresh_token),
    "password": _basic,
    "API key": lambda a: Presented({"X-API-Key": a.token()}),
    "token in the query": lambda a: Presented(query={"access_token": a.token()}),
    "token in a cookie": lambda a: Presented({"Cookie": f"access_token={a.token()}"}),
}
"""Nobody gets in with one of these."""
