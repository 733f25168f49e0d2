"""Does any role hold more than the design says? The design is the tables below; all else is a violation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tests.proof.invariants.evidence import Evidence
from tests.proof.invariants.tables import BACKBONE
from tests.proof.invariants.violation import Invariant

ROLES = ("owner", "api", "worker")
"""Every context has these three; they can't log in, and are what its processes' connections take on."""

ROWS: Mapping[str, frozenset[str]] = MappingProxyType(
    {"api": frozenset({"SELECT", "INSERT", "UPDATE"}), "worker": frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})}
)
"""What a role may hold on its context's own tables; less is well."""

MESSAGES: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
    {
        ("api", "outbox"): frozenset({"INSERT"}),
        ("worker", "outbox"): frozenset({"SELECT", "INSERT", "DELETE"}),
        ("api", "event_log"): frozenset({"SELECT"}),
        ("worker", "event_log"): ROWS["worker"],
        ("worker", "inbox"): frozenset({"SELECT", "INSERT"}),
        ("worker", "dead_letter"): frozenset({"SELECT", "INSERT", "UPDATE"}),
        ("api", "idempotency_key"): ROWS["api"],
        ("worker", "idempotency_key"): ROWS["worker"],
    }
)
"""What a role may hold on the message tables; where it is not listed, nothing."""


_REMOVED_BY_REQUEST = {"api": ROWS["worker"], "worker": ROWS["worker"]}

OTHERS: Mapping[tuple[str, str], Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        # Nobody may change a row.
        ("auth", "audit_entry"): {"api": frozenset({"SELECT"}), "worker": frozenset({"SELECT", "INSERT"})},
        # Whoever leaves a workspace, or gives up a second factor, leaves nothing behind.
        ("auth", "membership"): _REMOVED_BY_REQUEST,
        ("auth", "totp"): _REMOVED_BY_REQUEST,
        ("auth", "recovery_code"): _REMOVED_BY_REQUEST,
        ("auth", "passkey"): _REMOVED_BY_REQUEST,
        ("auth", "login_challenge"): _REMOVED_BY_REQUEST,
    }
)
"""What roles may hold on tables that are unlike the most."""


def allowed(schema: str, table: str, grantee: str) -> frozenset[str]:
    """What the design lets somebody do with a table's rows."""
    role = grantee.removeprefix(f"{schema}_")
    if grantee == role:
        return frozenset()
    if table in BACKBONE:
        return MESSAGES.get((role, table), frozenset())
    return OTHERS.get((schema, table), ROWS).get(role, frozenset())


def _roles(evidence: Evidence) -> list[str]:
    return [f"{context.name}_{role}" for context in evidence.contexts for role in ROLES]


def _schemas(evidence: Evidence) -> list[str]:
    return [context.name for context in evidence.contexts]


async def roles_have_no_powers(evidence: Evidence) -> list[str]:
    """No role of a context can log in, pass row-level security, or make roles or databases."""
    powers = ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication", "rolcanlogin", "rolinherit")
    rows = await evidence.database.fetch(
        f"SELECT rolname, {', '.join(powers)} FROM pg_roles WHERE rolname = ANY($1::text[])", _roles(evidence)
    )
    found = [f"the role {row['rolname']} has {power}" for row in rows for power in powers if row[power]]
    return found + [f"there is no role {name}" for name in set(_roles(evidence)) - {row["rolname"] for row in rows}]


async def no_role_is_a_member_of_another(evidence: Evidence) -> list[str]:
    """No role of a context can take on another role."""
    rows = await evidence.database.fetch(
        "SELECT m.rolname, g.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member "
        "JOIN pg_roles g ON g.oid = a.roleid WHERE m.rolname = ANY($1::text[])",
        _roles(evidence),
    )
    return [f"{member} is a member of {group}" for member, group in rows]


