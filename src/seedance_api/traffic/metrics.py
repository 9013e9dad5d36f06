"""Every metric, and every label that one may have. Nothing else is exported but Prometheus' own of a process.

A label's values are a closed set, or a few words of the operator's and the catalogue's: never an account, an address, a
key, an id or anything that a customer sent. So their number is bounded, and they tell nothing of anybody.

Parts that are below or beside this folder are given the instruments that they observe; `app/` does that. What says "in
the whole installation" is read from the database, by each worker: take the maximum of them, not the sum.
"""

from collections.abc import Mapping

from seedance_api.foundation.instruments import Counter, Gauge, Histogram, Instrument

LABELS: Mapping[str, frozenset[str] | None] = {
    "route": None,  # method and route template, as the request log has them
    "provider": None,  # `sandbox`, and the names in the operator's file
    "model": None,  # the catalogue's
    "job_kind": None,  # the worker's list
    "status_class": frozenset({"1xx", "2xx", "3xx", "4xx", "5xx"}),
    "outcome": frozenset({
        "succeeded", "failed", "completed", "canceled",
        "delivered", "status", "redirect", "gone", "throttled", "timeout", "unreachable",
        "2xx", "3xx", "4xx", "429", "5xx", "not_sent", "no_answer",
    }),
    "code": None,  # why a generation failed: those of docs/errors.md
    "rate_class": frozenset({"read", "write", "create", "upload", "verify", "webhook_test", "address"}),
    "state": frozenset({"queued", "submitting", "running", "storing", "used", "idle"}),
    "slo": frozenset({"availability", "create_latency", "completion_delay", "webhook_delay", "purge_lag"}),
}  # fmt: skip
"""Every label, with its values, or None where they are those of the comment beside it."""

_SHORT = (0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_CALL = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LONG = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0)
_DELAY = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)

# Of an API process

HTTP_REQUESTS = Counter("seedance_http_requests", "Requests, however they ended.", ("route", "status_class"))
HTTP_SECONDS = Histogram(
    "seedance_http_request_seconds",
    "The service's own part of a request: up to the head of the answer, without waiting for the client's body.",
    ("route",),
    bounds=_SHORT,
)
GENERATIONS_CREATED = Counter("seedance_generations_created", "Videos ordered.", ("provider", "model"))
RATE_LIMIT_REFUSALS = Counter(
    "seedance_rate_limit_refusals", "Requests refused with `rate_limited`, by the limit.", ("rate_class",)
)
LIMITS_UNAVAILABLE = Counter("seedance_limits_unavailable", "Requests refused because Redis could not count them.")
REDIS_UP = Gauge("seedance_redis_up", "Whether Redis counts rate limits; absent without SEEDANCE_REDIS_URL.")
FAILED_KEYS = Counter("seedance_failed_keys", "Requests with a wrong API key.")
FAILED_KEY_REFUSALS = Counter("seedance_failed_key_refusals", "Requests refused with `too_many_failed_keys`.")
REQUEST_LOG_WAITING = Gauge("seedance_request_log_waiting", "Requests in memory that are not in the request log yet.")
REQUEST_LOG_DROPPED = Counter("seedance_request_log_dropped", "Requests that will never be in the request log.")

# Of a worker

JOBS = Counter("seedance_jobs", "Jobs and scheduled jobs done.", ("job_kind", "outcome"))
JOB_SECONDS = Histogram("seedance_job_seconds", "How long a job took.", ("job_kind",), bounds=_CALL)
JOBS_RUNNING = Gauge("seedance_jobs_running", "Jobs under way.", ("job_kind",))
UPSTREAM_CALL_SECONDS = Histogram(
    "seedance_upstream_call_seconds", "Calls of upstreams, by what came of them.", ("provider", "outcome"), bounds=_CALL
)
GENERATIONS_ENDED = Counter(
    "seedance_generations_ended", "Videos that came to an end.", ("provider", "model", "outcome", "code")
)
GENERATION_QUEUE_SECONDS = Histogram(
    "seedance_generation_queue_seconds", "From the order until a provider has it.", ("provider", "model"), bounds=_LONG
)
GENERATION_SECONDS = Histogram(
    "seedance_generation_seconds", "From the order to the completed video.", ("provider", "model"), bounds=_LONG
)
WEBHOOK_TRIES = Counter("seedance_webhook_tries", "POSTs of events to customers' endpoints.", ("outcome",))
WEBHOOK_DEAD_LETTERS = Counter("seedance_webhook_dead_letters", "Deliveries of which no further try is made.")
WEBHOOK_DELAY_SECONDS = Histogram(
    "seedance_webhook_delay_seconds", "From the event to the end of its first try at an endpoint.", bounds=_DELAY
)
PURGED = Counter("seedance_purged", "Videos whose content was deleted when it was due.")

# Of the whole installation, told by each worker

GENERATIONS = Gauge("seedance_generations", "Videos under way in the whole installation.", ("provider", "state"))
QUEUE_AGE_SECONDS = Gauge(
    "seedance_queue_age_seconds", "How long the oldest queued video waits, in the whole installation.", ("provider",)
)
JOBS_WAITING = Gauge(
    "seedance_jobs_waiting", "Jobs that are due and not taken, in the whole installation.", ("job_kind",)
)
CIRCUIT_BREAKER_OPEN = Gauge(
    "seedance_circuit_breaker_open",
    "1 while nothing is started at a provider, of a model or, without one, of any, in the whole installation.",
    ("provider", "model"),
)
WEBHOOK_BACKLOG = Gauge("seedance_webhook_backlog", "Deliveries not made yet, in the whole installation.")
PURGE_LAG_SECONDS = Gauge(
    "seedance_purge_lag_seconds", "How long the oldest content is overdue for deletion, in the whole installation."
)
SLO_GOOD_RATIO = Gauge(
    "seedance_slo_good_ratio", "The good share of a service level, over the last 24 hours.", ("slo",)
)
SLO_OBJECTIVE = Gauge("seedance_slo_objective", "The objective of a service level.", ("slo",))

# Of every process

EVENT_LOOP_LAG_SECONDS = Histogram(
    "seedance_event_loop_lag_seconds", "How late the event loop wakes up who waits for a moment.", bounds=_LAG
)
DATABASE_UP = Gauge("seedance_database_up", "Whether the database answers within two seconds.")
DATABASE_CONNECTIONS = Gauge("seedance_database_connections", "Connections of the process to the database.", ("state",))
DATABASE_CONNECTIONS_MAX = Gauge("seedance_database_connections_max", "What their number is bounded by.")
DISK_FREE_BYTES = Gauge("seedance_disk_free_bytes", "What is free on the disk of the data folder.")
DISK_SIZE_BYTES = Gauge("seedance_disk_size_bytes", "The size of the disk of the data folder.")

INSTRUMENTS: tuple[Instrument, ...] = tuple(one for one in globals().copy().values() if isinstance(one, Instrument))
"""All of them, in their order."""
_CLASSES = ("0xx", "1xx", "2xx", "3xx", "4xx", "5xx")


def observe_request(endpoint: str, status: int, own_seconds: float) -> None:
    """Count a request that has ended: in the hottest path of all."""
    HTTP_REQUESTS.add(endpoint, _CLASSES[status // 100])
    HTTP_SECONDS.observe(own_seconds, endpoint)
