"""What may still be under way?"""

from __future__ import annotations

from tests.proof.plants.plant import Plant, in_database
from tests.proof.spoil import Spoilt

_COLUMNS = (
    "event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, recorded_at, correlation_id, causation_id, "
    "traceparent, data"
)


async def _fall_behind(spoilt: Spoilt) -> None:
    await spoilt.topics(lambda records: records, behind="portfolio")


PLANTS = (
    in_database(
        "outboxes_are_empty",
        "the relay sent an event and did not move it",
        f"""WITH moved AS (DELETE FROM notifications.event_log WHERE event_id IN
                           (SELECT event_id FROM notifications.event_log LIMIT 1) RETURNING *)
            INSERT INTO notifications.outbox ({_COLUMNS}) SELECT {_COLUMNS} FROM moved""",
    ),
    Plant("consumers_have_no_lag", "a consumer has not committed its last record", _fall_behind),
)
