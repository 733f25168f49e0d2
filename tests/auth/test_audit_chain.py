"""Canonical JSON as RFC 8785 says it, chains that show every change, and heads that only our keys can sign."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import KeySet, OKPKey

from services.auth.audit.canonical import LARGEST_INTEGER, Json, canonical
from services.auth.audit.chain import Broken, Entry, Walk, document, genesis, link, written
from services.auth.audit.heads import Head, HeadForged, ToldHeads, open_head, sign_head
from services.auth.keys import generate_key
from tests.auth.trails import FORGERIES, TEXTS, VALUES, a_chain, a_security_act

HERE, ELSEWHERE = UUID(int=1), UUID(int=2)


def shuffled(value: Json) -> Json:
    """The same value, its objects' names in another order."""
    if isinstance(value, dict):
        return {name: shuffled(value[name]) for name in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def test_the_example_of_rfc_8785_section_3_2_2_is_written_as_there_but_for_its_fractions() -> None:
    value: Json = {
        "numbers": [333333333, 4, 2],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"\u002f",
        "literals": [None, True, False],
    }
    assert canonical(value) == (
        b'{"literals":[null,true,false],"numbers":[333333333,4,2],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_the_names_of_rfc_8785_section_3_2_3_are_sorted_as_there() -> None:
    value: Json = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical(value)).values()) == [
        "Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign",
        "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("letter", "written"),
    [
        ("\b", b'"\\b"'), ("\t", b'"\\t"'), ("\n", b'"\\n"'), ("\f", b'"\\f"'), ("\r", b'"\\r"'), ('"', b'"\\""'),
        ("\\", b'"\\\\"'), ("\0", b'"\\u0000"'), ("\x1f", b'"\\u001f"'), ("\x0b", b'"\\u000b"'), ("\x7f", b'"\x7f"'),
        ("/", b'"/"'), ("\u2028", b'"\xe2\x80\xa8"'), ("\u00e9", b'"\xc3\xa9"'), ("e\u0301", b'"e\xcc\x81"'),
    ],
)  # fmt: skip
def test_texts_are_escaped_as_rfc_8785_section_3_2_2_2_says_and_never_composed(letter: str, written: bytes) -> None:
    assert canonical(letter) == written


@given(VALUES)
def test_equal_values_are_equal_bytes_and_come_back(value: Json) -> None:
    assert canonical(shuffled(value)) == canonical(value)
    assert json.loads(canonical(value)) == value


@given(VALUES, VALUES)
def test_different_values_are_different_bytes(one: Json, other: Json) -> None:
    # Python's own equality takes true for 1.
    assert (canonical(one) == canonical(other)) == (
        json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    )


