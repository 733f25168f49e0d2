"""From which line of a file somebody was imported.

Why: an import that was killed goes on when it is repeated, and tells those who are there already from those whose address
somebody else has. The line is kept as a hash alone, in the person's home workspace.
Locks: none but for a moment a share lock on "user", which the new table refers to.
Back: downgrade drops the table; a file that is imported again meets addresses that are taken.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import isolate_tenants

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE auth.imported_person (
            tenant_id   uuid PRIMARY KEY,
            user_id     uuid NOT NULL REFERENCES auth."user" (id),
            line_digest bytea NOT NULL CONSTRAINT imported_person_line UNIQUE,
            imported_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT imported_person_digest CHECK (octet_length(line_digest) = 32)
        )""")
    isolate_tenants("auth", "imported_person", api="SELECT, INSERT")


def downgrade() -> None:
    op.execute("DROP TABLE auth.imported_person")
