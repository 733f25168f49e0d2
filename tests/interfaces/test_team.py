"""Do all contexts know what a workspace is? Its members work on the same things, each as their role allows."""

from __future__ import annotations

from libs.kit.ids import uuid7
from tests.auth.builders import bearer
from tests.interfaces import auth_calls, calls
from tests.interfaces.people import Call, Person
from tests.interfaces.premises import Neighbours, Premises
from tests.world import eventually


async def _joined(premises: Premises, owner: Person, role: str) -> str:
    """An access token of a new member of the owner's workspace."""
    member = await premises.register(f"{role.lower()}-{uuid7()}@example.com")
    await member.made("POST /v1/auth/email-verification", await auth_calls.a_mailed_proof(member))
    path = {"workspace_id": owner.session.workspace_id}
    wanted = Call({"email": member.email, "role": role}, path=path)
    await owner.made("POST /v1/workspaces/{workspace_id}/invitations", wanted)
    token = await member.mailbox(member, "INVITATION")
    await member.made("POST /v1/invitations/accept", Call({"token": token}))
    body = {"refresh_token": member.session.refresh_token} | path
    return str((await member.made("POST /v1/auth/switch", Call(body)))["access_token"])


async def test_members_trade_and_see_the_same_account_as_their_roles_allow(
    premises: Premises, neighbours: Neighbours
) -> None:
    ada = neighbours.ada
    trader, viewer = await _joined(premises, ada, "TRADER"), await _joined(premises, ada, "VIEWER")
    order = await calls.a_new_order(ada)

    placed = await premises.send("POST /v1/orders", order, bearer(trader))
    refused = await premises.send("POST /v1/orders", order, bearer(viewer))

    assert placed.status_code == 202 or placed.is_success, placed.text
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:fillstream:problem:missing-scope")
    one = Call(path={"order_id": placed.json()["id"]})
    for token in (ada.everything, trader, viewer):
        seen = await premises.send("GET /v1/orders/{order_id}", one, bearer(token))
        assert seen.json()["id"] == placed.json()["id"]


async def test_a_removed_trader_trades_nowhere_in_the_workspace_any_more(
    premises: Premises, neighbours: Neighbours
) -> None:
    ada = neighbours.ada
    token = await _joined(premises, ada, "TRADER")
    me = (await premises.send("GET /v1/me", Call(), bearer(token))).json()
    order = await calls.a_new_order(ada)
    member = Call(path={"workspace_id": ada.session.workspace_id, "user_id": me["user_id"]})

    await ada.made("DELETE /v1/workspaces/{workspace_id}/members/{user_id}", member)

    async def refused() -> None:
        answers = [
            await premises.send(*asked, bearer(token)) for asked in (("POST /v1/orders", order), ("GET /v1/me", Call()))
        ]
        assert [answer.status_code for answer in answers] == [401, 401]

    await eventually(refused)


async def test_a_new_workspace_has_what_it_needs_in_every_context(premises: Premises) -> None:
    eve = await premises.register(f"eve-{uuid7()}@example.com")
    made = await eve.made("POST /v1/workspaces", Call({"name": "Research"}))
    body = {"refresh_token": eve.session.refresh_token, "workspace_id": made["id"]}
    token = bearer((await eve.made("POST /v1/auth/switch", Call(body)))["access_token"])
    await premises.in_flight.wait_until_none()

    subscription = (await premises.send("GET /v1/subscription", Call(), token)).json()
    told = (await premises.send("GET /v1/notifications", Call(), token)).json()["items"]
    me = (await premises.send("GET /v1/me", Call(), token)).json()

    assert (subscription["plan"], subscription["status"], me["tier"]) == ("Free", "ACTIVE", "Free")
    assert [one["title"] for one in told] == ["Research is ready"]
    for call, route in (
        (await calls.a_new_account(eve), "POST /v1/accounts"),
        (await calls.a_new_strategy(eve), "POST /v1/strategies"),
    ):
        answer = await premises.send(route, call, token)
        assert answer.is_success, f"{route}: {answer.text}"
