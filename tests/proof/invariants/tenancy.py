"""Does every workspace have its own, and see nobody else's?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from tests.proof.invariants.effects import causes
from tests.proof.invariants.evidence import Evidence
from tests.proof.invariants.tables import Table, of_contexts
from tests.proof.invariants.violation import Invariant


async def every_tenant_table_forces_row_level_security(evidence: Evidence) -> list[str]:
    """A table or partition with a `tenant_id` has row-level security, forced."""
    return [
        f"{table} has a tenant_id, and row-level security is {'not forced' if table.secured else 'off'}"
        for table in evidence.tables
        if table.has("tenant_id") and not table.is_view and not (table.secured and table.forced)
    ]


@dataclass(frozen=True, slots=True)
class _Reference:
    """Columns of one table that name rows of another."""

    table: Table
    columns: tuple[str, ...]
    other: Table
    keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.table}.{'+'.join(self.columns)}"


_FOREIGN_KEYS = """
    SELECT n.nspname, c.relname, ARRAY(SELECT attname FROM unnest(k.conkey) WITH ORDINALITY u (num, place)
                                       JOIN pg_attribute ON attrelid = k.conrelid AND attnum = num ORDER BY place),
           f.nspname, o.relname, ARRAY(SELECT attname FROM unnest(k.confkey) WITH ORDINALITY u (num, place)
                                       JOIN pg_attribute ON attrelid = k.confrelid AND attnum = num ORDER BY place)
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class o ON o.oid = k.confrelid JOIN pg_namespace f ON f.oid = o.relnamespace
    WHERE k.contype = 'f'
