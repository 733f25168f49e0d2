"""What does a change of a profile leave? What RFC 7396 says, field by field, for every sequence of changes."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from libs.kit.crypto.keyring import Keyring
from libs.kit.errors import Invalid
from libs.kit.ids import uuid7
from services.auth.api.profile import ProfileChange, ProfileOut
from services.auth.model import Profile
from services.auth.model.kyc import KycState
from services.auth.model.preferences import MAX_BYTES, check_size, merged
from services.auth.national_ids import check_digit

NOW = datetime(2026, 1, 5, tzinfo=UTC)
HOME, USER = UUID(int=7), UUID(int=8)

# RFC 7396, appendix A, but for the one that ends in null, which as a member's value means that the member goes.
APPENDIX_A = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('["a","b"]', '["c","d"]', '["c","d"]'),
    ('{"a":"b"}', '["c"]', '["c"]'),
    ('{"a":"foo"}', '"bar"', '"bar"'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]


@pytest.mark.parametrize(("original", "patch", "result"), APPENDIX_A)
def test_every_example_of_the_rfc(original: str, patch: str, result: str) -> None:
    assert merged({"x": json.loads(original)}, {"x": json.loads(patch)}) == {"x": json.loads(result)}


def test_a_member_that_is_null_goes_and_what_was_there_is_left_alone() -> None:
    before: dict[str, JsonValue] = {"a": {"b": "c"}}
    assert merged(before, {"a": None}) == {}
    assert before == {"a": {"b": "c"}}


def test_preferences_may_be_so_large_and_no_larger() -> None:
    check_size({"a": "x" * (MAX_BYTES - len('{"a":""}'))})
    with pytest.raises(Invalid):
        check_size({"a": "x" * (MAX_BYTES - len('{"a":""}') + 1)})


@pytest.mark.parametrize("value", [float("inf"), float("nan"), "\ud800"])
def test_what_json_can_not_say_is_no_preference(value: float | str) -> None:
    with pytest.raises(Invalid):
        check_size({"a": value})


_texts = st.text('ab é😀"', max_size=4)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)
_sums = st.builds(
    lambda cents, currency: {"amount": f"{cents // 100}.{cents % 100:02}", "currency": currency},
    st.integers(0, 10**12),
    st.sampled_from(["USD", "INR", "EUR"]),
)
_pans = st.builds("ABCPK{:04}F".format, st.integers(0, 9_999))
_aadhaars = st.integers(2 * 10**10, 10**11 - 1).map(lambda number: f"{number}{check_digit(str(number))}")
_fields: dict[str, st.SearchStrategy[Any]] = {
    "pan_number": _pans,
    "aadhaar_number": _aadhaars,
    "zip_code": st.sampled_from(["560001", "SW1A 1AA", "1", "12345-6789"]),
    "dependents": st.integers(0, 99),
    "annual_income": _sums,
    "risk_tolerance": st.sampled_from(["LOW", "MEDIUM", "HIGH"]),
    "max_daily_loss": _sums,
    "preferred_brokers": st.lists(st.sampled_from(["Zerodha", "AngelOne", "Upstox"]), unique=True),
    "trading_preferences": st.dictionaries(_texts, _json, max_size=3),
}
_patches = st.fixed_dictionaries({}, optional={name: st.none() | values for name, values in _fields.items()})
_UNSAID: dict[str, Any] = {
    **dict.fromkeys(("pan_number", "aadhaar_number", "zip_code", "dependents", "annual_income")),
    "risk_tolerance": "MEDIUM",
    "max_daily_loss": {"amount": "10000.00", "currency": "USD"},
    "preferred_brokers": [],
    "trading_preferences": {},
}


def _model(target: Any, patch: Any) -> Any:
    """The RFC's pseudo-code, word by word."""
    if not isinstance(patch, dict):
        return patch
    target = deepcopy(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = _model(target.get(name), value)
    return target


def _expected(patches: list[dict[str, Any]]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for patch in patches:
        # A sum is one value: its two parts always come together.
        said = _model(said, patch)
    shown = {**deepcopy(_UNSAID), **said}
    for name in ("pan_number", "aadhaar_number"):
        number = shown[name]
        shown[name] = None if number is None else "X" * (len(number) - 4) + number[-4:]
    return shown


def _keyring() -> Keyring:
    key = uuid7()
    return Keyring("auth", HOME, key, {key: AESGCM(AESGCM.generate_key(256))})


@given(st.lists(_patches, max_size=5))
def test_whatever_is_changed_in_turn_the_profile_says_what_plain_objects_would(patches: list[dict[str, Any]]) -> None:
    profile, keyring = Profile.unsaid(HOME, USER), _keyring()

    for patch in patches:
        said = ProfileChange.model_validate_json(json.dumps(patch)).patch()
        profile.change(profile.open(keyring).patched(said), keyring, NOW)

    shown = ProfileOut.of(USER, profile.open(keyring), KycState.NOT_STARTED).model_dump(mode="json")
    assert shown == _expected(patches) | {"user_id": str(USER), "kyc_verified": False}


@given(_patches)
def test_the_same_change_twice_tells_nothing_new_and_seals_nothing_anew(patch: dict[str, Any]) -> None:
    profile, keyring = Profile.unsaid(HOME, USER), _keyring()
    said = ProfileChange.model_validate_json(json.dumps(patch)).patch()
    profile.change(profile.open(keyring).patched(said), keyring, NOW)
    sealed = (profile.pan_number, profile.aadhaar_number, profile.zip_code, profile.dependents, profile.annual_income)

    events = profile.change(profile.open(keyring).patched(said), keyring, NOW)

    assert events == []
    assert sealed == (
        profile.pan_number, profile.aadhaar_number, profile.zip_code, profile.dependents, profile.annual_income,
    )  # fmt: skip
