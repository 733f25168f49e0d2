"""Devices that wait for a person to approve them (RFC 8628).

Why: the command line logs in without ever seeing a password.
Locks: none on what is in use but the check of the new foreign key, SHARE ROW EXCLUSIVE on `user` for a moment.
Back: downgrade drops the table; devices that wait have to ask again.
"""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import share

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE auth.device_authorization (
            id               uuid PRIMARY KEY,
            client_id        text NOT NULL,
            device_code_hash bytea NOT NULL CONSTRAINT device_authorization_device_code UNIQUE,
            user_code_hash   bytea NOT NULL CONSTRAINT device_authorization_user_code UNIQUE,
            address          text NOT NULL,
            state            text NOT NULL CONSTRAINT device_authorization_state
                             CHECK (state IN ('PENDING', 'APPROVED', 'DENIED', 'USED')),
            interval_seconds integer NOT NULL,
            expires_at       timestamptz NOT NULL,
            polled_at        timestamptz,
            user_id          uuid REFERENCES auth."user" (id),
            workspace_id     uuid,
            authenticated_at timestamptz,
            created_at       timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT device_authorization_has_a_person CHECK
                ((state IN ('APPROVED', 'USED')) = (user_id IS NOT NULL AND workspace_id IS NOT NULL
                                                     AND authenticated_at IS NOT NULL))
        )""")
    # Nobody's: a device waits before anybody is known, and is found by a code that nobody else has.
    share("auth", "device_authorization", api="SELECT, INSERT, UPDATE")


def downgrade() -> None:
    op.execute("DROP TABLE auth.device_authorization")
