"""What do we count and measure? Every metric with its meaning, in one place.

Labels come from the configuration or from closed lists, never from event data: no user, SKU or key. Hot code
takes a child once (`EVENTS.labels(result="ok")`) and keeps it; those that everybody needs are here.
"""

from __future__ import annotations

from typing import Final

import prometheus_client
from prometheus_client import Counter, Gauge, Histogram, Info

# A second series for each of ours, of which nobody asks anything.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY: Final = prometheus_client.REGISTRY
"""Where all of these are, and what is known of the process itself."""

_PREFIX: Final = "beckon"
_MILLIS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MINUTES: Final = (*_MILLIS, 30.0, 60.0, 300.0, 1800.0)
_BATCH: Final = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0)


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(name, meaning, labels, namespace=_PREFIX)


def _gauge(name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(name, meaning, labels, namespace=_PREFIX)


def _histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(name, meaning, labels, namespace=_PREFIX, buckets=buckets)


# What comes in

RECORDS = _counter("records_total", "Records read from an input, by topic role, good or bad.", "topic")
EVENTS = _counter(
    "events_total",
    "Events by what became of them: ok (applied), "
    "late (applied, fired nothing), duplicate (same event_id, nothing changed), invalid (dead letter).",
    "result",
)
EVENTS_OK = EVENTS.labels(result="ok")
EVENTS_LATE = EVENTS.labels(result="late")
EVENTS_DUPLICATE = EVENTS.labels(result="duplicate")
EVENTS_INVALID = EVENTS.labels(result="invalid")
DLQ_RECORDS = _counter(
    "dlq_records_total",
    "Records written to the dead-letter topic, by input topic role and reason.",
    "topic",
    "reason",
)
CALLS = _counter(
    "calls_total",
    "Weather alerts and campaign stages by what became of them: told, nobody (no rule that is on cares, or an audience "
    "that is not known), late.",
    "result",
)
CALLS_TOLD = CALLS.labels(result="told")
CALLS_FOR_NOBODY = CALLS.labels(result="nobody")
CALLS_LATE = CALLS.labels(result="late")
SOURCE_LAG = _gauge(
    "source_lag_records", "Records of a partition not read yet, as last seen.", "topic", "partition"
)
SOURCE_LAG_SECONDS = _gauge(
    "source_lag_seconds",
    "Age of the oldest event of a topic that is not applied yet, else of the last look that found the topic read "
    "to its end; it grows by itself while nothing is read.",
    "topic",
)
SOURCE_CAUGHT_UP = _gauge(
    "source_caught_up", "1 while every input of this process is read to its end, else 0."
)
WATERMARK = _gauge(
    "watermark_timestamp_seconds",
    "Event time up to which a shard has seen everything, Unix seconds.",
    "shard",
)
REPLAYED_EVENTS = _counter(
    "replayed_events_total",
    "Records to be read once more because the store had forgotten, or not yet reached, what is out already.",
)
SHARDS_OWNED = _gauge("shards_owned", "Shards that this process works on.")
REBALANCES = _counter("rebalances_total", "Times the consumer group changed what this process owns.")

# The shop

ORDERS = _counter(
    "orders_total",
    "Order events read, by the step they tell of; one that is sent again, or read again, counts again.",
    "step",
)
USERS = _gauge(
    "users",
    "Users known to the shards of this process, without aliases and erased ones; an estimate (census).",
)
ACTIVE_USERS = _gauge(
    "active_users",
    "Users seen within the last day, week (7 d) and month (30 d); an estimate (census).",
    "within",
)
USERS_BY_STAGE = _gauge(
    "users_by_stage",
    "Users by stage of the lifecycle as of now, visitor where there is none; an estimate (census).",
    "stage",
)
USERS_BY_SEGMENT = _gauge(
    "users_by_segment",
    "Users by RFM segment as of now, none where no order counts; an estimate (census).",
    "segment",
)
CENSUS_SHARE = _gauge(
    "census_share", "Share of the store's keys that the last census looked at; 1 means that it is exact."
)

# What is decided

TRIGGERS = _counter("triggers_total", "Triggers decided to be published, by rule.", "rule")
SUPPRESSED = _counter(
    "triggers_suppressed_total", "Candidates that were not sent, by rule and the reason.", "rule", "reason"
)
DEFERRED = _counter(
    "triggers_deferred_total", "Candidates put off, for quiet hours for instance, by rule.", "rule"
)
RETRACTED = _counter(
    "triggers_retracted_total",
    "Triggers taken back because an event from before them came after them, by rule.",
    "rule",
)
TRIGGER_LATENCY = _histogram(
    "trigger_latency_seconds",
    "From the event time at which a trigger became due until the sink acknowledged it. "
    "Only live: a backlog's event times are old.",
    _MINUTES,
    "rule",
)
PROCESSING_LATENCY = _histogram(
    "processing_latency_seconds", "From the read of a batch until its state was committed.", _MILLIS
)
TIMERS_LOADED = _gauge("timers_loaded", "Timers held in memory; the others sleep in the store.")
TIMERS_PENDING = _gauge(
    "timers_pending", "Users of this process's shards who wait for a moment, in the store (census)."
)
TIMER_DELAY = _histogram(
    "timer_delay_seconds", "How far the shard's clock was past a timer's due time when it fired.", _MINUTES
)

# What is kept

LAST_COMMIT = _gauge(
    "last_commit_timestamp_seconds",
    "When the last commit or heartbeat succeeded, Unix seconds: alert on its age. Before the first, when the process "
    "began; of one that is well and has no shard, now.",
)
COMMIT_DURATION = _histogram(
    "commit_duration_seconds",
    "From sending the commits of all dirty shards until the store answered.",
    _MILLIS,
)
COMMIT_BATCH = _histogram("commit_batch_events", "Events in one commit of all dirty shards.", _BATCH)
COMMIT_CONFLICTS = _counter(
    "commit_conflicts_total",
    "Commits refused: fenced (another process owns the shard), rollback (the store has forgotten something).",
    "kind",
)
STATE_USERS = _gauge("state_users", "Users held in this process's memory.")
STATE_BYTES = _gauge("state_bytes", "Memory that Redis says it uses, the same from every process (census).")
STATE_LIMIT_BYTES = _gauge(
    "state_limit_bytes", "Memory that Redis may use: its maxmemory, else what its machine has (census)."
)
CACHE_REQUESTS = _counter(
    "cache_requests_total",
    "Hit: records and timers that found what they need in memory. Miss: users and items read from the store.",
    "result",
)
CACHE_HITS = CACHE_REQUESTS.labels(result="hit")
CACHE_MISSES = CACHE_REQUESTS.labels(result="miss")
STORE_ERRORS = _counter(
    "store_errors_total",
    "Times the store did not do what it was asked: unavailable, busy, readonly, ...",
    "kind",
)
CLOCK_STEPS = _counter(
    "clock_steps_total", "Steps of the machine's wall clock, believed only when events confirm them."
)
LIMIT_HITS = _counter(
    "limit_hits_total",
    "Times a limit of the settings or of the state took effect, by the limit's name.",
    "limit",
)

# What goes out

OUTBOX_ENTRIES = _gauge("outbox_entries", "Records decided, not yet published.")
OUTBOX_OLDEST = _gauge(
    "outbox_oldest_timestamp_seconds",
    "Since when the record has been waiting that has waited longest to be published, Unix seconds; now if none does.",
)
PUBLISH_TRANSACTIONS = _counter(
    "publish_transactions_total",
    "Transactions of the publisher: ok, abort (published again), unknown (outcome read back).",
    "result",
)

# The process

LOG_MESSAGES = _counter("log_messages_total", "Lines logged, by level.", "level")
RELOADS = _counter(
    "reloads_total",
    "Times the configuration was read again while running: ok (rules or policy changed), unchanged, refused.",
    "result",
)
CONFIG_VALID = _gauge(
    "config_valid",
    "1 while the configuration, as it was last read, is in force; 0: it was refused, and the one before is in force.",
)
SPANS = _counter(
    "spans_total",
    "Spans of OpenTelemetry by result: sent, failed (the collector did not take them), dropped (too many waited).",
    "result",
)
READY = _gauge(
    "ready", "1 while /readyz says so, asked at every scrape: shards owned, store and broker reachable."
)
BUILD_INFO = Info("build", "Version of beckon and of the Python it runs on.", namespace=_PREFIX)

# A series that appears with its first count has no increase then, and an alert would miss the first time.
for _kind in ("fenced", "rollback"):
    COMMIT_CONFLICTS.labels(kind=_kind)
for _result in ("ok", "abort", "unknown"):
    PUBLISH_TRANSACTIONS.labels(result=_result)
STORE_ERRORS.labels(kind="unavailable")


def total(metric: Counter, **labels: str) -> int:
    """What a counter has counted so far in this process, over all children that have these labels."""
    name = f"{next(iter(metric.describe())).name}_total"
    return int(
        sum(
            sample.value
            for family in metric.collect()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )
    )
