"""What is configured wrongly is named by its variable, and what is secret is never shown."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fillstream.contexts import load, load_all
from fillstream.embedded.stack import Endpoints, running_endpoints
from fillstream.installation import ConfigurationError, Installation, has_own_servers, home, installation, prepare
from fillstream.supervise import ServiceProcess
from libs.kit.settings import Settings
from tests.keysets import keys_in

URL = "postgresql://someone:hush-hush@127.0.0.1:5432/fillstream"
OWN = {"FILLSTREAM_DATABASE_URL": URL, "FILLSTREAM_KAFKA_BOOTSTRAP": "127.0.0.1:9092"}
KNOWN = {"database_url": URL, "kafka_bootstrap": "127.0.0.1:9092", "mail_token_secret": "m" * 32}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Nothing of the caller's environment counts here."""
    for name in (*OWN, "FILLSTREAM_HTTP_PORT", "FILLSTREAM_HOME", "FILLSTREAM_AUTH_HASHING_PROCESSES"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


async def test_servers_of_ones_own_are_used_when_both_are_named(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not has_own_servers()
    for name, value in OWN.items():
        environment.setenv(name, value)
    async with installation(tmp_path, pytest.fail) as where:
        settings = where.settings(Settings)
        # Nothing was started for it.
        assert running_endpoints(tmp_path) is None
    assert (settings.database_url.get_secret_value(), settings.kafka_bootstrap) == tuple(OWN.values())


@pytest.mark.parametrize("name", OWN)
async def test_one_of_the_two_is_not_enough(name: str, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv(name, OWN[name])
    with pytest.raises(ConfigurationError, match=rf"^{name} is set: set .*DATABASE_URL and .*KAFKA_BOOTSTRAP, or nei"):
        async with installation(tmp_path, pytest.fail):
            pass


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FILLSTREAM_HTTP_PORT", "ninety", "Input should be a valid integer"),
        ("FILLSTREAM_HTTP_PORT", "70000", "Input should be less than or equal to 65535"),
        ("FILLSTREAM_DATABASE_URL", "mysql://someone:hush-hush@host/x", "Value error, should look like postgresql://"),
        ("FILLSTREAM_LOG_LEVEL", "LOUD", "Input should be 'DEBUG'"),
        ("FILLSTREAM_STALL_SECONDS", "0", "Input should be greater than 0"),
        ("FILLSTREAM_KAFKA_SECURITY_PROTOCOL", "TLS", "Input should be 'PLAINTEXT'"),
        ("FILLSTREAM_HTTP_CORS_ORIGINS", "https://example.com", "should be a JSON list"),
    ],
)
def test_a_bad_value_is_told_by_its_variable_and_without_the_secret(
    name: str, value: str, said: str, environment: pytest.MonkeyPatch
) -> None:
    for variable, good in (OWN | {name: value}).items():
        environment.setenv(variable, good)
    with pytest.raises(ConfigurationError, match=f"^{name}: {said}") as told:
        Installation().settings(Settings)
    assert "hush-hush" not in str(told.value)


def test_a_missing_value_is_told_by_its_variable() -> None:
    with pytest.raises(ConfigurationError, match=r"^FILLSTREAM_DATABASE_URL: Field required$"):
        Installation().settings(Settings)
    with pytest.raises(
        ConfigurationError, match=r"^FILLSTREAM_AUTH_HASHING_PROCESSES: Input should be greater"
    ) as told:
        Installation(KNOWN | {"auth_hashing_processes": 0}).of(load("auth"))
    assert "hush-hush" not in str(told.value)


def test_a_contradiction_between_two_values_names_both() -> None:
    where = Installation(KNOWN | {"auth_key_overlap_seconds": 5})
    with pytest.raises(ConfigurationError, match="auth_key_overlap_seconds must be at least access_token_seconds"):
        where.of(load("auth"))


def test_secrets_are_in_no_representation() -> None:
    where = Installation(KNOWN | {"encryption_vault_token": "hush-hush"})
    shown = [
        where,
        Endpoints(URL, "127.0.0.1:9092"),
        ServiceProcess("auth", "http://127.0.0.1:1", Path("log"), where.environment()),
        *(where.of(context) for context in load_all()),
    ]
    assert all("hush-hush" not in text for one in shown for text in (repr(one), str(one)))


def test_what_is_given_goes_before_the_environment_and_on_to_processes(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FILLSTREAM_HTTP_PORT", "1234")
    where = Installation(KNOWN)
    assert where.settings(Settings).http_port == 1234
    assert where.with_values(http_port=80).settings(Settings).http_port == 80
    assert where.with_values(http_port=80).environment() == OWN | {
        "FILLSTREAM_HTTP_PORT": "80", "FILLSTREAM_MAIL_TOKEN_SECRET": "m" * 32
    }  # fmt: skip


def test_a_sibling_database_keeps_all_but_the_name() -> None:
    other = Installation(KNOWN | {"database_url": f"{URL}?sslmode=disable"}).sibling_database("other")
    url = other.settings(Settings).database_url.get_secret_value()
    assert url == URL.replace("/fillstream", "/other") + "?sslmode=disable"


def test_the_home_is_absolute_wherever_the_process_goes_later(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.chdir(tmp_path)
    assert home() == tmp_path / ".fillstream"
    environment.setenv("FILLSTREAM_HOME", "here")
    assert home() == tmp_path / "here"


async def test_preparing_may_be_repeated(where: Installation) -> None:
    await prepare(where)
    await prepare(where)


def test_the_keyset_of_a_home_is_made_once_and_private(tmp_path: Path) -> None:
    from fillstream.installation import _kept_keyset

    url = _kept_keyset(tmp_path / "keyset.json")
    first = keys_in(url)
    assert _kept_keyset(tmp_path / "keyset.json") == url
    assert keys_in(url) == first
    assert [path.name for path in tmp_path.iterdir()] == ["keyset.json"]
    assert stat.S_IMODE((tmp_path / "keyset.json").stat().st_mode) == 0o600
