"""How are the message tables made? The first revision of every context calls `create`."""

from __future__ import annotations

from alembic import op

from libs.kit.migrations.tenancy import CURRENT_TENANT, isolate_tenants

_EVENT_COLUMNS = """
    event_id        uuid NOT NULL,
    topic           text NOT NULL,
    key             text NOT NULL,
    type            text NOT NULL,
    tenant_id       uuid,
    subject         uuid NOT NULL,
    sequence        bigint NOT NULL,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    correlation_id  uuid NOT NULL,
    causation_id    uuid,
    traceparent     text,
    data            text NOT NULL"""


def create(schema: str) -> None:
    """Make outbox, event_log, inbox, dead_letter and idempotency_key in a context's schema."""
    _create_outbox_and_log(schema)
    _create_inbox(schema)
    _create_idempotency_key(schema)


def drop(schema: str) -> None:
    """Undo `create`."""
    for table in ("idempotency_key", "dead_letter", "inbox", "event_log", "outbox"):
        op.execute(f"DROP TABLE {schema}.{table}")


def _create_outbox_and_log(schema: str) -> None:
    op.execute(
        f"CREATE TABLE {schema}.outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {_EVENT_COLUMNS}) "
        # Rows live for milliseconds: vacuum often, or the index grows with the dead.
        "WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)"
    )
    op.execute(
        f"CREATE TABLE {schema}.event_log ({_EVENT_COLUMNS}, PRIMARY KEY (event_id)) PARTITION BY RANGE (event_id)"
    )
    op.execute(f"CREATE INDEX event_log_subject ON {schema}.event_log (subject, sequence)")
    op.execute(f"CREATE TABLE {schema}.event_log_default PARTITION OF {schema}.event_log DEFAULT")
    op.execute(f"ALTER TABLE {schema}.event_log_default ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {schema}.event_log_default FORCE ROW LEVEL SECURITY")
    _publish_only(schema)
    isolate_tenants(schema, "event_log", api="SELECT")


def _publish_only(schema: str) -> None:
    """The API may add its own tenant's events, and events of nobody's, but never read the outbox."""
    table = f"{schema}.outbox"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY tenant ON {table} FOR INSERT TO {schema}_api "
        f"WITH CHECK (tenant_id IS NULL OR tenant_id = {CURRENT_TENANT})"
    )
    op.execute(f"CREATE POLICY worker ON {table} TO {schema}_worker USING (true) WITH CHECK (true)")
    op.execute(f"GRANT INSERT ON {table} TO {schema}_api")
    op.execute(f"GRANT SELECT, INSERT, DELETE ON {table} TO {schema}_worker")


def _create_inbox(schema: str) -> None:
    op.execute(
        f"CREATE TABLE {schema}.inbox (event_id uuid NOT NULL, type text NOT NULL, "
        "handled_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (event_id)) PARTITION BY RANGE (event_id)"
    )
    op.execute(f"CREATE TABLE {schema}.inbox_default PARTITION OF {schema}.inbox DEFAULT")
    op.execute(f"GRANT SELECT, INSERT ON {schema}.inbox TO {schema}_worker")
    op.execute(f"""
        CREATE TABLE {schema}.dead_letter (
            id          uuid PRIMARY KEY,
            event_id    uuid,
            topic       text NOT NULL,
            partition   integer NOT NULL,
            "offset"    bigint NOT NULL,
            key         bytea,
            headers     jsonb NOT NULL,
            value       bytea,
            state       text NOT NULL CHECK (state IN ('dead', 'parked', 'retried', 'discarded')),
            error       text NOT NULL,
            attempts    integer NOT NULL,
            created_at  timestamptz NOT NULL DEFAULT now(),
            resolved_at timestamptz,
            CONSTRAINT dead_letter_record UNIQUE (topic, partition, "offset")
        )""")
    op.execute(f"CREATE INDEX dead_letter_open ON {schema}.dead_letter (topic, key) WHERE resolved_at IS NULL")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON {schema}.dead_letter TO {schema}_worker")


def _create_idempotency_key(schema: str) -> None:
    op.execute(f"""
        CREATE TABLE {schema}.idempotency_key (
            tenant_id    uuid NOT NULL,
            key          text NOT NULL,
            request_hash bytea NOT NULL,
            status       integer,
            body         bytea,
            created_at   timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (tenant_id, key)
        )""")
    op.execute(f"CREATE INDEX idempotency_key_created_at ON {schema}.idempotency_key (created_at)")
    isolate_tenants(schema, "idempotency_key", api="SELECT, INSERT, UPDATE")
