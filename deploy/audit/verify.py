r"""Is an exported audit trail whole and as it was written? Needs Python 3.11 and nothing else.

    python -I verify.py TRAIL.jsonl [--jwks KEYS.json] [--head HEADS.txt]

The first line of an export names the workspace and holds its signed head and the public keys; every other line is an
entry, the hash of the entry before, and its own hash:

    hash(n) = SHA-256("fillstream audit v1\n" + hash(n - 1) + canonical JSON (RFC 8785) of entry n)
    hash(0) = SHA-256("fillstream audit v1\n" + the workspace's id as 16 bytes)

The head is a compact JWS (RFC 7515) signed with Ed25519 (RFC 8032). Whoever makes up a whole export can also make up the
keys in it: give those that you had before, or fetched from `/.well-known/audit-keys.json`, by `--jwks`. Heads that you have
kept (`AuditHeadPublished`, one signature a line) are given by `--head`: the trail has to pass through each of them. Each
names the one that was told before it; those between the first and the last that you kept, and lack, are told.

Exits with 0 when all holds; with 1 and the first line that does not, otherwise.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = b"fillstream audit v1\n"
FORMAT = "fillstream-audit-v1"
HEAD_TYPE = "fillstream-audit-head"


class BrokenTrail(Exception):
    """What does not hold, in one sentence."""


# Ed25519, after RFC 8032, sections 5.1 and 6: points of -x^2 + y^2 = 1 + d x^2 y^2 over the integers modulo P, kept as
# (X, Y, Z, T) with x = X / Z, y = Y / Z, x y = T / Z.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
POINT_BYTES = 32
SIGNATURE_BYTES = 64
Point = tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(factor: int, point: Point) -> Point:
    product = NEUTRAL
    while factor:
        if factor & 1:
            product = _add(product, point)
        point = _add(point, point)
        factor >>= 1
    return product


def _same(one: Point, other: Point) -> bool:
    return not ((one[0] * other[2] - other[0] * one[2]) % P or (one[1] * other[2] - other[1] * one[2]) % P)


def _x_of(y: int, odd: int) -> int | None:
    """The x of a point, by its y and whether x is odd (section 5.1.3); None when there is no such point."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and odd):
        return None
    return x if x & 1 == odd else P - x


def _point(encoded: bytes) -> Point | None:
    number = int.from_bytes(encoded, "little")
    y, odd = number & (2**255 - 1), number >> 255
    x = _x_of(y, odd) if len(encoded) == POINT_BYTES and y < P else None
    return None if x is None else (x, y, 1, x * y % P)


_Y = 4 * pow(5, -1, P) % P
BASE: Point = (_x_of(_Y, 0) or 0, _Y, 1, (_x_of(_Y, 0) or 0) * _Y % P)


def ed25519_verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the key's owner signed the message (RFC 8032, section 5.1.7)."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    key, commitment = _point(public_key), _point(signature[:POINT_BYTES])
    answer = int.from_bytes(signature[POINT_BYTES:], "little")
    if key is None or commitment is None or answer >= ORDER:
        return False
    digest = hashlib.sha512(signature[:POINT_BYTES] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % ORDER
    return _same(_times(answer, BASE), _add(commitment, _times(challenge, key)))


def canonical(value: Any) -> bytes:
    """A value as RFC 8785 writes it. Raises BrokenTrail for fractions, which no entry has."""
    return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":")).encode()


def _ordered(value: Any) -> Any:
    if isinstance(value, float):
        raise BrokenTrail("a number has a fraction")
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; readers differ in which of two equal names they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BrokenTrail("an object has a name twice")
    return found


