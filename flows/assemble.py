"""How do the parts fit together for these settings? One process's station, and what it stands on."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path

import redis
from msgspec import Struct

from config.load import plan_of
from config.settings import Settings
from connectors.codec import Decoder, Rejected
from connectors.envelope import Headers, Record, dead_letter, dead_letter_line
from connectors.file_log import FileLog, FilePublisher
from connectors.kafka import KafkaLog
from connectors.log import InputLog, Lane
from connectors.publisher import KafkaPublisher, Publisher
from flows.dead_letter import DeadLetter
from flows.desk import Desk
from flows.intake import Clock, Intake
from flows.item_facts import ItemFacts
from flows.outgoing import Outgoing
from flows.shard import Shard
from flows.station import Cadence, Station
from state.events import TOPICS
from state.ledger import Ledger, MemoryLedger
from state.redis_ledger import RedisLedger
from state.user import LAYOUT
from triggers.trigger import Decision

LINE_LIMIT = (
    16 * 1024 * 1024
)  # a longer line of a file log is cut in its dead letter; memory is bounded by it
# Key and value of a dead letter on Kafka; with its headers it must fit a topic of default settings (1,000,000
# bytes in librdkafka): one that nobody takes would stop the triggers behind it for ever.
DEAD_LETTER_BYTES = 950_000
OUTPUTS = ("letters", "triggers", "decisions", "dead_letters")


class Choices(Struct, frozen=True, kw_only=True):
    """What a command adds to the settings. `closed`: the files are history; nobody writes them any more."""

    should_stop: Callable[[], bool]
    until_caught_up: bool = False
    closed: bool = False
    on_decision: Callable[[Decision], None] | None = None
    instance_id: str = ""
    until_ts: int | None = None

    @property
    def event_time_only(self) -> bool:
        """Time is what the events say; the wall clock does not go on when they end."""
        return self.until_caught_up or self.closed


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def redis_client(settings: Settings, url: str) -> redis.Redis:
    password = settings.redis.password or None
    return redis.Redis.from_url(url, **({"password": password} if password else {}))


def redis_ledger(settings: Settings, client: redis.Redis) -> RedisLedger:
    return RedisLedger(
        client,
        settings.app,
        user_ttl_seconds=settings.redis.user_ttl // 1000,
        watch_ttl_seconds=settings.redis.watch_ttl // 1000,
        watchers_per_sku=settings.engine.watchers_per_sku,
    )


def ledger_of(settings: Settings, redis_url: str) -> Ledger:
    if settings.state.kind == "memory":
        return MemoryLedger(settings.engine.watchers_per_sku)
    return redis_ledger(settings, redis_client(settings, redis_url))


def input_topics(settings: Settings) -> dict[str, str]:
    """Topic name by role, in canonical order."""
    return {role: getattr(settings.kafka.topics, role) for role in TOPICS}


def output_topics(settings: Settings) -> dict[str, str]:
    return {role: getattr(settings.kafka.topics, role) for role in OUTPUTS}


def log_of(settings: Settings, choices: Choices) -> KafkaLog | FileLog:
    if settings.source.kind == "kafka":
        return KafkaLog(
            input_topics(settings),
            bootstrap_servers=settings.kafka.bootstrap_servers,
            group_id=settings.kafka.group_id,
            instance_id=choices.instance_id,
            batch_records=settings.engine.batch_records,
            options=settings.kafka.options,
        )
    return FileLog(
        Path(settings.files.directory),
        input_topics(settings),
        partitions=settings.files.partitions,
        shards=range(settings.files.partitions),
        batch_records=settings.engine.batch_records,
        max_bytes=LINE_LIMIT,
        closed=choices.closed,
    )


def publisher_of(settings: Settings, source: InputLog, choices: Choices) -> Publisher:
    if isinstance(source, KafkaLog):
        return KafkaPublisher(
            source,
            input_topics(settings) | output_topics(settings),
            bootstrap_servers=settings.kafka.bootstrap_servers,
            transactional_id=f"{settings.app}.{choices.instance_id or secrets.token_hex(8)}",
            guarantee=settings.delivery.guarantee,
            transaction_timeout_ms=int(settings.delivery.transaction_timeout),  # librdkafka reads str()
            should_stop=choices.should_stop,
            options=settings.kafka.options,
        )
    return FilePublisher(
        Path(settings.files.directory), output_topics(settings), partitions=settings.files.partitions
    )


def decoders_of(settings: Settings) -> dict[str, Decoder]:
    chosen = settings.input
    return {
        role: Decoder(
            role,
            union,
            max_bytes=chosen.max_bytes,
            currency=chosen.currency,
            ahead_limit_ms=settings.time.ahead_limit,
        )
        for role, union in TOPICS.items()
    }


def dead_letters_of(settings: Settings, *, as_line: bool) -> Callable[..., DeadLetter]:
    """How a rejected record is kept: untouched with headers on Kafka, as one JSON line in a file log."""
    names = input_topics(settings)

    def encode(lane: Lane, offset: int, key: bytes | None, value: bytes | None, why: Rejected) -> DeadLetter:
        topic, part = names[lane[0]], lane[1]
        headers: list[tuple[str, bytes]] = []
        if as_line:
            kept = dead_letter_line(why, topic=topic, partition=part, offset=offset, value=value)
        else:
            key, kept, headers = _cut(
                *dead_letter(why, topic=topic, partition=part, offset=offset, key=key, value=value)
            )
        return DeadLetter(lane[0], f"{topic}/{part}/{offset}", why.reason, key, kept, headers)

    return encode


def _cut(key: bytes | None, value: bytes, headers: Headers) -> Record:
    """Untouched, unless it is larger than any reader could be promised: then its beginning, and a header says so."""
    size = len(key or b"")
    if size + len(value) <= DEAD_LETTER_BYTES:
        return key, value, headers
    said = ("beckon.cut", f"key {size}, value {len(value)}".encode())
    key = key and key[:DEAD_LETTER_BYTES]
    return key, value[: DEAD_LETTER_BYTES - len(key or b"")], [*headers, said]


def station_of(
    settings: Settings,
    source: KafkaLog | FileLog,
    ledger: Ledger,
    publisher: Publisher,
    choices: Choices,
) -> Station:
    """Wire one process's parts, and start it: the shape of the state is checked, the shards are asked for."""
    engine = settings.engine
    shards: dict[int, Shard] = {}
    station = Station(
        shards,
        source,
        _desk_of(settings, source, ledger, shards, choices),
        publisher,
        Cadence(engine.commit_interval / 1000, engine.commit_age / 1000, engine.heartbeat / 1000),
        should_stop=choices.should_stop,
        until_caught_up=choices.event_time_only,
        follows=not choices.closed,
    )
    ledger.prepare(source.partitions["letters"], LAYOUT)
    station.start(_intake_of(settings, source, ledger, publisher, station, choices))
    return station


