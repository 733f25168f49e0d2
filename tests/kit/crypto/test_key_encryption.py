"""Does every guard of data keys keep the same promises? One suite over all of them, and each one's ways to fail."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI
from pydantic import SecretStr

from fillstream.serve import bind, listening
from libs.kit.crypto.addresses import key_encryption
from libs.kit.crypto.crc32c import crc32c
from libs.kit.crypto.key_encryption import (
    Binding,
    KeyEncryption,
    KeyRefused,
    KeyServiceAway,
    KeyTrouble,
    Unwrappable,
    WrappedKey,
)
from libs.kit.crypto.keyset_file import create_keyset
from libs.kit.ids import uuid7
from libs.kit.outages import is_outage
from libs.kit.settings import Settings
from tests.kit.crypto.services import AwsKmsServer, CloudKms, FakeService, Mood, Vault, Versions

KEY = os.urandom(32)
BINDING = Binding("auth", uuid7(), str(uuid7()))
_GCP = "projects/p/locations/global/keyRings/r/cryptoKeys/"
SERVICES = ("aws", "gcp", "vault")


@dataclass(frozen=True)
class Case:
    """A guard under test, another key of the same kind, and what stands behind both."""

    guard: KeyEncryption
    other: KeyEncryption
    rotate: Callable[[], Awaitable[object]]
    service: FakeService


@asynccontextmanager
async def opened(url: str, other: str | None = None) -> AsyncIterator[KeyEncryption]:
    settings = Settings(
        database_url=SecretStr("postgresql://nobody@nowhere/nothing"),
        kafka_bootstrap="nowhere:1",
        encryption_key_url=url,
        encryption_other_key_url=other,
        encryption_vault_token=SecretStr(Vault.token),
    )
    async with key_encryption(settings) as guard:
        yield guard


@asynccontextmanager
async def served(app: FastAPI, service: FakeService) -> AsyncIterator[int]:
    """The service on a free port of the loopback."""
    listener = bind("127.0.0.1", 0)
    async with listening(app, listener):
        yield listener.getsockname()[1]
        service.released.set()


@asynccontextmanager
async def _file(folder: Path, _patch: pytest.MonkeyPatch) -> AsyncIterator[Case]:
    for name in ("one", "other"):
        create_keyset(folder / name)
    async with opened(f"file://{folder}/one") as guard, opened(f"file://{folder}/other") as other:
        yield Case(guard, other, guard.renew, FakeService({}))


@asynccontextmanager
async def _vault(_folder: Path, _patch: pytest.MonkeyPatch) -> AsyncIterator[Case]:
    vault = Vault({"one": Versions(), "other": Versions()})
    async with served(vault.app(), vault) as port:
        url = f"vault-transit://127.0.0.1:{port}/transit/"
        async with opened(f"{url}one?scheme=http") as guard, opened(f"{url}other?scheme=http") as other:
            yield Case(guard, other, guard.renew, vault)


@asynccontextmanager
async def _gcp(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Case]:
    kms = CloudKms({f"{_GCP}one": Versions(), f"{_GCP}other": Versions()})
    async with served(kms.app(), kms) as port:
        (folder / "account.json").write_text(json.dumps(_service_account(f"http://127.0.0.1:{port}/token")))
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(folder / "account.json"))
        query = f"?endpoint=http://127.0.0.1:{port}"
        async with opened(f"gcp-kms://{_GCP}one{query}") as guard, opened(f"gcp-kms://{_GCP}other{query}") as other:
            yield Case(guard, other, _rotating(kms, f"{_GCP}one"), kms)


def _service_account(token_uri: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "type": "service_account", "client_email": "us@p.example", "token_uri": token_uri, "private_key": pem,
        "private_key_id": "1", "project_id": "p", "client_id": "1",
    }  # fmt: skip


@asynccontextmanager
async def _aws(_folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Case]:
    patch.setenv("AWS_ACCESS_KEY_ID", "AKIAMADEUP")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    kms = AwsKmsServer({"one": Versions(), "other": Versions()})
    async with served(kms.app(), kms) as port:
        query = f"?region=eu-west-1&endpoint=http://127.0.0.1:{port}"
        async with opened(f"aws-kms://alias/one{query}") as guard, opened(f"aws-kms://other{query}") as other:
            yield Case(guard, other, _rotating(kms, "one"), kms)


def _rotating(service: FakeService, key: str) -> Callable[[], Awaitable[None]]:
    async def rotate() -> None:
        service.keys[key].rotate()

    return rotate


_CASES = {"file": _file, "aws": _aws, "gcp": _gcp, "vault": _vault}


@pytest.fixture(scope="module")
async def cases(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Case]]:
    """All of them, started once."""
    with pytest.MonkeyPatch.context() as patch:
        async with AsyncExitStack() as stack:
            yield {
                kind: await stack.enter_async_context(opening(tmp_path_factory.mktemp(kind), patch))
                for kind, opening in _CASES.items()
            }


@pytest.fixture(params=list(_CASES))
async def case(request: pytest.FixtureRequest, cases: dict[str, Case]) -> AsyncIterator[Case]:
    """One of them, well behaved at first."""
    case = cases[request.param]
    case.service.mood = Mood.WELL
    case.service.released.clear()
    yield case
    case.service.released.set()


only_services = pytest.mark.parametrize("case", SERVICES, indirect=True)


async def test_a_wrapped_key_is_unwrapped(case: Case) -> None:
    wrapped = await case.guard.wrap(KEY, BINDING)
    assert await case.guard.unwrap(wrapped, BINDING) == KEY


async def test_a_wrapped_key_hides_the_key_and_is_different_each_time(case: Case) -> None:
    wrapped = [await case.guard.wrap(KEY, BINDING) for _ in range(3)]
    assert len({one.ciphertext for one in wrapped}) == 3
    assert not [one for one in wrapped if KEY in one.ciphertext or repr(one.ciphertext) in repr(one)]


@pytest.mark.parametrize(
    "binding",
    [replace(BINDING, schema="orders"), replace(BINDING, tenant_id=uuid7()), replace(BINDING, key=str(uuid7())),
     replace(BINDING, tenant_id=None)],
    ids=["schema", "tenant", "key", "nobody"],
)  # fmt: skip
async def test_a_key_does_not_unwrap_as_that_of_another_place(case: Case, binding: Binding) -> None:
    wrapped = await case.guard.wrap(KEY, BINDING)
    with pytest.raises(Unwrappable):
        await case.guard.unwrap(wrapped, binding)
    with pytest.raises(Unwrappable):
        await case.guard.rewrap(wrapped, binding)


@pytest.mark.parametrize("at", [0, 10, 25, -1])
async def test_a_damaged_key_does_not_unwrap(case: Case, at: int) -> None:
    wrapped = await case.guard.wrap(KEY, BINDING)
    damaged = bytearray(wrapped.ciphertext)
    damaged[at] ^= 0x04
    with pytest.raises(Unwrappable):
        await case.guard.unwrap(replace(wrapped, ciphertext=bytes(damaged)), BINDING)


async def test_a_shortened_key_does_not_unwrap(case: Case) -> None:
    wrapped = await case.guard.wrap(KEY, BINDING)
    with pytest.raises(Unwrappable):
        await case.guard.unwrap(replace(wrapped, ciphertext=wrapped.ciphertext[:20]), BINDING)


async def test_a_key_of_another_guard_is_not_unwrapped(case: Case) -> None:
    foreign = await case.other.wrap(KEY, BINDING)
    own = await case.guard.wrap(KEY, BINDING)
    with pytest.raises((Unwrappable, KeyRefused)):
        await case.guard.unwrap(replace(foreign, by=own.by), BINDING)


async def test_a_key_of_another_kind_of_guard_is_refused_by_name(case: Case) -> None:
    with pytest.raises(KeyRefused, match="wrapped by abacus:7"):
        await case.guard.unwrap(WrappedKey(b"x" * 60, "abacus:7"), BINDING)


async def test_older_versions_unwrap_and_the_newest_one_wraps(case: Case) -> None:
    old = await case.guard.wrap(KEY, BINDING)
    await case.rotate()
    assert await case.guard.unwrap(old, BINDING) == KEY
    new = await case.guard.rewrap(old, BINDING)
    assert new.ciphertext != old.ciphertext
    assert await case.guard.unwrap(new, BINDING) == KEY


@pytest.mark.parametrize("case", ["file", "gcp", "vault"], indirect=True)
async def test_a_wrapped_key_names_the_version_that_wrapped_it(case: Case) -> None:
    old = await case.guard.wrap(KEY, BINDING)
    await case.rotate()
    new = await case.guard.rewrap(old, BINDING)
    assert old.by != new.by == (await case.guard.wrap(KEY, BINDING)).by


@pytest.mark.parametrize("case", ["file", "vault"], indirect=True)
async def test_a_renewed_key_wraps_at_once(case: Case) -> None:
    newest = await case.guard.renew()
    assert (await case.guard.wrap(KEY, BINDING)).by == newest


@only_services
@pytest.mark.parametrize(
    ("mood", "trouble"),
    [
        (Mood.BROKEN, KeyServiceAway),
        (Mood.THROTTLED, KeyServiceAway),
        (Mood.SILENT, KeyServiceAway),
        (Mood.TRUNCATED, KeyServiceAway),
        (Mood.GARBLED, KeyServiceAway),
        (Mood.FORBIDDEN, KeyRefused),
    ],
)
async def test_a_service_that_misbehaves_is_told_apart_and_forgiven(
    case: Case, mood: Mood, trouble: type[KeyTrouble]
) -> None:
    wrapped = await case.guard.wrap(KEY, BINDING)
    case.service.mood = mood
    with pytest.raises(trouble) as told:
        await case.guard.unwrap(wrapped, BINDING)
    assert is_outage(told.value) == (trouble is KeyServiceAway)
    assert KEY.hex() not in repr(told.value)
    case.service.released.set()
    with pytest.raises(KeyTrouble) if mood is not Mood.SILENT else nullcontext():
        await case.guard.wrap(KEY, BINDING)
    case.service.mood = Mood.WELL
    assert await case.guard.unwrap(wrapped, BINDING) == KEY


@pytest.mark.parametrize(
    "url",
    [
        "aws-kms://alias/one?region=eu-west-1&endpoint=http://127.0.0.1:9",
        "vault-transit://127.0.0.1:9/transit/one?scheme=http",
    ],
)
async def test_a_service_that_is_not_there_is_away(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMADEUP")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    async with opened(url) as guard:
        with pytest.raises(KeyServiceAway):
            await guard.wrap(KEY, BINDING)


@pytest.mark.parametrize("case", ["aws"], indirect=True)
async def test_aws_wraps_anew_without_giving_the_key_away(case: Case) -> None:
    wrapped = await case.guard.wrap(KEY, BINDING)
    case.service.asked.clear()
    await case.guard.rewrap(wrapped, BINDING)
    assert case.service.asked == ["ReEncrypt"]


@pytest.mark.parametrize(
    "url",
    [
        "abacus://one", "vault-transit://host:8200/onlykey", "vault-transit:///transit/key", "gcp-kms://a/b",
        "aws-kms://?region=eu-west-1", "aws-kms://alias/one",
    ],
)  # fmt: skip
async def test_a_url_that_makes_no_sense_is_refused_when_it_is_opened(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(KeyRefused):
        async with opened(url):
            pass


async def test_vaults_token_is_read_anew_from_its_file(tmp_path: Path) -> None:
    vault = Vault({"one": Versions()})
    token = tmp_path / "token"
    async with served(vault.app(), vault) as port:
        url = f"vault-transit://127.0.0.1:{port}/transit/one?scheme=http&token_file={token}"
        async with opened(url) as guard:
            with pytest.raises(KeyRefused, match="can't be read"):
                await guard.wrap(KEY, BINDING)
            token.write_text("expired\n")
            with pytest.raises(KeyRefused, match="403"):
                await guard.wrap(KEY, BINDING)
            token.write_text(f"{Vault.token}\n")
            assert await guard.unwrap(await guard.wrap(KEY, BINDING), BINDING) == KEY


@pytest.mark.parametrize(
    ("token", "namespace"), [("two\nlines", ""), ("wörter", ""), (Vault.token, "a%0Ab"), (Vault.token, "%C3%B6")]
)
async def test_what_no_header_can_hold_is_a_mistake_and_no_outage_and_is_not_repeated(
    token: str, namespace: str, tmp_path: Path
) -> None:
    vault = Vault({"one": Versions()})
    (tmp_path / "token").write_text(token)
    async with served(vault.app(), vault) as port:
        url = f"vault-transit://127.0.0.1:{port}/transit/one?scheme=http&token_file={tmp_path}/token"
        async with opened(f"{url}&namespace={namespace}" if namespace else url) as guard:
            with pytest.raises(KeyRefused, match="odd characters") as told:
                await guard.wrap(KEY, BINDING)
    assert token not in repr(told.value)
    assert not is_outage(told.value)


async def test_vaults_token_may_end_with_a_line_break() -> None:
    vault = Vault({"one": Versions()})
    async with served(vault.app(), vault) as port:
        settings = Settings(
            database_url=SecretStr("postgresql://nobody@localhost/nothing"),
            kafka_bootstrap="nowhere:9092",
            encryption_key_url=f"vault-transit://127.0.0.1:{port}/transit/one?scheme=http",
            encryption_vault_token=SecretStr(f"{Vault.token}\n"),
        )
        async with key_encryption(settings) as guard:
            assert await guard.unwrap(await guard.wrap(KEY, BINDING), BINDING) == KEY


async def test_both_keys_open_while_one_gives_way_to_the_other(tmp_path: Path) -> None:
    vault = Vault({"one": Versions()})
    create_keyset(tmp_path / "keyset.json")
    async with served(vault.app(), vault) as port:
        old, new = (tmp_path / "keyset.json").as_uri(), f"vault-transit://127.0.0.1:{port}/transit/one?scheme=http"
        async with opened(old, new) as before, opened(new, old) as after, opened(new) as moved:
            wrapped = [await before.wrap(KEY, BINDING), await after.wrap(KEY, BINDING)]
            assert [one.by.partition(":")[0] for one in wrapped] == ["file", "vault-transit"]
            opening = [await guard.unwrap(one, BINDING) for guard in (before, after) for one in wrapped]
            assert opening == [KEY] * 4
            for one in wrapped:
                assert await moved.unwrap(await after.rewrap(one, BINDING), BINDING) == KEY
                with pytest.raises((Unwrappable, KeyRefused)):
                    await after.unwrap(one, replace(BINDING, schema="orders"))
                with pytest.raises((Unwrappable, KeyRefused)):
                    await after.rewrap(one, replace(BINDING, schema="orders"))


# RFC 3720, B.4.
@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
    ],
)
def test_a_checksum_is_that_of_the_standard(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("aws-kms://alias/one?region=eu-west-1", "botocore.session", "aws"),
        (f"gcp-kms://{_GCP}one", "google.auth", "gcp"),
    ],
)
async def test_a_package_that_is_missing_is_told_by_the_extra_that_brings_it(
    url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "libs.kit.crypto.gcp_tokens", raising=False)
    with pytest.raises(KeyRefused, match=rf"install fillstream\[{extra}\]"):
        async with opened(url):
            pass
