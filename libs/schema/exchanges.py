"""Tells in which time zone an exchange's day ends, as far as a symbol says it, and whose volume is known.

The suffixes are those that the common free vendors put behind a ticker: BHP.AX or BHP-AX for Sydney, BP.L for London.
A symbol without one says nothing (many are American, and many are not): its day is UTC's, unless its listing names a
zone.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, StringConstraints

from libs.schema.values import Symbol

UTC_ZONE = "UTC"
_ZONES_BY_SUFFIXES = {
    "America/Sao_Paulo": "SA",
    "America/Toronto": "TO V",
    "Asia/Hong_Kong": "HK",
    "Asia/Kolkata": "NS BO",
    "Asia/Seoul": "KS KQ",
    "Asia/Shanghai": "SS SZ",
    "Asia/Singapore": "SI",
    "Asia/Taipei": "TW",
    "Asia/Tokyo": "T",
    "Australia/Sydney": "AX",
    "Europe/Amsterdam": "AS",
    "Europe/Berlin": "DE F",
    "Europe/Copenhagen": "CO",
    "Europe/Helsinki": "HE",
    "Europe/London": "L",
    "Europe/Madrid": "MC",
    "Europe/Rome": "MI",
    "Europe/Oslo": "OL",
    "Europe/Paris": "PA",
    "Europe/Stockholm": "ST",
    "Europe/Zurich": "SW",
    "Pacific/Auckland": "NZ",
}
_ZONES = {suffix: zone for zone, suffixes in _ZONES_BY_SUFFIXES.items() for suffix in suffixes.split()}
# One letter behind a dash is a class of shares, as in BRK-B.
_SUFFIX = re.compile(r"[.](?P<dot>[A-Z]{1,2})$|-(?P<dash>[A-Z]{2})$")
OVER_THE_COUNTER = "FX"
"""The asset class whose market reports no volume, since nobody sees all of it."""


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones()) - {"Factory", "localtime"}


def _is_known(zone: str) -> str:
    # A look-up among names, never a path: ZoneInfo would open a file of the caller's choice.
    if zone not in _known_zones():
        raise ValueError("is not a time zone of the IANA database")
    return zone


TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_is_known)]
"""The name of a zone in the IANA database, such as `Australia/Sydney`."""


def time_zone_of(symbol: Symbol) -> str:
    """The zone of the exchange that the symbol's suffix names, or UTC."""
    found = _SUFFIX.search(symbol)
    return _ZONES.get(found["dot"] or found["dash"], UTC_ZONE) if found else UTC_ZONE


def reports_volume(symbol: Symbol, asset_class: str | None) -> bool:
    """Whether a bar without volume says that nothing was traded.

    It does not where the market has no volume to report (currencies), nor where it is not known what is traded.
    """
    return asset_class is not None and asset_class != OVER_THE_COUNTER and not symbol.endswith("=X")
