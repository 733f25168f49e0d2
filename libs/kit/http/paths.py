"""What does a path name? Its own slashes divide it; one that is escaped belongs to a name, as in `a%2Fb`."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.types import Scope


def path_of(scope: Scope) -> str:
    """The path as routes are looked up by: decoded, but for the slashes and percent signs within its segments."""
    # Not the server's decoded path, in which `/v1/a%2Fb` and `/v1/a/b` are one.
    raw: str = scope["raw_path"].decode("ascii")
    return raw if "%" not in raw else "/".join(_escaped(unquote(segment)) for segment in raw.split("/"))


def name_of(segment: str) -> str:
    """What a segment of such a path says. Once: `a%252Fb` is the name `a%2Fb`, which has no slash."""
    return unquote(segment)


def leads_upwards(path: str) -> bool:
    """Whether something on the way could take this path for another one: it has `.` or `..` between slashes of any kind."""
    return not {".", ".."}.isdisjoint(name_of(path).split("/"))


def _escaped(segment: str) -> str:
    return segment.replace("%", "%25").replace("/", "%2F")
