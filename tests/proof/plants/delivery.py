"""What may go wrong with delivery?"""

from __future__ import annotations

from dataclasses import replace

from tests.proof.plants.plant import Plant, in_database
from tests.proof.plants.records import place_of
from tests.proof.spoil import Records, Spoilt

# Nobody listens to it, so that it can come and go without a consumer.
LAST_VALUATION = (
    "SELECT event_id, subject FROM portfolio.event_log WHERE (subject, sequence) IN "
    "(SELECT id, version FROM portfolio.book) AND type LIKE 'portfolio.PortfolioValued.%' LIMIT 1"
)
_COLUMNS = (
    "topic, key, type, tenant_id, subject, sequence, recorded_at, correlation_id, causation_id, traceparent, data"
)


async def _swap_two_valuations(spoilt: Spoilt) -> None:
    [[subject]] = await spoilt.sql("SELECT id FROM portfolio.book LIMIT 1")
    first, second = await spoilt.sql(
        "SELECT event_id FROM portfolio.event_log WHERE subject = $1 ORDER BY sequence LIMIT 2", subject
    )

    def swap(records: Records) -> Records:
        one, other = place_of(records, first[0]), place_of(records, second[0])
        records[one], records[other] = records[other], records[one]
        return records

    await spoilt.topics(swap)


async def _send_to_the_other_partition(spoilt: Spoilt) -> None:
    [[event_id, _]] = await spoilt.sql(LAST_VALUATION)

    def send_again(records: Records) -> Records:
        record = records[place_of(records, event_id)]
        return [*records, replace(record, partition=1 - record.partition)]

    await spoilt.topics(send_again)


async def _lose_an_event_everywhere(spoilt: Spoilt) -> None:
    [[event_id]] = await spoilt.sql(
        "DELETE FROM portfolio.event_log WHERE event_id = (SELECT event_id FROM portfolio.event_log "
        "WHERE type LIKE 'portfolio.PortfolioValued.%' AND sequence = 2 LIMIT 1) RETURNING event_id"
    )

    def lose(records: Records) -> Records:
        del records[place_of(records, event_id)]
        return records

    await spoilt.topics(lose)


async def _lose_a_record(spoilt: Spoilt) -> None:
    [[event_id, _]] = await spoilt.sql(LAST_VALUATION)

    def lose(records: Records) -> Records:
        del records[place_of(records, event_id)]
        return records

    await spoilt.topics(lose)


PLANTS = (
    Plant("every_event_is_in_its_topic", "a record is lost", _lose_a_record),
    in_database(
        "every_event_is_in_its_topic",
        "an event was logged and not sent",
        f"""INSERT INTO portfolio.event_log (event_id, occurred_at, {_COLUMNS})
            SELECT gen_random_uuid(), occurred_at + interval '1 second', {_COLUMNS.replace("sequence", "sequence + 1")}
            FROM portfolio.event_log WHERE event_id IN (SELECT event_id FROM ({LAST_VALUATION}) last)""",
        """UPDATE portfolio.book SET version = version + 1
           WHERE version < (SELECT max(sequence) FROM portfolio.event_log WHERE subject = id)""",
    ),
    in_database(
        "every_event_is_told_once",
        "a log has an event twice",
        "ALTER TABLE portfolio.event_log DROP CONSTRAINT event_log_pkey",
        f"""INSERT INTO portfolio.event_log SELECT * FROM portfolio.event_log
            WHERE event_id IN (SELECT event_id FROM ({LAST_VALUATION}) last)""",
    ),
    in_database(
        "every_record_was_told",
        "what was told was not committed",
        f"""WITH undone AS (DELETE FROM portfolio.event_log
                            WHERE event_id IN (SELECT event_id FROM ({LAST_VALUATION}) last) RETURNING subject)
            UPDATE portfolio.book SET version = version - 1 WHERE id IN (SELECT subject FROM undone)""",
    ),
    in_database(
        "every_unreadable_record_is_buried",
        "a context forgot a record that it could not read",
        "DELETE FROM orders.dead_letter WHERE state = 'dead'",
    ),
    in_database(
        "every_record_equals_its_event",
        "an event was changed after it was told",
        """UPDATE notifications.event_log SET data = data || ' ' WHERE event_id IN
           (SELECT event_id FROM notifications.event_log LIMIT 1)""",
    ),
    Plant("records_keep_the_order_of_their_aggregate", "two records changed places", _swap_two_valuations),
    Plant("a_key_keeps_to_one_partition", "a duplicate went to another partition", _send_to_the_other_partition),
    Plant("sequences_have_no_gaps", "an event is lost everywhere", _lose_an_event_everywhere),
    in_database(
        "every_subscribed_event_was_taken",
        "an inbox row is lost",
        "DELETE FROM orders.inbox WHERE type LIKE 'marketdata.InstrumentListed.%'",
    ),
    in_database(
        "every_subscribed_event_was_taken",
        "a parked letter is lost",
        "DELETE FROM signals.dead_letter WHERE state = 'parked'",
    ),
    in_database(
        "every_subscribed_event_was_taken",
        "a letter counts as retried and was not handled",
        "UPDATE signals.dead_letter SET state = 'retried', resolved_at = now() WHERE state = 'parked'",
    ),
    in_database(
        "nothing_was_taken_that_nobody_told",
        "an inbox has an event that never was",
        "INSERT INTO orders.inbox (event_id, type) VALUES (gen_random_uuid(), 'marketdata.InstrumentListed.v1')",
    ),
    in_database(
        "nothing_was_taken_that_nobody_told",
        "a context took what it has no handler for",
        """INSERT INTO marketdata.inbox (event_id, type)
           SELECT event_id, type FROM auth.event_log LIMIT 1""",
    ),
    in_database(
        "no_event_is_both_handled_and_dead",
        "a letter is open although its event was handled",
        """INSERT INTO orders.dead_letter (id, event_id, topic, partition, "offset", headers, state, error, attempts)
           SELECT gen_random_uuid(), event_id, 'marketdata.v1', 0, 999999, '[]', 'parked', '', 1 FROM orders.inbox
           WHERE type LIKE 'marketdata.InstrumentListed.%' LIMIT 1""",
    ),
    in_database(
        "events_wait_behind_a_dead_letter",
        "events were handled that should have waited",
        """INSERT INTO orders.dead_letter (id, topic, partition, "offset", key, headers, state, error, attempts)
           SELECT gen_random_uuid(), dead.topic, partition, -1, 'AAPL'::bytea, '[]', 'dead', '', 1
           FROM (SELECT topic FROM orders.dead_letter WHERE state = 'dead') dead, generate_series(0, 1) partition""",
    ),
)
