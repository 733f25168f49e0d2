"""Which tokens were checked already? So many as fit, by their hashes, for as long as they say that they are valid.

A signature takes a hundred microseconds to check, and a client sends the same token with each request. What is kept is
what the token said, and no more than that: whether it was revoked is asked each time, and when the public keys change,
all is forgotten.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

C = TypeVar("C")
MOST_TOKENS = 5_000
"""About 1.5 KB each."""


@dataclass(frozen=True, slots=True)
class Checked(Generic[C]):
    """A token whose signature and claims are good, in seconds since 1970 of its validity."""

    caller: C
    begins: float
    ends: float
    """The first moment at which it is no longer valid."""


@dataclass(eq=False)
class CheckedTokens(Generic[C]):
    """Those that were used last. A token itself is not kept: whoever reads the memory can't act with what is there."""

    most: int = MOST_TOKENS
    _known: OrderedDict[bytes, Checked[C]] = field(default_factory=OrderedDict)

    def find(self, token: str, now: float) -> Checked[C] | None:
        """What was found of a token, if that still holds."""
        name = _digest(token)
        known = self._known.get(name)
        if known is None:
            return None
        if not known.begins <= now < known.ends:
            del self._known[name]
            return None
        self._known.move_to_end(name)
        return known

    def keep(self, token: str, checked: Checked[C]) -> None:
        """Remember a token that was checked; the one that nobody has used for longest makes room."""
        self._known[_digest(token)] = checked
        if len(self._known) > self.most:
            self._known.popitem(last=False)

    def forget(self) -> None:
        """Check every token again."""
        self._known.clear()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
