"""What may go wrong with aggregates?"""

from __future__ import annotations

from tests.proof.plants.plant import in_database

PLANTS = (
    in_database("versions_count_the_events", "a version ran ahead", "UPDATE portfolio.book SET version = version + 1"),
    in_database(
        "versions_count_the_events", "a version fell behind", "UPDATE signals.strategy SET version = version - 1"
    ),
    in_database("every_event_is_about_a_row", "an aggregate is lost", "DELETE FROM signals.backtest"),
)
