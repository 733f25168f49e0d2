"""What does the house measure? The Prometheus metrics that every process shows at `/metrics`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUEST_SECONDS = Histogram(
    "fillstream_http_request_duration_seconds",
    "Time from a request's headers to the end of its answer.",
    ("context", "method", "route", "status"),
    buckets=_SECONDS,
)
RATE_LIMITED = Counter(
    "fillstream_rate_limited_total", "Requests that were refused because there were too many.", ("context", "policy")
)
EVENT_SECONDS = Histogram(
    "fillstream_event_handling_duration_seconds",
    "Time that a handler took for its events of one wave.",
    ("context", "type"),
    buckets=_SECONDS,
)
EVENTS_CONSUMED = Counter(
    "fillstream_events_consumed_total",
    "Records taken from topics: handled, duplicate, ignored, unknown, dead, parked.",
    ("context", "outcome"),
)
EVENTS_PUBLISHED = Counter("fillstream_events_published_total", "Events acknowledged by the broker.", ("context",))
OUTBOX_DEPTH = Gauge("fillstream_outbox_depth", "Events that wait for the relay.", ("context",))
OUTBOX_AGE_SECONDS = Gauge("fillstream_outbox_age_seconds", "Age of the oldest waiting event.", ("context",))
CONSUMER_LAG = Gauge("fillstream_consumer_lag", "Records behind the end of the topics.", ("context", "topic"))
DEAD_LETTERS = Gauge("fillstream_dead_letters", "Dead and parked events that nobody has resolved.", ("context",))
STEPS_PUT_OFF = Counter(
    "fillstream_steps_put_off_total",
    "Times that a task could not do one thing, such as an export or an erasure, and put it off.",
    ("context", "step"),
)
POOL_IN_USE = Gauge("fillstream_database_connections_in_use", "Connections taken from a pool.", ("context", "role"))
POOL_SIZE = Gauge("fillstream_database_connections_max", "Connections that a pool may open.", ("context", "role"))
