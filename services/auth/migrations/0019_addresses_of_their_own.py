"""Addresses that differ in more than case are known apart.

Why: what an address is known by was folded so far that ß was ss and a full-width letter a plain one: `moß@` and `moss@`,
    two mailboxes, were one person. Only addresses with letters beyond ASCII get another key; none meets another one's, since
    those that were apart stay apart.
Locks: the rows of those people and invitations; invitation exclusively for a moment.
Back: downgrade folds the keys again, and fails with nothing changed where two people are apart by the new keys alone. The
    release before, while it still runs, finds nobody by such an address, and so opens and sends nothing; who registers with
    one there meanwhile is found again once this revision was taken back and applied anew.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from alembic import op
from sqlalchemy import text

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _write(_apart)


def downgrade() -> None:
    _write(_folded)


def _write(key: Callable[[str], str]) -> None:
    # The owner is under row-level security as well.
    op.execute("ALTER TABLE auth.invitation NO FORCE ROW LEVEL SECURITY")
    for table in ('"user"', "invitation"):
        beyond = text(f"SELECT id, email FROM auth.{table} WHERE octet_length(email) > char_length(email)")
        write = text(f"UPDATE auth.{table} SET email_key = :key WHERE id = :id")
        for row in op.get_bind().execute(beyond).all():
            op.get_bind().execute(write, {"id": row.id, "key": key(row.email)})
    op.execute("ALTER TABLE auth.invitation FORCE ROW LEVEL SECURITY")


def _apart(email: str) -> str:
    letters = (_small(letter) for letter in unicodedata.normalize("NFC", email))
    return unicodedata.normalize("NFC", "".join(letters))


def _small(letter: str) -> str:
    small = letter.lower()
    return small if small.upper() == letter else letter


def _folded(email: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())
