"""What may go wrong with rights?"""

from __future__ import annotations

from tests.proof.plants.plant import in_cluster, in_database

PLANTS = (
    in_cluster(
        "roles_have_no_powers",
        "a role may log in",
        "ALTER ROLE orders_api LOGIN",
        undo="ALTER ROLE orders_api NOLOGIN",
    ),
    in_cluster(
        "roles_have_no_powers",
        "a role passes row-level security",
        "ALTER ROLE orders_worker BYPASSRLS",
        undo="ALTER ROLE orders_worker NOBYPASSRLS",
    ),
    in_cluster(
        "no_role_is_a_member_of_another",
        "a role may become the owner of another context",
        "GRANT orders_owner TO signals_api",
        undo="REVOKE orders_owner FROM signals_api",
    ),
    in_database(
        "nobody_but_the_owner_owns", "a table belongs to the worker", "ALTER TABLE orders.fill OWNER TO orders_worker"
    ),
    in_database(
        "nobody_but_the_owner_owns",
        "the API's role made a table elsewhere",
        "CREATE TABLE public.stray (id int)",
        "ALTER TABLE public.stray OWNER TO orders_api",
    ),
    in_database("nobody_enters_another_schema", "a worker enters", "GRANT USAGE ON SCHEMA orders TO signals_worker"),
    in_database("nobody_enters_another_schema", "everybody enters", "GRANT USAGE ON SCHEMA orders TO PUBLIC"),
    in_database("nobody_enters_another_schema", "the API makes tables", "GRANT CREATE ON SCHEMA orders TO orders_api"),
    *(
        in_database("roles_hold_no_more_than_designed", right, f"GRANT {right}")
        for right in (
            "DELETE ON orders.fill TO orders_api",
            "UPDATE ON auth.audit_entry TO auth_worker",
            "UPDATE (device) ON auth.audit_entry TO auth_worker",
            "DELETE ON auth.audit_entry TO auth_worker",
            "INSERT ON auth.audit_entry TO auth_api",
            "TRUNCATE ON orders.fill TO orders_worker",
            "SELECT ON orders.outbox TO orders_api",
            "SELECT (key) ON orders.outbox TO orders_api",
            "UPDATE ON orders.inbox TO orders_worker",
            "SELECT ON orders.fill TO signals_api",
            "SELECT ON orders.fill TO PUBLIC",
            "USAGE ON SEQUENCE orders.outbox_id_seq TO orders_api",
        )
    ),
    in_database(
        "nothing_lends_the_rights_of_its_maker",
        "a function runs as its maker",
        "CREATE FUNCTION orders.leak() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
        "ALTER FUNCTION orders.leak OWNER TO orders_owner",
    ),
    in_database(
        "nothing_lends_the_rights_of_its_maker",
        "a view reads as its maker",
        "CREATE VIEW orders.leak AS SELECT 1 AS one",
        "ALTER VIEW orders.leak OWNER TO orders_owner",
    ),
)
