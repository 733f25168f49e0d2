"""What may go wrong with effects?"""

from __future__ import annotations

from tests.proof.plants.plant import Plant, in_database
from tests.proof.plants.records import changed
from tests.proof.spoil import Spoilt


async def _follow_one_cause_twice(spoilt: Spoilt) -> None:
    [[strategy_id]] = await spoilt.sql("SELECT strategy_id FROM signals.signal LIMIT 1")
    first, second = await spoilt.sql(
        "SELECT event_id, causation_id FROM signals.event_log WHERE subject = $1 AND causation_id IS NOT NULL "
        "ORDER BY sequence LIMIT 2",
        strategy_id,
    )
    await spoilt.sql("UPDATE signals.event_log SET causation_id = $2 WHERE event_id = $1", second[0], first[1])
    await spoilt.topics(lambda records: changed(records, second[0], {"ce_causationid": str(first[1])}))


async def _forget_why_a_position_changed(spoilt: Spoilt) -> None:
    [[event_id]] = await spoilt.sql(
        "UPDATE portfolio.event_log SET causation_id = NULL WHERE event_id = (SELECT event_id FROM portfolio.event_log "
        "WHERE type LIKE 'portfolio.PositionChanged.%' LIMIT 1) RETURNING event_id"
    )
    await spoilt.topics(lambda records: changed(records, event_id, {"ce_causationid": None}))


PLANTS = (
    in_database(
        "every_effect_names_an_event_that_was_taken",
        "a row names an event that never was",
        """UPDATE portfolio.mark SET event_id = gen_random_uuid()
           WHERE (symbol, as_of) IN (SELECT symbol, as_of FROM portfolio.mark LIMIT 1)""",
    ),
    in_database(
        "no_event_made_a_row_twice",
        "a strategy made two signals of one bar",
        """INSERT INTO signals.signal SELECT (s).* FROM (
               SELECT jsonb_populate_record(signal, jsonb_build_object(
                   'id', gen_random_uuid(), 'occurred_at', occurred_at + interval '1 second')) AS s
               FROM signals.signal LIMIT 1) copy""",
    ),
    Plant("no_event_was_told_twice_for_one_cause", "one bar is the cause of two signals", _follow_one_cause_twice),
    in_database(
        "every_taken_event_made_its_row",
        "a workspace was not told",
        "ALTER TABLE notifications.notification ALTER event_id DROP NOT NULL",
        """UPDATE notifications.notification SET event_id = NULL
           WHERE id IN (SELECT id FROM notifications.notification LIMIT 1)""",
    ),
    Plant("every_taken_event_is_followed", "a fill is followed by no position", _forget_why_a_position_changed),
    in_database(
        "every_copy_shows_what_was_told",
        "a bar was changed",
        "UPDATE signals.bar SET close = close + 1 WHERE open_time = (SELECT min(open_time) FROM signals.bar)",
    ),
    in_database(
        "every_copy_shows_what_was_told",
        "a bar is lost",
        "DELETE FROM orders.bar WHERE open_time = (SELECT min(open_time) FROM orders.bar)",
    ),
    in_database(
        "every_copy_shows_what_was_told",
        "a plan allows what billing did not say",
        "UPDATE signals.entitlements SET max_strategies = max_strategies + 1",
    ),
)
