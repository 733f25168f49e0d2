"""What may go wrong between tenants?"""

from __future__ import annotations

import json

from tests.proof.plants.plant import Plant, in_database
from tests.proof.plants.records import changed
from tests.proof.spoil import Spoilt

_OTHER = "(SELECT max(id::text)::uuid FROM auth.workspace)"
_ONE = "(SELECT min(id::text)::uuid FROM auth.workspace)"


async def _tell_it_to_everybody(spoilt: Spoilt) -> None:
    [[event_id]] = await spoilt.sql(
        "UPDATE signals.event_log SET tenant_id = NULL WHERE type LIKE 'signals.BacktestCompleted.%' RETURNING event_id"
    )
    await spoilt.topics(lambda records: changed(records, event_id, {"ce_tenantid": None}))


async def _tell_of_anothers_notification(spoilt: Spoilt) -> None:
    [[foreign_id]] = await spoilt.sql(f"SELECT id FROM notifications.notification WHERE tenant_id = {_OTHER} LIMIT 1")
    [[event_id, data]] = await spoilt.sql(
        f"SELECT event_id, data FROM notifications.event_log WHERE tenant_id = {_ONE} LIMIT 1"
    )
    changed_data = json.dumps(json.loads(data) | {"notification_id": str(foreign_id)})
    await spoilt.sql("UPDATE notifications.event_log SET data = $2 WHERE event_id = $1", event_id, changed_data)
    await spoilt.topics(lambda records: changed(records, event_id, {}, changed_data.encode()))


PLANTS = (
    in_database(
        "every_tenant_table_forces_row_level_security",
        "row-level security is not forced",
        "ALTER TABLE orders.fill NO FORCE ROW LEVEL SECURITY",
    ),
    in_database(
        "every_tenant_table_forces_row_level_security",
        "a partition is open",
        "ALTER TABLE orders.event_log_default DISABLE ROW LEVEL SECURITY",
    ),
    in_database(
        "every_tenant_table_forces_row_level_security",
        "a context that nobody knows has an open table",
        "CREATE SCHEMA bots",
        "CREATE TABLE bots.bot (id uuid PRIMARY KEY, tenant_id uuid NOT NULL)",
    ),
    in_database(
        "no_row_refers_to_another_tenant",
        "a position moved to another tenant",
        f"UPDATE orders.position SET tenant_id = {_OTHER} WHERE tenant_id = {_ONE}",
    ),
    in_database(
        "no_row_refers_to_another_tenant",
        "a strategy of another tenant is named without a foreign key",
        f"""UPDATE orders."order" SET strategy_id = (SELECT max(id::text)::uuid FROM signals.strategy
            WHERE tenant_id = {_OTHER}) WHERE tenant_id = {_ONE} AND status = 'DENIED'""",
    ),
    in_database(
        "one_id_has_one_tenant",
        "a context that nobody knows gives a position to another tenant",
        "CREATE SCHEMA bots",
        "CREATE TABLE bots.bot (id uuid PRIMARY KEY, tenant_id uuid NOT NULL)",
        "ALTER TABLE bots.bot ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE bots.bot FORCE ROW LEVEL SECURITY",
        f"INSERT INTO bots.bot SELECT id, {_OTHER} FROM portfolio.position WHERE tenant_id = {_ONE}",
    ),
    Plant("events_are_of_their_aggregates_tenant", "an event of a tenant was told to everybody", _tell_it_to_everybody),
    in_database(
        "effects_are_of_their_causes_tenant",
        "a tenant's point follows from another tenant's fill",
        f"""UPDATE portfolio.equity_point SET event_id = (SELECT event_id FROM orders.event_log
            WHERE type LIKE 'orders.OrderFilled.%' AND tenant_id = {_OTHER} LIMIT 1)
            WHERE tenant_id = {_ONE} AND as_of = (SELECT max(as_of) FROM portfolio.equity_point)""",
    ),
    Plant(
        "no_event_tells_of_another_tenants_rows",
        "an event has the id of another tenant's row",
        _tell_of_anothers_notification,
    ),
    in_database(
        "the_api_sees_one_tenant",
        "a policy lets all rows through",
        "CREATE POLICY leak ON orders.fill FOR SELECT TO orders_api USING (true)",
    ),
)