"""


async def no_row_refers_to_another_tenant(evidence: Evidence) -> list[str]:
    """What a foreign key, or an id named after a table, refers to is of the same tenant."""
    found = []
    for reference in {str(one) + str(one.other): one for one in await _references(evidence)}.values():
        on = " AND ".join(
            f'a."{column}" = b."{key}"' for column, key in zip(reference.columns, reference.keys, strict=True)
        )
        rows = await evidence.database.fetch(
            f"SELECT a.*, b.tenant_id AS owner FROM {reference.table} a JOIN {reference.other} b ON {on} "
            "WHERE a.tenant_id <> b.tenant_id"
        )
        found += [
            f"{reference} of {row['tenant_id']} names {row[reference.columns[0]]} of {reference.other}, "
            f"which belongs to {row['owner']}"
            for row in rows
        ]
    return found


async def _references(evidence: Evidence) -> list[_Reference]:
    owned = [table for table in evidence.tables if table.has("tenant_id") and not table.is_view]
    known = {(table.schema, table.name): table for table in owned}
    keys = [
        _Reference(known[here, name], tuple(columns), known[there, other], tuple(others))
        for here, name, columns, there, other, others in await evidence.database.fetch(_FOREIGN_KEYS)
        if (here, name) in known and (there, other) in known
    ]
    return keys + [reference for table in of_contexts(owned) for reference in _by_name(table, of_contexts(owned))]


def _by_name(table: Table, others: Iterator[Table] | list[Table]) -> Iterator[_Reference]:
    """`account_id` names a row of `account`, in whichever schema there is one."""
    for other in others:
        column = f"{other.name}_id"
        if table.is_uuid(column) and other.is_uuid("id"):
            yield _Reference(table, (column,), other, ("id",))


async def one_id_has_one_tenant(evidence: Evidence) -> list[str]:
    """Rows of different tables that share an id, as an account and its books do, are of one tenant."""
    rows = await evidence.database.fetch(
        f"SELECT id, array_agg(place || ' of ' || tenant_id ORDER BY place) FROM ({_owners(evidence)}) owner "
        "GROUP BY id HAVING count(DISTINCT tenant_id) > 1"
    )
    return [f"{id_} is {', '.join(places)}" for id_, places in rows]


def _owners(evidence: Evidence) -> str:
    """A query for the tenants of all ids."""
    return (
        " UNION ALL ".join(
            f"SELECT id, tenant_id, '{table}' AS place FROM {table}"
            for table in of_contexts(evidence.tables)
            if table.is_uuid("id") and table.is_uuid("tenant_id")
        )
        or "SELECT NULL::uuid AS id, NULL::uuid AS tenant_id, '' AS place WHERE false"
    )


_OWNERS = ("tenant_id", "default_workspace_id")
"""What names the workspace of a row; a person is at home in one, whatever others they are a member of."""


async def events_are_of_their_aggregates_tenant(evidence: Evidence) -> list[str]:
    """An event names the tenant of the row that it is about, or none where the row belongs to everybody."""
    found = []
    for context in evidence.contexts:
        owners: dict[UUID, UUID | None] = {}
        for table in of_contexts(evidence.tables):
            if table.schema == context.name and table.is_uuid("id") and table.has("version"):
                tenant = next((column for column in _OWNERS if table.has(column)), "NULL::uuid")
                owners |= dict(await evidence.database.fetch(f"SELECT id, {tenant} FROM {table}"))
        found += [
            f"{event} names the tenant {event.tenant_id}, its aggregate is of {owners.get(event.subject)}"
            for event in evidence.told
            # That there is no such row is another invariant's.
            if event.context == context.name and event.tenant_id != owners.get(event.subject, event.tenant_id)
        ]
    return found


async def effects_are_of_their_causes_tenant(evidence: Evidence) -> list[str]:
    """What follows from a tenant's event, an event or a row, is that tenant's."""
    found = [
        f"{event} is of {event.tenant_id} and follows from {cause}, which is of {cause.tenant_id}"
        for event in evidence.told
        if event.causation_id is not None
        and (cause := evidence.by_id.get(event.causation_id)) is not None
        and cause.tenant_id not in {None, event.tenant_id}
    ]
    for cause_column in await causes(evidence):
        if cause_column.table.has("tenant_id"):
            rows = await evidence.database.fetch(f'SELECT "{cause_column.column}", tenant_id FROM {cause_column.table}')
            found += [
                f"a row of {cause_column.table} is of {tenant} and follows from {cause}, which is of {cause.tenant_id}"
                for id_, tenant in rows
                if (cause := evidence.by_id.get(id_)) is not None and cause.tenant_id not in {None, tenant}
            ]
    return found


async def no_event_tells_of_another_tenants_rows(evidence: Evidence) -> list[str]:
    """The ids in the data of a tenant's event are of that tenant's rows."""
    found = []
    for context in evidence.contexts:
        rows = await evidence.database.fetch(
            f"""
            SELECT e.event_id, e.tenant_id, field.key, owner.place, owner.tenant_id
            FROM {context.name}.event_log e CROSS JOIN LATERAL jsonb_each_text(e.data::jsonb) field
            JOIN ({_owners(evidence)}) owner ON owner.id::text = field.value
            WHERE e.tenant_id IS NOT NULL AND field.key LIKE '%\\_id' AND owner.tenant_id <> e.tenant_id
            """
        )
        found += [
            f"the event {id_} of {tenant} has the {name} of {place} of {owner}"
            for id_, tenant, name, place, owner in rows
        ]
    return found


async def the_api_sees_one_tenant(evidence: Evidence) -> list[str]:
    """As the API's role of a context, a transaction of one tenant sees rows of that tenant alone, and without one none."""
    found = []
    for table in evidence.tables:
        if not table.has("tenant_id") or table.is_partition or not await _api_reads(evidence, table):
            continue
        tenant = await evidence.database.fetchval(f"SELECT min(tenant_id::text) FROM {table}")
        for who in ("", tenant or ""):
            seen = await _seen_as(evidence, table, who)
            found += [
                f"{table.schema}_api, working for {who or 'nobody'}, sees rows of {one} in {table}" for one in seen
            ]
    return found


async def _api_reads(evidence: Evidence, table: Table) -> bool:
    if table.schema not in {context.name for context in evidence.contexts}:
        return False
    return await evidence.database.fetchval(
        "SELECT has_table_privilege($1, $2, 'SELECT')", f"{table.schema}_api", str(table)
    )


async def _seen_as(evidence: Evidence, table: Table, tenant: str) -> list[UUID]:
    """The other tenants whose rows the API's role sees in a transaction of a tenant."""
    database = evidence.database
    await database.execute(
        "SELECT set_config('app.tenant_id', $1, true), set_config('role', $2, true)", tenant, f"{table.schema}_api"
    )
    try:
        rows = await database.fetch(
            f"SELECT DISTINCT tenant_id FROM {table} WHERE tenant_id::text IS DISTINCT FROM NULLIF($1, '') LIMIT 5",
            tenant,
        )
    finally:
        await database.execute("RESET ROLE")
    return [row[0] for row in rows]


INVARIANTS = (
    Invariant(every_tenant_table_forces_row_level_security),
    Invariant(no_row_refers_to_another_tenant),
    Invariant(one_id_has_one_tenant),
    Invariant(events_are_of_their_aggregates_tenant),
    Invariant(effects_are_of_their_causes_tenant),
    Invariant(no_event_tells_of_another_tenants_rows),
    Invariant(the_api_sees_one_tenant),
)
