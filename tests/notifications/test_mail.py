"""People are written to: each mail once, with the secret that nobody else was told, and again when a server was away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr, ValidationError

from libs.kit.ids import uuid7
from libs.kit.mail_secrets import mail_secret
from libs.schema.auth import MailRequested, MailTemplate
from services.notifications.letters import WORDS, Stationery, compose
from services.notifications.model import MAX_MAIL_ATTEMPTS, Mail, MailState
from services.notifications.post import post
from tests.notifications.smtp_server import MailServer, running_mail_server
from tests.world import World, eventually

KEY = "a made-up secret of more than 32 characters"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_request(**changes: object) -> MailRequested:
    named: dict[str, object] = {
        "occurred_at": datetime.now(UTC), "mail_id": uuid7(), "user_id": uuid7(), "workspace_id": uuid7(),
        "address": "ada@example.com", "template": MailTemplate.RESET_PASSWORD, "language": "en",
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
    }  # fmt: skip
    return MailRequested.model_validate(named | changes)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with running_mail_server() as running:
        yield running


def settings(server: MailServer, **changes: object) -> Mapping[str, object]:
    url = f"smtp://127.0.0.1:{server.port}?plain"
    return {"notifications_mail_url": url, "mail_token_secret": KEY, "notifications_mail_seconds": 0.05} | changes


async def state_of(world: World, mail_id: UUID) -> str:
    (row,) = await world.fetch("SELECT state FROM notifications.mail WHERE id = $1", mail_id)
    return str(row["state"])


async def becomes(world: World, mail_id: UUID, state: MailState) -> None:
    async def is_so() -> None:
        assert await world.fetch("SELECT 1 FROM notifications.mail WHERE id = $1", mail_id)
        assert await state_of(world, mail_id) == state

    await eventually(is_so)


async def test_a_mail_arrives_once_with_the_secret_that_opens_the_door(world: World, server: MailServer) -> None:
    wanted = a_request()
    record = world.envelope(wanted, tenant_id=wanted.workspace_id)

    async with world.running("notifications", **settings(server)):
        await world.send(record, record)
        await becomes(world, wanted.mail_id, MailState.SENT)
        await world.settled("notifications")

    (mail,) = server.received
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", "Choose another password")
    assert f"{wanted.workspace_id}.{mail_secret(SecretStr(KEY), wanted.mail_id)}" in mail.get_content()


async def test_a_mail_links_to_the_page_that_takes_its_secret(world: World, server: MailServer) -> None:
    wanted = a_request(template=MailTemplate.VERIFY_EMAIL)

    async with world.running("notifications", **settings(server, notifications_mail_link="https://example.com/app")):
        await world.publish(wanted, tenant_id=wanted.workspace_id)
        await becomes(world, wanted.mail_id, MailState.SENT)

    token = f"{wanted.workspace_id}.{mail_secret(SecretStr(KEY), wanted.mail_id)}"
    assert f"https://example.com/app/verify-email?token={token}" in server.received[0].get_content().replace("=\n", "")


async def test_a_mail_that_tells_without_opening_holds_no_secret(world: World, server: MailServer) -> None:
    wanted = a_request(template=MailTemplate.PASSWORD_CHANGED, expires_at=None)

    async with world.running("notifications", **settings(server)):
        await world.publish(wanted, tenant_id=wanted.workspace_id)
        await becomes(world, wanted.mail_id, MailState.SENT)

    assert mail_secret(SecretStr(KEY), wanted.mail_id) not in server.received[0].get_content()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada's desk, (research) & co", "Ada's desk, (research) & co"),
        ("Evil https://evil.example/login now", "Evil https evil example login now"),
        ("win@evil.example", "win evil example"),
        ("one\u202etwo\u2028three", "one two three"),
        ("x" * 150, "x" * 60),
    ],
)
def test_an_invitation_names_the_workspace_in_words_that_lead_nowhere(name: str, shown: str) -> None:
    wanted = a_request(template=MailTemplate.INVITATION, workspace_name=name)
    columns = {"id": wanted.mail_id, "tenant_id": wanted.workspace_id} | {
        field: getattr(wanted, field)
        for field in ("address", "template", "expires_at", "occurred_at", "workspace_name")
    }

    content = compose(
        Mail(**columns), Stationery("us@example.com", "https://example.com", SecretStr(KEY))
    ).get_content()

    assert f'They call the workspace "{shown}".' in content.replace("=\n", "")
    assert content.count("://") == 1, "ours is the only link"


async def test_an_invitation_arrives_with_its_token_and_the_workspaces_name(world: World, server: MailServer) -> None:
    wanted = a_request(template=MailTemplate.INVITATION, workspace_name="Research")

    async with world.running("notifications", **settings(server)):
        await world.publish(wanted, tenant_id=wanted.workspace_id)
        await becomes(world, wanted.mail_id, MailState.SENT)

    (mail,) = server.received
    content = mail.get_content().replace("=\n", "")
    assert 'They call the workspace "Research".' in content
    assert f"{wanted.workspace_id}.{mail_secret(SecretStr(KEY), wanted.mail_id)}" in content


async def test_a_server_that_is_away_gets_the_mail_later(world: World, server: MailServer) -> None:
    wanted = a_request()
    server.answers, server.hangs_up = ["451 come again"], False

    async with world.running("notifications", **settings(server)):
        await world.publish(wanted, tenant_id=wanted.workspace_id)

        async def delayed() -> None:
            assert await world.fetch("SELECT 1 FROM notifications.mail WHERE error LIKE '451%'")

        await eventually(delayed)
        assert await state_of(world, wanted.mail_id) == MailState.QUEUED
        await world.fetch("UPDATE notifications.mail SET due_at = now()")
        await becomes(world, wanted.mail_id, MailState.SENT)

    assert len(server.received) == 1


async def test_an_address_that_the_server_does_not_want_is_given_up_and_others_go_on(
    world: World, server: MailServer
) -> None:
    refused, taken = a_request(), a_request(address="bob@example.com")
    server.answers = ["550 nobody here"]

    async with world.running("notifications", **settings(server)):
        await world.publish(refused, tenant_id=refused.workspace_id)
        await becomes(world, refused.mail_id, MailState.FAILED)
        await world.publish(taken, tenant_id=taken.workspace_id)
        await becomes(world, taken.mail_id, MailState.SENT)

    assert [mail["To"] for mail in server.received] == ["bob@example.com"]


async def test_a_server_that_lets_nobody_in_costs_no_mail(world: World, server: MailServer) -> None:
    wanted = a_request()
    server.refuses_senders = True

    async with world.running("notifications", **settings(server)):
        await world.publish(wanted, tenant_id=wanted.workspace_id)

        async def delayed() -> None:
            assert await world.fetch("SELECT 1 FROM notifications.mail WHERE error LIKE '530%'")

        await eventually(delayed)
        server.refuses_senders = False
        await world.fetch("UPDATE notifications.mail SET due_at = now()")
        await becomes(world, wanted.mail_id, MailState.SENT)


async def test_a_server_that_is_rude_at_the_end_has_taken_the_mail(world: World, server: MailServer) -> None:
    wanted = a_request()
    server.farewell = "421 going down"

    async with world.running("notifications", **settings(server)):
        await world.publish(wanted, tenant_id=wanted.workspace_id)
        await becomes(world, wanted.mail_id, MailState.SENT)

    assert len(server.received) == 1


async def test_a_domain_in_another_script_is_reached_in_ascii(world: World, server: MailServer) -> None:
    wanted = a_request(address="ada@b\u00fccher.example")

    async with world.running("notifications", **settings(server)):
        await world.publish(wanted, tenant_id=wanted.workspace_id)
        await becomes(world, wanted.mail_id, MailState.SENT)

    assert server.received[0]["To"] == "ada@xn--bcher-kva.example"


async def test_a_mail_goes_to_the_domain_that_was_meant_and_not_to_one_that_is_folded_into_it(
    world: World, server: MailServer
) -> None:
    domains = {
        "fa\u00df.example": "xn--fa-hia.example",
        "\u03b2\u03cc\u03bb\u03bf\u03c2.example": "xn--nxasmm1c.example",
    }

    async with world.running("notifications", **settings(server)):
        for domain in domains:
            wanted = a_request(address=f"ada@{domain}")
            await world.publish(wanted, tenant_id=wanted.workspace_id)
            await becomes(world, wanted.mail_id, MailState.SENT)

    assert [mail["To"] for mail in server.received] == [f"ada@{domain}" for domain in domains.values()]
    assert server.recipients == [f"<ada@{domain}>" for domain in domains.values()]


async def test_a_mail_goes_to_one_mailbox_whatever_is_in_its_name(world: World, server: MailServer) -> None:
    wanted = a_request(address="victim+a;b,c@example.com")

    async with world.running("notifications", **settings(server)):
        await world.publish(wanted, tenant_id=wanted.workspace_id)
        await becomes(world, wanted.mail_id, MailState.SENT)

    assert server.recipients == ['<"victim+a;b,c"@example.com>']


async def test_a_mailbox_in_another_script_is_written_as_it_is_where_the_server_can(
    world: World, server: MailServer
) -> None:
    server.extension, wanted = "SMTPUTF8", a_request(address="mo\u00df@example.com")

    async with world.running("notifications", **settings(server)):
        await world.publish(wanted, tenant_id=wanted.workspace_id)
        await becomes(world, wanted.mail_id, MailState.SENT)

    assert server.recipients == ["<mo\u00df@example.com>"]


async def test_a_mailbox_in_another_script_is_given_up_where_the_server_can_not(
    world: World, server: MailServer
) -> None:
    wanted = a_request(address="mo\u00df@example.com")

    async with world.running("notifications", **settings(server)):
        await world.publish(wanted, tenant_id=wanted.workspace_id)
        await becomes(world, wanted.mail_id, MailState.FAILED)

    assert (server.received, server.recipients) == ([], [])


async def test_a_folder_shows_the_address_as_it_is(world: World, tmp_path: Path) -> None:
    wanted = a_request(address="mo\u00df@fa\u00df.example")
    changes = {
        "notifications_mail_url": tmp_path.as_uri(),
        "mail_token_secret": KEY,
        "notifications_mail_seconds": 0.05,
    }

    async with world.running("notifications", **changes):
        await world.publish(wanted, tenant_id=wanted.workspace_id)
        await becomes(world, wanted.mail_id, MailState.SENT)

    assert "To: mo\u00df@xn--fa-hia.example\n" in (tmp_path / f"{wanted.mail_id}.eml").read_text("utf-8")


async def test_a_mail_whose_secret_has_expired_is_not_sent(world: World, server: MailServer) -> None:
    late = a_request(expires_at=datetime.now(UTC) - timedelta(seconds=1))

    async with world.running("notifications", **settings(server)):
        await world.publish(late, tenant_id=late.workspace_id)
        await becomes(world, late.mail_id, MailState.EXPIRED)

    assert server.received == []


async def test_two_senders_send_every_mail_once(world: World, server: MailServer) -> None:
    wanted = [a_request(address=f"p{number}@example.com") for number in range(30)]

    async with (
        world.running("notifications", **settings(server)),
        world.running("notifications", **settings(server)),
    ):
        await world.send(*(world.envelope(one, tenant_id=one.workspace_id) for one in wanted))
        for one in wanted:
            await becomes(world, one.mail_id, MailState.SENT)

    assert sorted(mail["To"] for mail in server.received) == sorted(one.address for one in wanted)


async def test_without_a_server_mails_wait_until_there_is_one(world: World, server: MailServer) -> None:
    wanted = a_request()
    async with world.running("notifications"):
        await world.publish(wanted, tenant_id=wanted.workspace_id)
        await world.settled("notifications")
    assert await state_of(world, wanted.mail_id) == MailState.QUEUED

    async with world.running("notifications", **settings(server)):
        await becomes(world, wanted.mail_id, MailState.SENT)


async def test_a_folder_holds_mails_that_their_owner_alone_can_read(world: World, tmp_path: Path) -> None:
    wanted, folder = a_request(), tmp_path / "mail box"
    changes = {"notifications_mail_url": folder.as_uri(), "mail_token_secret": KEY, "notifications_mail_seconds": 0.05}

    async with world.running("notifications", **changes):
        await world.publish(wanted, tenant_id=wanted.workspace_id)
        await becomes(world, wanted.mail_id, MailState.SENT)

    (file,) = folder.iterdir()
    assert file.name == f"{wanted.mail_id}.eml"
    assert file.stat().st_mode & 0o777 == 0o600
    written = file.read_text("ascii")
    assert "To: ada@example.com\n" in written
    assert f"\n{wanted.workspace_id}.{mail_secret(SecretStr(KEY), wanted.mail_id)}\n" in written


def test_a_mail_is_tried_later_each_time_and_at_last_given_up() -> None:
    mail, at, waits = Mail(state=MailState.QUEUED, attempts=0, expires_at=None), NOON, list[float]()
    while mail.state == MailState.QUEUED:
        assert mail.take(at)
        mail.delayed("451 come again", at)
        waits.append((mail.due_at - at).total_seconds())
        at = mail.due_at

    assert len(waits) == MAX_MAIL_ATTEMPTS
    assert waits[:-1] == sorted(waits[:-1])
    assert waits[0] == 10
    assert max(waits) == 3600
    assert mail.state == MailState.FAILED


def test_every_template_has_words() -> None:
    assert set(WORDS) == set(MailTemplate)


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="should begin with smtp://"):
        post(SecretStr("ftp://example.com"))


def test_sending_needs_the_key_of_secrets(world: World) -> None:
    with pytest.raises(ValidationError, match="mail_token_secret is needed"):
        world.settings_of("notifications", notifications_mail_url="smtp://example.com")
