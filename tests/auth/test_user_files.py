"""Every line of a file is somebody, or is told with its number and all that is wrong with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import bcrypt
import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.auth.hashing import is_known_hash
from services.auth.user_files import MAX_LINE_BYTES, FileFormat, NewPerson, UserFileError, read_users
from tests.auth.files_of_users import NOW, csv_of, flaws, ignored, json_lines, read

ARGON2ID = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("correct horse battery staple")
# Of one in sixteen the last character is lost without a trace in the rest.
CUT = "$argon2id$v=19$m=64,t=1,p=1$w2n4InK1ykz9Al702+Do2Q$A0PXgSsGzKYmOYQTkXtd/yJeVU+q71K2fh0BCcAifA"
BCRYPT = bcrypt.hashpw(b"correct horse battery staple", bcrypt.gensalt(4)).decode()
ADA: dict[str, object] = {
    "email": "ada@example.com", "password_hash": BCRYPT, "first_name": "Ada", "last_name": "Lovelace", "username": "ada",
    "phone_number": "+44 20 7946 0958", "time_zone": "Europe/London", "language": "EN-gb", "email_verified": True,
    "is_active": False, "created_at": "2019-12-31T23:00:00-05:00",
}  # fmt: skip
BOB: dict[str, object] = {"email": "bob@example.com"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("people.jsonl", json_lines(ADA, BOB), id="JSON Lines"),
        pytest.param("people.ndjson", b"\xef\xbb\xbf" + json_lines(ADA, {"username": None} | BOB), id="nulls"),
        pytest.param("people.jsonl", json_lines(ADA, BOB).replace(b"\n", b"\r\n\r\n").rstrip(), id="Windows, no end"),
        pytest.param("people.csv", csv_of(ADA, BOB), id="CSV"),
        pytest.param("people.CSV", b"\xef\xbb\xbf\r\n" + csv_of(ADA, BOB).replace(b"email,", b" Email ,"), id="sheet"),
        pytest.param("people.csv", csv_of(ADA, BOB).replace(b"Lovelace", b'"Lovelace"').replace(b"\r", b""), id="Unix"),
    ],
)
def test_the_same_people_in_other_writing_are_the_same(tmp_path: Path, name: str, content: bytes) -> None:
    found = read(tmp_path, content, name)

    assert not found.flaws
    ada, bob = (line.person for line in found.lines)
    assert ada == NewPerson(
        email="ada@example.com", password_hash=BCRYPT, first_name="Ada", last_name="Lovelace", username="ada",
        phone_number="+442079460958", time_zone="Europe/London", language="en-GB", email_verified=True, is_active=False,
        created_at=datetime(2020, 1, 1, 4, tzinfo=UTC),
    )  # fmt: skip
    assert bob == NewPerson(email="bob@example.com")
    assert ada.digest == NewPerson.model_validate(ADA).digest


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "email: is missing"),
        ({"email": None}, "email: is missing"),
        ({"email": "nobody"}, "email: is not an e-mail address"),
        ({"email": 7}, "email: Input should be a valid string"),
        (BOB | {"role": "ADMIN"}, "role: is no field of a person"),
        (BOB | {"platform_role": "ADMIN", "tier": "pro"}, "platform_role: is no field of a person; tier: is no field"),
        (BOB | {"password": "correct horse battery staple"}, "password: is no field of a person"),
        (BOB | {"is_active": "true"}, "is_active: Input should be a valid boolean"),
        (BOB | {"email_verified": 1}, "email_verified: Input should be a valid boolean"),
        (BOB | {"first_name": "A\u001b[2Jda"}, "first_name: String should match pattern"),
        (BOB | {"first_name": ["Ada"]}, "first_name: Input should be a valid string"),
        (BOB | {"username": "admin"}, "username: is reserved"),
        (BOB | {"username": "a"}, "username: String should have at least 3 characters"),
        (BOB | {"phone_number": "+1 23"}, "phone_number: is a phone number that no network has"),
        (BOB | {"time_zone": "Mars/Olympus"}, "time_zone: is not a time zone"),
        (BOB | {"language": "xx"}, "language: is not a language"),
        (BOB | {"created_at": "2026-06-01T00:00:01Z"}, "created_at: is in the future"),
        (BOB | {"created_at": "1969-12-31T00:00:00Z"}, "created_at: is before 1970"),
        (BOB | {"created_at": "2020-01-01T00:00:00"}, "created_at: Input should have timezone info"),
        (BOB | {"created_at": 0}, "created_at: should look like"),
        (BOB | {"password_hash": "5f4dcc3b5aa765d61d8327deb882cf99"}, "password_hash: is no whole hash"),
        ({"email": "x", "username": "a"}, "email: is not an e-mail address: An email address must have an @-sign.; username"),
    ],
)  # fmt: skip
def test_all_that_is_wrong_with_a_line_is_told(tmp_path: Path, row: dict[str, object], reason: str) -> None:
    found = read(tmp_path, json_lines(ADA, row))

    assert flaws(found)[2].startswith(reason)
    assert [line.number for line in found.lines] == [1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "is no JSON: Expecting property name enclosed in double quotes at character 2"),
        (b"7", "is no JSON object"),
        (b"[]", "is no JSON object"),
        (b'{"email": "b@example.com", "email": "c@example.com"}', "says twice: email"),
        (b'{"email": NaN}', "is no JSON: NaN is no number"),
        (b'{"email": ' + b"9" * 5_000 + b"}", "is no JSON that anybody would write"),
        (b'{"email": ' + b"[" * 30_000, "is no JSON that anybody would write"),
        (b'{"email": "b@example.com", "\\u001b[2J": 1}', "\ufffd[2J: is no field of a person"),
        (b'{"email": "\xff@example.com"}', "is not UTF-8"),
        (b'{"email": "b\0@example.com"}', "holds a NUL character"),
        (b'{"email": "b\\u0000@example.com"}', "email: is not an e-mail address"),
        (b'{"email": "\\ud800@example.com"}', "email: Input should be a valid string"),
        (b'{"email": "' + b"b" * MAX_LINE_BYTES + b'"}', "is longer than 65536 bytes"),
    ],
    ids=range(13),
)
def test_a_line_that_is_no_person_takes_no_other_with_it(tmp_path: Path, line: bytes, reason: str) -> None:
    found = read(tmp_path, line + b"\n" + json_lines(ADA))

    assert flaws(found)[1].startswith(reason)
    assert [one.number for one in found.lines] == [2]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'"bob@example.com', "is no CSV: unexpected end of data"),
        (b'"bob"@example.com,', "is no CSV: ',' expected after '\"'"),
        (b"bob@example.com\rcat@example.com,", "is no CSV: new-line character"),
        (b"bob@example.com", "has 1 cells, 2 expected"),
        (b"bob@example.com,yes", "is_active: Input should be a valid boolean"),
        (b"bob@example.com,1", "is_active: Input should be a valid boolean"),
        (b",true", "email: is missing"),
        (b"\xff,true", "is not UTF-8"),
        (b"\0,true", "holds a NUL character"),
        (b"b" * MAX_LINE_BYTES + b",true", "is longer than 65536 bytes"),
    ],
    ids=range(10),
)
def test_a_bad_line_of_csv_takes_no_other_with_it(tmp_path: Path, line: bytes, reason: str) -> None:
    found = read(tmp_path, b"email,is_active\n" + line + b"\nada@example.com,TRUE\n", "people.csv")

    assert flaws(found)[2].startswith(reason)
    assert [(one.number, one.person.is_active) for one in found.lines] == [(3, True)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("people.csv", b"", "names nobody"),
        ("people.csv", b"\xef\xbb\xbf\r\n\r\n", "names nobody"),
        ("people.csv", b"email,first_name\n", "names nobody"),
        ("people.jsonl", b"\n\n", "names nobody"),
        ("people.csv", b"email,role,tier\na@example.com,ADMIN,pro\n", "line 1, the header: no field of a person: role, tier"),
        ("people.csv", b"email,\na@example.com,\n", "a column without a name"),
        ("people.csv", b"email,Email\n", "more than one column email"),
        ("people.csv", b"username\nada\n", "there is no column email"),
        ("people.csv", b"em\0ail\n", "holds a NUL character"),
        ("people.csv", "email\nada@example.com\n".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        ("people.xlsx", b"PK", "neither .csv nor .jsonl: say --format"),
    ],
    ids=range(11),
)  # fmt: skip
def test_a_file_that_is_no_use_is_refused_in_a_sentence(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(UserFileError, match=reason):
        read(tmp_path, content, name)


def test_what_can_not_be_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere.csv"):
        with pytest.raises(UserFileError, match=r"can't be read: (Is a directory|No such file)"):
            read_users(path, FileFormat.CSV, NOW, ignored)


def test_who_is_there_twice_is_told_by_line(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        json_lines(ADA, {"email": "ADA@example.com"}, {"email": "eva@example.com", "username": "A.D.A"}, BOB, BOB),
    )

    assert flaws(found) == {
        2: "email: is that of line 1",
        3: "username: is that of line 1",
        5: "email: is that of line 4",
    }


@pytest.mark.parametrize(
    "known",
    [ARGON2ID, BCRYPT, BCRYPT.replace("$2b$", "$2y$"), BCRYPT.replace("$2b$", "$2a$")],
    ids=["argon2id", "2b", "2y", "2a"],
)
def test_a_whole_hash_is_known(known: str) -> None:
    assert is_known_hash(known)


@pytest.mark.parametrize(
    "text",
    [
        "", "correct horse battery staple", ARGON2ID[:-1], CUT, ARGON2ID[:-8] + "!" * 8, ARGON2ID + "\n", f" {ARGON2ID}",
        ARGON2ID.replace("argon2id", "argon2i"), ARGON2ID.replace("v=19", "v=18"), ARGON2ID.replace("m=64", "m=064"),
        ARGON2ID.replace("m=64", "m=4194304"), ARGON2ID.replace("t=1", "t=4000").replace("m=64", "m=65536"),
        ARGON2ID.replace("p=1", "p=17").replace("m=64", "m=65536"), ARGON2ID.replace("p=1", "p=16"),
        BCRYPT[:-1], BCRYPT + "x", BCRYPT[:-1] + "!", BCRYPT.replace("$2b$", "$2x$"), BCRYPT.replace("$04$", "$03$"),
        BCRYPT.replace("$04$", "$31$"), BCRYPT.replace("$04$", "$4$"),
    ],
    ids=range(21),
)  # fmt: skip
def test_what_is_no_whole_hash_or_takes_too_long_to_check_is_not_known(text: str) -> None:
    """One of 31 rounds would keep a thread busy for a day."""
    assert not is_known_hash(text)


_VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=2)
_ROWS = st.dictionaries(st.sampled_from([*NewPerson.model_fields, "role"]) | st.text(max_size=5), _VALUES, max_size=4)
_LINES = st.binary(max_size=40) | _ROWS.map(lambda row: json.dumps(row).encode())


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(_LINES, min_size=1, max_size=6), st.sampled_from(FileFormat))
def test_every_line_that_says_something_is_good_or_bad(tmp_path: Path, lines: list[bytes], format_: FileFormat) -> None:
    said = [line.replace(b"\n", b"") for line in lines]
    header = [b"email,first_name,is_active"] if format_ is FileFormat.CSV else [json.dumps(ADA).encode()]
    content = b"\n".join([*header, *said, json.dumps({"email": "z@example.com"}).encode()])

    found = read(tmp_path, content, format_=format_)

    first = 2 if format_ is FileFormat.CSV else 1
    expected = [first + number for number, line in enumerate([*header, *said][first - 1 :]) if line.strip()]
    told = sorted([*(line.number for line in found.lines), *(flaw.number for flaw in found.flaws)])
    assert told == [*expected, len(said) + 2]
    for flaw in found.flaws:
        assert str(flaw).isprintable()