def parsed(text: str | bytes) -> dict[str, Any]:
    """A JSON object. Raises BrokenTrail when the text is none."""
    try:
        value = json.loads(text, object_pairs_hook=_named_once)
    except (ValueError, RecursionError) as error:
        raise BrokenTrail(f"is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise BrokenTrail("is no JSON object")
    return value


def _unbase64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


@dataclass(frozen=True)
class Head:
    """How far the chain of a workspace went when it was signed."""

    workspace_id: str
    sequence: int
    hash: str
    kid: str
    previous: int | None = None
    """The entry that the head before names; None for a head that was told to nobody else."""


def opened(signed: str, keys: Mapping[str, bytes]) -> Head:
    """The head that one of the keys has signed. Raises BrokenTrail."""
    try:
        header, payload, signature = signed.split(".")
        said, claims = parsed(_unbase64(header)), parsed(_unbase64(payload))
        proof = _unbase64(signature)
        head = Head(
            claims["workspace_id"], int(claims["sequence"]), claims["hash"], said["kid"], claims.get("previous")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenTrail("the head is no signed head") from error
    if said.get("alg") not in {"Ed25519", "EdDSA"} or said.get("typ") != HEAD_TYPE:
        raise BrokenTrail("the head is signed as something else")
    if head.kid not in keys:
        raise BrokenTrail(f"the head is signed with the key {head.kid}, which is not among the public keys")
    if not ed25519_verifies(keys[head.kid], f"{header}.{payload}".encode(), proof):
        raise BrokenTrail("the head's signature is wrong")
    return head


def public_keys(document: Mapping[str, Any]) -> dict[str, bytes]:
    """The Ed25519 keys of a JSON Web Key Set (RFC 8037), by their ids. Raises BrokenTrail."""
    try:
        return {key["kid"]: _unbase64(key["x"]) for key in document["keys"] if key.get("crv") == "Ed25519"}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenTrail("the public keys are no JSON Web Key Set") from error


@dataclass
class Chain:
    """A workspace's chain, as far as it was followed."""

    workspace_id: str
    marks: Mapping[int, str]
    """Hashes that entries are known to have had, from signed heads."""
    sequence: int = 0
    hash: str = ""

    def __post_init__(self) -> None:
        """A chain begins with its workspace."""
        self.hash = hashlib.sha256(VERSION + uuid.UUID(self.workspace_id).bytes).hexdigest()

    def follow(self, line: Mapping[str, Any]) -> None:
        """Take the next entry. Raises BrokenTrail when it is not the one that was written."""
        entry, expected = line.get("entry"), self.sequence + 1
        if not isinstance(entry, dict) or entry.get("sequence") != expected:
            raise BrokenTrail(f"entry {expected} is missing or out of order")
        if entry.get("workspace_id") != self.workspace_id:
            raise BrokenTrail(f"entry {expected} belongs to another workspace")
        if line.get("previous_hash") != self.hash:
            raise BrokenTrail(f"entry {expected} does not follow from the entry before it")
        found = hashlib.sha256(VERSION + bytes.fromhex(self.hash) + canonical(entry)).hexdigest()
        if line.get("hash") != found:
            raise BrokenTrail(f"entry {expected} was changed: its hash is another one")
        if self.marks.get(expected, found) != found:
            raise BrokenTrail(f"entry {expected} was written anew: it had another hash when the head was signed")
        self.sequence, self.hash = expected, found


@dataclass(frozen=True)
class Verdict:
    """What holds."""

    head: Head
    lacking: tuple[int, ...]
    """The entries whose heads were told, and are not among those that were kept."""

    def __str__(self) -> str:
        return f"{self.head.sequence} entries of {self.head.workspace_id} hold; the head is signed with {self.head.kid}"


def verify(lines: Iterable[bytes], trusted: Mapping[str, bytes] | None, kept: Iterable[str]) -> Verdict:
    """Follow an export from its first line to its last. Raises BrokenTrail that names the line at fault."""
    read = _Lines()
    try:
        return _verify(read.of(lines), trusted, kept)
    except BrokenTrail as problem:
        raise BrokenTrail(f"line {read.number}: {problem}") from problem
    except (ValueError, TypeError) as problem:
        raise BrokenTrail(f"line {read.number}: is not what an export holds: {problem}") from problem


@dataclass
class _Lines:
    """The lines of an export, and which of them is being looked at."""

    number: int = 1

    def of(self, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        for self.number, text in enumerate(lines, start=1):
            yield parsed(text)
        self.number += 1


def _verify(lines: Iterator[dict[str, Any]], trusted: Mapping[str, bytes] | None, kept: Iterable[str]) -> Verdict:
    header = next(lines, {})
    if header.get("format") != FORMAT:
        raise BrokenTrail(f"is not the first line of an export ({FORMAT})")
    keys = public_keys(header.get("jwks", {})) if trusted is None else trusted
    head = opened(str(header.get("head")), keys)
    if head.workspace_id != header.get("workspace_id"):
        raise BrokenTrail("the head is another workspace's")
    known = [one for one in (opened(text, keys) for text in kept) if one.workspace_id == head.workspace_id]
    chain = Chain(head.workspace_id, _marks(head, known))
    for line in lines:
        if chain.sequence >= head.sequence:
            raise BrokenTrail(f"nobody has signed what comes after entry {head.sequence}")
        chain.follow(line)
    last = max(chain.marks)
    if chain.sequence < last:
        raise BrokenTrail(f"entry {chain.sequence + 1} is missing: the trail was cut, it had {last} entries")
    return Verdict(head, _lacking(known))


def _lacking(kept: list[Head]) -> tuple[int, ...]:
    numbers = {one.sequence for one in kept}
    named = {one.previous for one in kept if one.previous is not None and one.previous > min(numbers)}
    return tuple(sorted(named - numbers))


def _marks(head: Head, kept: Iterable[Head]) -> dict[int, str]:
    """The hashes that entries had when their heads were signed. Raises BrokenTrail for two truths."""
    marks = {head.sequence: head.hash}
    for one in kept:
        if marks.setdefault(one.sequence, one.hash) != one.hash:
            raise BrokenTrail(f"entry {one.sequence} was written anew: heads that were told name two hashes")
    return marks


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trail", type=Path, help="an export, as `fillstream audit export` writes it")
    parser.add_argument("--jwks", type=Path, help="the public keys that you trust, instead of those in the export")
    parser.add_argument("--head", type=Path, help="signed heads that you have kept, one a line")
    return parser.parse_args()


def main() -> int:
    """Verify what the command line names."""
    chosen = _arguments()
    try:
        trusted = None if chosen.jwks is None else public_keys(parsed(chosen.jwks.read_bytes()))
        kept = [] if chosen.head is None else chosen.head.read_text().split()
        with chosen.trail.open("rb") as lines:
            verdict = verify(lines, trusted, kept)
    except (BrokenTrail, OSError, UnicodeError) as problem:
        sys.stderr.write(f"{chosen.trail}: {problem}\n")
        return 1
    sys.stdout.write(f"{verdict}\n")
    if verdict.lacking:
        entries = ", ".join(map(str, verdict.lacking))
        sys.stdout.write(f"You lack heads that were told, of the entries {entries}: ask who was to keep them.\n")
    if trusted is None:
        sys.stdout.write("The keys are the export's own: compare them with those that you trust (--jwks).\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