@given(TEXTS)
def test_two_writings_of_a_letter_are_two_values(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    assert (canonical(composed) == canonical(text)) == (composed == text)


@pytest.mark.parametrize(
    "value", [0.5, 1.0, {"a": [float("nan")]}, LARGEST_INTEGER + 1, -LARGEST_INTEGER - 1, "\ud800", {"\udfff": 1}, b"x"]
)
def test_what_has_no_exact_writing_is_refused(value: Json) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical(value)


_ENTRIES = st.builds(
    Entry,
    act=TEXTS, actor_id=st.none() | st.uuids(), actor_kind=TEXTS, address=st.none() | TEXTS,
    correlation_id=st.uuids(), device=st.none() | TEXTS, event_id=st.uuids(), occurred_at=st.datetimes(),
    on_behalf_of=st.none() | st.uuids(), reason=st.none() | TEXTS, recorded_at=st.datetimes(), result=TEXTS,
    sequence=st.integers(1, LARGEST_INTEGER), source=TEXTS, target_id=TEXTS, target_kind=TEXTS,
    workspace_id=st.uuids(),
)  # fmt: skip


@given(_ENTRIES)
def test_an_entry_is_written_by_hand_as_it_is_by_rule(entry: Entry) -> None:
    assert written(entry) == canonical(document(entry))


@given(_ENTRIES, _ENTRIES, st.sampled_from(Entry._fields))
def test_a_change_of_any_field_is_another_hash(entry: Entry, other: Entry, name: str) -> None:
    changed = entry._replace(**{name: getattr(other, name)})
    assert (link(b"", changed).hash == link(b"", entry).hash) == (changed == entry)


def test_a_chain_that_nobody_touched_holds_also_in_parts() -> None:
    links = a_chain(HERE, 10)
    walk = Walk(HERE, {10: links[-1].hash})
    assert [walk.along(links[:3]), walk.along([]), walk.along(links[3:]), walk.end()] == [None] * 4
    assert (walk.sequence, walk.hash) == (10, links[-1].hash)


def test_an_empty_chain_holds_and_begins_with_its_workspace() -> None:
    assert Walk(HERE, {}).end() is None
    assert genesis(HERE) != genesis(ELSEWHERE)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_chain_does_not_hold(name: str) -> None:
    forgery, first = FORGERIES[name]
    mine = a_chain(HERE, 10)

    walk = Walk(HERE, {10: mine[-1].hash})
    found = walk.along(forgery(mine, a_chain(ELSEWHERE, 10))) or walk.end()

    assert found is not None
    assert found.sequence == first, found.why


@given(st.lists(st.integers(0, 7), max_size=9))
def test_no_other_choice_of_links_holds_than_the_chain(chosen: list[int]) -> None:
    links = a_chain(HERE, 8)
    walk = Walk(HERE, {8: links[-1].hash})
    found = walk.along([links[n] for n in chosen]) or walk.end()
    assert (found is None) == (chosen == list(range(8)))


def test_a_chain_of_another_workspace_does_not_hold() -> None:
    assert isinstance(Walk(HERE, {}).along(a_chain(ELSEWHERE, 1)), Broken)


def test_an_act_has_the_same_hash_whenever_it_is_asked_for() -> None:
    # Fixed for ever: trails that were exported are checked against it.
    act = a_security_act(HERE).at(1)._replace(event_id=UUID(int=3), correlation_id=UUID(int=4))
    assert link(genesis(HERE), act).hash.hex() == "391e4b90a484c2aa7f1d82b86851ee503d5ae8311f3d75ca7e81f3e50f12511b"


def keys(*pairs: OKPKey) -> KeySet:
    return KeySet.import_key_set({"keys": [pair.as_dict(private=False) for pair in pairs]})


HEAD = Head(HERE, 12, bytes(32))


def test_a_signed_head_is_opened_with_the_key_that_signed_it() -> None:
    older, pair = generate_key(), generate_key()
    assert open_head(sign_head(pair, HEAD), keys(older, pair)) == HEAD


def told(*heads: tuple[int, int | None]) -> ToldHeads:
    """Heads with their number and that of the one before, all of which can be told one after the other."""
    along = ToldHeads(HERE)
    for number, previous in heads:
        assert along.take(Head(HERE, number, bytes(32), previous)) is None
    return along


def test_a_signed_head_names_the_one_before_it_and_one_of_older_releases_does_not() -> None:
    pair = generate_key()
    for previous in (None, 0, 7):
        head = Head(HERE, 12, bytes(32), previous)
        assert open_head(sign_head(pair, head), keys(pair)) == head


def test_heads_that_each_name_the_one_before_are_all_there() -> None:
    assert told((3, None), (4, None), (9, 4), (12, 9)).end(signed=12, kept_from=1) is None
    assert told().end(signed=0, kept_from=1) is None


@pytest.mark.parametrize(
    ("head", "sequence"),
    [
        (Head(HERE, 12, bytes(32), 11), 11),
        (Head(HERE, 12, bytes(32), 0), 0),
        (Head(HERE, 9, bytes(32), 4), 9),
        (Head(ELSEWHERE, 12, bytes(32), 9), 12),
    ],
    ids=["one between is missing", "another line of heads", "told again", "of another workspace"],
)
def test_a_head_that_does_not_follow_is_named(head: Head, sequence: int) -> None:
    found = told((4, 0), (9, 4)).take(head)

    assert found is not None
    assert found.sequence == sequence


@pytest.mark.parametrize(
    ("heads", "signed", "kept_from", "missing"),
    [
        ([(9, 4)], 9, 5, None),
        ([(9, 4)], 9, 4, 4),
        ([(9, 4)], 12, 13, None),
        ([(9, 4)], 12, 5, 12),
        ([], 12, 13, None),
        ([], 12, 1, 12),
    ],
)
def test_the_first_and_the_last_head_are_missed_unless_they_may_have_been_let_go(
    heads: list[tuple[int, int | None]], signed: int, kept_from: int, missing: int | None
) -> None:
    found = told(*heads).end(signed, kept_from)

    assert (None if found is None else found.sequence) == missing


def _flip(signed: str) -> str:
    return signed[:-2] + ("A" if signed[-2] != "A" else "B") + signed[-1]


def _of_another_type(pair: OKPKey) -> str:
    payload = '{"hash":"00","sequence":1,"workspace_id":"00000000-0000-0000-0000-000000000001"}'
    header = {"alg": "Ed25519", "typ": "at+jwt", "kid": pair.kid}
    return jws.serialize_compact(header, payload, pair, algorithms=["Ed25519"])


@pytest.mark.parametrize(
    "forged",
    [
        lambda _: sign_head(generate_key(), HEAD),
        lambda pair: _flip(sign_head(pair, HEAD)),
        lambda pair: ".".join([
            sign_head(pair, HEAD).split(".")[0],
            *sign_head(pair, Head(HERE, 13, bytes(32))).split(".")[1:2],
            sign_head(pair, HEAD).split(".")[2],
        ]),
        _of_another_type,
        lambda _: "",
        lambda _: "a.b.c",
    ],
    ids=["another key", "a flipped signature", "another payload", "another type", "nothing", "no JWS"],
)  # fmt: skip
def test_a_forged_head_is_refused(forged: Callable[[OKPKey], str]) -> None:
    pair = generate_key()
    with pytest.raises(HeadForged):
        open_head(forged(pair), keys(pair))
