"""Does every service have the same rooms, and is every service known wherever all of them are?"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path

import pytest

from fillstream.contexts import names
from tests.structure.sources import ROOT

ROOMS = {
    "__init__", "model", "repository", "commands", "queries", "api", "consumers", "app", "settings", "migrations",
    "personal_data",
}  # fmt: skip

OWN_ROOMS = {
    ("auth", "contact"): "how people are reached and called, for whatever takes them in",
    ("auth", "device_codes"): "what the two codes of a device look like, and how long they live",
    ("auth", "archive"): "what the ZIP of a data export looks like",
    ("auth", "certificates"): "what the certificate of an erasure says, and its signature",
    ("auth", "data_exports"): "the task that collects, announces and ends data exports",
    ("auth", "erasures"): "the task that takes the next step of each erasure",
    ("auth", "audit"): "canonical JSON, the chain of hashes and its signed heads",
    ("auth", "heads"): "the task that signs the heads of audit trails and tells them",
    ("auth", "keys"): "how private signing keys are wrapped",
    ("auth", "forgetting"): "the task that deletes what is over and of no more use",
    ("auth", "kyc_expiry"): "the task that ends verifications when their time is over",
    ("auth", "national_ids"): "the forms of PAN and Aadhaar numbers, and how they are masked",
    ("auth", "passkeys"): "WebAuthn ceremonies: what is asked of a passkey, and what it proves",
    ("auth", "hashing"): "argon2 and bcrypt, as pure functions",
    ("auth", "passwords"): "who hashes passwords, and how many wait",
    ("auth", "program_keys"): "what API keys look like, and how many there may be",
    ("auth", "recovery"): "codes for whoever lost their second factor",
    ("auth", "strength"): "whether a password can be guessed",
    ("auth", "tokens"): "what access and refresh tokens look like",
    ("auth", "totp"): "one-time codes of RFC 6238",
    ("auth", "user_files"): "people from files, read whole before any is made",
    ("billing", "expiry"): "the task that ends trials when their time is over",
    ("marketdata", "csv_bars"): "bars from files, read whole before any is kept",
    ("notifications", "letters"): "what mails say",
    ("notifications", "mailer"): "the task that sends mails",
    ("notifications", "post"): "SMTP, and folders for development",
    ("notifications", "streams"): "open Server-Sent Events streams and what wakes them",
    ("notifications", "wording"): "what is said about each event",
    ("orders", "book"): "what an account can still afford",
    ("orders", "cash"): "how much of a purchase an amount of cash pays for",
    ("orders", "life_cycle"): "the table of an order's states",
    ("orders", "matching"): "the paper venue: pure functions of orders and bars",
    ("orders", "money"): "exact arithmetic in the smallest unit",
    ("portfolio", "ledger"): "double entry: which lines a fill posts",
    ("portfolio", "performance"): "ratios of the equity history",
    ("portfolio", "positions"): "average-cost positions, long and short",
    ("signals", "backtest"): "the straightforward loop that the stream is compared with",
    ("signals", "indicators"): "moving averages, RSI and channels",
    ("signals", "rules"): "when a strategy changes what it wants",
}


def room_names(service: Path) -> set[str]:
    """The rooms of a service: its modules and packages."""
    files = {path.stem for path in service.glob("*.py")}
    return files | {path.name for path in service.iterdir() if path.is_dir() and path.name != "__pycache__"}


def missing(found: Collection[str]) -> set[str]:
    """Rooms that every service has, and this one has not."""
    return ROOMS - set(found)


def strange(context: str, found: Collection[str]) -> set[str]:
    """Rooms that nobody has given a reason for."""
    return {room for room in set(found) - ROOMS if (context, room) not in OWN_ROOMS}


def test_a_service_without_a_room_is_found() -> None:
    assert missing(ROOMS - {"queries"}) == {"queries"}


def test_a_strange_room_is_found_and_a_known_one_is_not() -> None:
    assert strange("orders", ROOMS | {"matching", "validators"}) == {"validators"}
    assert strange("billing", ROOMS | {"matching"}) == {"matching"}


def test_a_package_is_a_room_as_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "api.py").touch()
    (tmp_path / "model").mkdir()
    (tmp_path / "__pycache__").mkdir()
    assert room_names(tmp_path) == {"api", "model"}


@pytest.mark.parametrize("context", names())
def test_a_service_has_every_room_and_no_strange_one(context: str) -> None:
    found = room_names(ROOT / "services" / context)
    assert not missing(found)
    assert not strange(context, found)


@pytest.mark.parametrize("context", names())
def test_the_first_file_of_a_service_holds_nothing_but_its_description(context: str) -> None:
    text = (ROOT / "services" / context / "__init__.py").read_text().strip()
    assert text.startswith('"""')
    assert text.index('"""', 3) == len(text) - 3


def test_no_service_is_half_there() -> None:
    folders = {path.name for path in (ROOT / "services").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(names())


def test_own_rooms_are_those_of_services_that_exist() -> None:
    gone = [place for place in OWN_ROOMS if place[1] not in room_names(ROOT / "services" / place[0])]
    assert not gone


def test_every_service_has_an_extra_a_lock_file_and_a_boundary() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = set(project["project"]["optional-dependencies"]) - {"embedded", "aws", "gcp"}
    locked = {path.stem.removeprefix("service-") for path in (ROOT / "locks").glob("service-*.txt")}
    bounded = {
        container.removeprefix("services.")
        for contract in project["tool"]["importlinter"]["contracts"]
        for container in contract.get("containers", ())
    }
    assert extras == locked == bounded == set(names())
