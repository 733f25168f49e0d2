"""One-time codes: those of the RFCs, within one step of the clock, and each of them once."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.totp import STANDARD, Digest, Scheme, accept, matching_step, new_secret, provisioning_uri

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PERIOD = STANDARD.period
SECRETS = st.binary(min_size=20, max_size=20)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001

# RFC 4226, appendix D.
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]

# RFC 6238, appendix B; the seeds of the longer hashes as erratum 2866 gives them.
SEED = b"12345678901234567890"
SEEDS = {Digest.SHA1: SEED, Digest.SHA256: (SEED * 2)[:32], Digest.SHA512: (SEED * 4)[:64]}
TOTP = [
    (59, 0x1, "94287082", "46119246", "90693936"),
    (1111111109, 0x23523EC, "07081804", "68084774", "25091201"),
    (1111111111, 0x23523ED, "14050471", "67062674", "99943326"),
    (1234567890, 0x273EF07, "89005924", "91819424", "93441116"),
    (2000000000, 0x3F940AA, "69279037", "90698825", "38618901"),
    (20000000000, 0x27BC86AA, "65353130", "77737706", "47863826"),
]
ROWS = [
    (seconds, step, digest, code) for seconds, step, *codes in TOTP for digest, code in zip(Digest, codes, strict=True)
]


@pytest.mark.parametrize(("counter", "code"), list(enumerate(HOTP)))
def test_a_counters_code_is_that_of_rfc_4226(counter: int, code: str) -> None:
    assert STANDARD.code(SEED, counter) == code


@pytest.mark.parametrize(("seconds", "step", "digest", "code"), ROWS)
def test_a_times_code_is_that_of_rfc_6238(seconds: int, step: int, digest: Digest, code: str) -> None:
    scheme, at = Scheme(digest, digits=8), EPOCH + timedelta(seconds=seconds)

    assert scheme.step(at) == step
    assert scheme.code(SEEDS[digest], step) == code
    assert matching_step(SEEDS[digest], code, at, scheme) == step


@given(SECRETS, TIMES, st.integers(-1, 1))
def test_a_clock_may_be_one_step_off(secret: bytes, at: datetime, drift: int) -> None:
    shown = STANDARD.code(secret, STANDARD.step(at) + drift)
    found = matching_step(secret, shown, at)

    assert found is not None
    assert STANDARD.code(secret, found) == shown
    assert abs(found - STANDARD.step(at)) <= 1


@given(SECRETS, TIMES, st.integers(2, 1000), st.sampled_from([1, -1]))
def test_a_clock_may_not_be_more_than_one_step_off(secret: bytes, at: datetime, drift: int, sign: int) -> None:
    now = STANDARD.step(at)
    shown = STANDARD.code(secret, max(now + sign * drift, 0))
    around = {STANDARD.code(secret, step) for step in (now - 1, now, now + 1)}

    # One in some hundred thousand is the code of a step around, too.
    assert (matching_step(secret, shown, at) is None) == (shown not in around)


def test_the_first_and_the_last_moment_of_the_window_are_as_wide_as_one_step() -> None:
    step = 0x273EF07
    start, shown = EPOCH + step * PERIOD, STANDARD.code(SEED, step)
    moment = timedelta(microseconds=1)

    for at in (start - PERIOD, start, start + PERIOD, start + 2 * PERIOD - moment):
        assert matching_step(SEED, shown, at) == step
    for at in (start - PERIOD - moment, start + 2 * PERIOD):
        assert matching_step(SEED, shown, at) is None


def test_of_steps_with_one_code_the_newest_is_spent() -> None:
    # Found by search: the first step whose code is that of the next but one.
    twin = 153_567
    shown = STANDARD.code(SEED, twin)
    matched = matching_step(SEED, shown, EPOCH + (twin + 1) * PERIOD)

    assert STANDARD.code(SEED, twin + 2) == shown
    assert matched == twin + 2
    assert accept(matched, twin) is None


def test_before_1970_was_a_step_old_nothing_fails() -> None:
    assert matching_step(SEED, "287082", EPOCH) == 1
    assert matching_step(SEED, "287082", EPOCH - timedelta(days=1)) is None
    with pytest.raises(ValueError, match="from 1970 on"):
        STANDARD.code(SEED, -1)


@pytest.mark.parametrize("typed", ["287 082", " 287082 ", "287\u00a0082", "2 8 7 0 8 2"])
def test_a_code_may_be_typed_with_spaces(typed: str) -> None:
    assert matching_step(SEED, typed, EPOCH + PERIOD) == 1


@given(st.text(max_size=50))
def test_any_other_text_is_no_code(text: str) -> None:
    found = matching_step(SEED, text, EPOCH + PERIOD)

    assert (found is not None) == ("".join(text[:32].split()) in HOTP[:3])


@pytest.mark.parametrize("text", ["", "28708", "2870822", "287082" * 1000])
def test_what_is_not_six_digits_is_no_code(text: str) -> None:
    assert matching_step(SEED, text, EPOCH + PERIOD) is None


@given(SECRETS, st.lists(st.tuples(TIMES, st.integers(-3, 3)), max_size=30))
def test_no_code_is_accepted_twice_and_accepted_steps_only_grow(
    secret: bytes, attempts: list[tuple[datetime, int]]
) -> None:
    last, accepted = None, []
    for at, drift in attempts:
        shown = STANDARD.code(secret, STANDARD.step(at) + drift)
        for _ in range(2):
            step = accept(last, matching_step(secret, shown, at))
            if step is not None:
                last = step
                accepted.append(step)

    assert accepted == sorted(set(accepted))


@given(st.none() | st.integers(0, 100), st.none() | st.integers(0, 100))
def test_a_step_is_accepted_when_it_is_newer_than_the_last(last: int | None, matched: int | None) -> None:
    expected = matched if matched is not None and (last is None or matched > last) else None

    assert accept(last, matched) == expected


@given(SECRETS, st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_an_app_reads_what_was_meant(secret: bytes, issuer: str, account: str) -> None:
    issuer, account = issuer.replace(":", ""), account.replace(":", "")
    uri = provisioning_uri(secret, issuer, account)
    parts = urlsplit(uri)
    said = parse_qs(parts.query, keep_blank_values=True, strict_parsing=True)

    assert uri.isascii()
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert [unquote(part) for part in parts.path.removeprefix("/").split(":")] == [issuer, account]
    assert base64.b32decode(said["secret"][0]) == secret
    assert (said["issuer"], said["algorithm"], said["digits"], said["period"]) == ([issuer], ["SHA1"], ["6"], ["30"])


def test_the_uri_is_the_key_uri_formats_own_example() -> None:
    # https://github.com/google/google-authenticator/wiki/Key-Uri-Format, of the issuer "ACME Co".
    secret = base64.b32decode("HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ")

    assert provisioning_uri(secret, "ACME Co", "john.doe@email.com") == (
        "otpauth://totp/ACME%20Co:john.doe%40email.com"
        "?secret=HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ&issuer=ACME%20Co&algorithm=SHA1&digits=6&period=30"
    )


def test_a_colon_moves_nobody_to_another_issuer() -> None:
    path = urlsplit(provisioning_uri(SEED, "Fill:stream", "bank:ada@example.com")).path

    assert unquote(path) == "/Fillstream:bankada@example.com"


def test_secrets_are_long_and_differ() -> None:
    made = {new_secret() for _ in range(50)}

    assert len(made) == 50
    assert {len(secret) for secret in made} == {20}