async def nobody_but_the_owner_owns(evidence: Evidence) -> list[str]:
    """A context's schema and all in it belong to its owner, and its other roles own nothing."""
    rows = await evidence.database.fetch(
        """
        SELECT 'schema ' || nspname, nspname, pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = ANY($1::text[])
        UNION ALL
        SELECT nspname || '.' || relname, nspname, pg_get_userbyid(relowner)
        FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ANY($1::text[])
        UNION ALL
        SELECT nspname || '.' || proname, nspname, pg_get_userbyid(proowner)
        FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = ANY($1::text[])
        UNION ALL
        SELECT nspname || '.' || relname, '', pg_get_userbyid(relowner)
        FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname <> ALL($1::text[]) AND pg_get_userbyid(relowner) = ANY($2::text[])
          AND nspname NOT LIKE 'pg\\_toast%'
        """,
        _schemas(evidence),
        _roles(evidence),
    )
    return [f"{thing} belongs to {owner}" for thing, schema, owner in rows if owner != f"{schema}_owner"]


async def nobody_enters_another_schema(evidence: Evidence) -> list[str]:
    """A context's schema is open to its own roles alone, and only its owner makes things there."""
    rows = await evidence.database.fetch(
        """
        SELECT n.nspname, coalesce(g.rolname, 'PUBLIC'), acl.privilege_type
        FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) acl LEFT JOIN pg_roles g ON g.oid = acl.grantee
        WHERE n.nspname = ANY($1::text[]) OR (g.rolname = ANY($2::text[]) AND n.nspname NOT LIKE 'pg\\_%')
        """,
        _schemas(evidence),
        _roles(evidence),
    )
    return [
        f"{grantee} has {right} on the schema {schema}"
        for schema, grantee, right in rows
        if grantee != f"{schema}_owner" and (right != "USAGE" or grantee not in {f"{schema}_{role}" for role in ROLES})
    ]


_RIGHTS = """
    SELECT n.nspname, c.relname, coalesce(g.rolname, 'PUBLIC') AS grantee, acl.privilege_type
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
        SELECT grantee, privilege_type FROM aclexplode(c.relacl)
        UNION SELECT e.grantee, e.privilege_type
        FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) e WHERE a.attrelid = c.oid
    ) acl
    LEFT JOIN pg_roles g ON g.oid = acl.grantee
    WHERE acl.grantee <> c.relowner AND (n.nspname = ANY($1::text[]) OR g.rolname = ANY($2::text[]))
"""


async def roles_hold_no_more_than_designed(evidence: Evidence) -> list[str]:
    """Nobody has a right on a table, column or sequence that the design does not list."""
    rows = await evidence.database.fetch(_RIGHTS, _schemas(evidence), _roles(evidence))
    return [
        f"{grantee} has {right} on {schema}.{table}"
        for schema, table, grantee, right in rows
        if right not in allowed(schema, table, grantee)
    ]


async def nothing_lends_the_rights_of_its_maker(evidence: Evidence) -> list[str]:
    """No function or view of a context's schema runs with its owner's rights."""
    functions = await evidence.database.fetch(
        "SELECT nspname || '.' || proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace "
        "WHERE prosecdef AND nspname = ANY($1::text[])",
        _schemas(evidence),
    )
    views = await evidence.database.fetch(
        "SELECT nspname || '.' || relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE nspname = ANY($1::text[]) AND (relkind = 'm' OR (relkind = 'v' AND NOT "
        "coalesce('security_invoker=true' = ANY(reloptions), false)))",
        _schemas(evidence),
    )
    return [f"the function {row[0]} is a security definer" for row in functions] + [
        f"the view {row[0]} is no security invoker" for row in views
    ]


INVARIANTS = (
    Invariant(roles_have_no_powers),
    Invariant(no_role_is_a_member_of_another),
    Invariant(nobody_but_the_owner_owns),
    Invariant(nobody_enters_another_schema),
    Invariant(roles_hold_no_more_than_designed),
    Invariant(nothing_lends_the_rights_of_its_maker),
)