def _desk_of(
    settings: Settings, source: KafkaLog | FileLog, ledger: Ledger, shards: dict[int, Shard], choices: Choices
) -> Desk:
    plan = plan_of(settings)
    facts = ItemFacts(ledger, shards, source.partitions["inventory"])
    per_rule = settings.kafka.triggers_per_rule
    outgoing = Outgoing(
        plan, facts, app=settings.app, triggers_per_rule=per_rule, on_decision=choices.on_decision
    )
    return Desk(
        plan,
        ledger,
        shards,
        facts,
        outgoing,
        shard_count=source.partitions["letters"],
        allowed_lateness=settings.time.allowed_lateness,
        watchers_limit=settings.engine.watchers_per_sku,
        timers_limit=settings.engine.loaded_timers,
    )


def _intake_of(
    settings: Settings,
    source: KafkaLog | FileLog,
    ledger: Ledger,
    publisher: Publisher,
    station: Station,
    choices: Choices,
) -> Intake:
    times = settings.time
    wall = None if choices.event_time_only else wall_ms
    return Intake(
        source,
        decoders_of(settings),
        ledger,
        publisher,
        station.shards,
        Clock(wall, times.out_of_orderness, times.idle_after, choices.until_ts),
        new_owner=lambda: secrets.token_hex(8),
        encode_dead=dead_letters_of(settings, as_line=isinstance(source, FileLog)),
        decode_wall=None if choices.closed else wall_ms,
        queued_records=settings.engine.queued_records,
        timers=settings.engine.loaded_timers,
        cached_users=settings.state.cached_users,
        bad_share=settings.input.bad_share,
        bad_minimum=settings.input.bad_minimum,
        give_up=station.give_up,
    )
