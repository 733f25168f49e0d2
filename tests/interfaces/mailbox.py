"""What stands in a mail? What its reader could derive from nothing: the secret of the newest one to an address."""

from __future__ import annotations

from pydantic import SecretStr

from libs.kit.mail_secrets import mail_secret
from tests.interfaces.rows import Connection

INVITATION = "INVITATION"


async def newest_token(admin: Connection, key: str, address: str, purpose: str) -> str:
    """The token of the newest mail of a purpose to an address, as notifications would write it."""
    if purpose == INVITATION:
        row = await admin.fetchrow(
            "SELECT tenant_id, id FROM auth.invitation WHERE email = $1 ORDER BY id DESC LIMIT 1", address
        )
    else:
        row = await admin.fetchrow(
            "SELECT tenant_id, id FROM auth.mailed_token WHERE email = $1 AND purpose = $2 ORDER BY id DESC LIMIT 1",
            address,
            purpose,
        )
    assert row is not None, f"no mail {purpose} to {address}"
    return f"{row['tenant_id']}.{mail_secret(SecretStr(key), row['id'])}"
