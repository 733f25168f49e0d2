"""What happens when somebody comes from a file? They are made whole, as if they had registered, but nobody is written to."""

from __future__ import annotations

from uuid import UUID

from libs.kit.acts import SYSTEM, Act, Target, tell_act
from libs.kit.db import Tx
from services.auth.commands.people import describe
from services.auth.commands.registration import make_person
from services.auth.model import ImportedPerson, User
from services.auth.repository.users import NewUser
from services.auth.user_files import NewPerson


async def import_person(tx: Tx, person: NewPerson, password_hash: str, workspace_id: UUID) -> User:
    """Make somebody and their workspace, which `tx` is a transaction of, and remember from which line.

    `password_hash` is the person's own, or one that nobody knows the password of. Raises Conflict when the address or
    the user name is taken.
    """
    new = NewUser(person.email, password_hash, person.first_name, person.last_name)
    user = (await make_person(tx, new, workspace_id, None)).user
    user.created_at = person.created_at or tx.now
    tx.add(ImportedPerson(tenant_id=workspace_id, user_id=user.id, line_digest=person.digest))
    if person.email_verified:
        tx.publish(user, *user.verify_email(tx.now))
    await describe(tx, user, person.details())
    if not person.is_active:
        tx.publish(user, *user.deactivate(tx.now))
    tell_act(tx, workspace_id, Act("user.imported", SYSTEM, Target("user", user.id)))
    return user
