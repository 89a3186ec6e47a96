"""How do the parts fit together for these settings? One process's station, and what it stands on."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import redis
from msgspec import Struct

from config.settings import Settings
from connectors.codec import Decoder
from connectors.file_log import FileLog, FilePublisher
from connectors.kafka import KafkaLog
from connectors.log import InputLog
from connectors.pseudonyms import PseudonymisingDecoder
from connectors.publisher import OutboxPublisher, Publisher
from connectors.traces import Traces
from connectors.transactions import KafkaTransactions
from flows.cadence import Cadence
from flows.dead_letter import DEAD_LETTER_BYTES, dead_letters_of
from flows.desk import Desk
from flows.intake import Clock, Intake
from flows.item_facts import ItemFacts
from flows.outgoing import Outgoing
from flows.privacy import check_partitions, pseudonyms_of
from flows.redis_access import redis_client
from flows.rulebook import Rulebook, Written
from flows.shard import Shard
from flows.station import Station
from flows.wall import Wall
from state.events import TOPICS
from state.ledger import Ledger, Store
from state.memory_ledger import MemoryLedger
from state.redis_ledger import RedisLedger
from state.user import LAYOUT
from state.values import LAST_TS
from triggers.plan import Plan
from triggers.trigger import Decision

LINE_LIMIT = 16 * 1024 * 1024  # a longer line of a file log is cut in its dead letter; it bounds memory
OUTPUTS = ("letters", "triggers", "decisions", "dead_letters", "journal")


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


# Nobody sets it, and a suspended machine's sleep counts in it; elsewhere than on Linux without that.
_UNSET_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Nature(Struct, frozen=True):
    """Time and chance: what the flow takes from outside and a simulation replaces.

    `wall_ms` is epoch milliseconds; `monotonic`, `sleep` and `elapsed` (which counts suspended time too) are in
    seconds; `token` makes owners of a ledger.
    """

    wall_ms: Callable[[], int] = wall_ms
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    elapsed: Callable[[], float] = partial(time.clock_gettime, _UNSET_CLOCK)
    token: Callable[[], str] = partial(secrets.token_hex, 8)


class Choices(Struct, frozen=True, kw_only=True):
    """What a command adds to the settings. `closed`: the files are history; nobody writes them any more.

    `written`: where the settings may be read again while it runs. `traces`: where spans go, if anywhere.
    """

    should_stop: Callable[[], bool]
    until_caught_up: bool = False
    closed: bool = False
    on_decision: Callable[[Decision], None] | None = None
    instance_id: str = ""
    written: Written | None = None
    traces: Traces | None = None
    until_ts: int | None = None
    nature: Nature = Nature()

    @property
    def event_time_only(self) -> bool:
        """Time is what the events say; the wall clock does not go on when they end."""
        return self.until_caught_up or self.closed


def redis_ledger(settings: Settings, client: redis.Redis) -> RedisLedger:
    return RedisLedger(
        client,
        settings.app,
        user_ttl_seconds=settings.redis.user_ttl // 1000,
        watch_ttl_seconds=settings.redis.watch_ttl // 1000,
        watchers_per_sku=settings.engine.watchers_per_sku,
        audience_users=settings.engine.audience_users,
        accepted_risks=settings.redis.accepted_risks,
    )


def ledger_of(settings: Settings, redis_url: str) -> Store:
    if settings.state.kind == "memory":
        return MemoryLedger(settings.engine.watchers_per_sku, settings.engine.audience_users)
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
        transactions = KafkaTransactions(
            source,
            input_topics(settings) | output_topics(settings),
            bootstrap_servers=settings.kafka.bootstrap_servers,
            transactional_id=f"{settings.app}.{choices.instance_id or secrets.token_hex(8)}",
            guarantee=settings.delivery.guarantee,
            transaction_timeout_ms=int(settings.delivery.transaction_timeout),  # librdkafka reads str()
            scan_records=settings.delivery.scan_records,
            options=settings.kafka.options,
        )
        return OutboxPublisher(transactions)
    return FilePublisher(
        Path(settings.files.directory), output_topics(settings), partitions=settings.files.partitions
    )


def decoders_of(settings: Settings) -> dict[str, Decoder]:
    chosen = settings.input
    let_in: dict[str, Any] = {
        "max_bytes": chosen.max_bytes,
        "currency": chosen.currency,
        "ahead_limit_ms": settings.time.ahead_limit,
    }
    # What a letter carries has been let in already, under the names it is to have, and may have grown since.
    ours = {**let_in, "max_bytes": DEAD_LETTER_BYTES, "ahead_limit_ms": LAST_TS}
    outside: Callable[[str, Any], Decoder] = partial(Decoder, **let_in)
    if (pseudonyms := pseudonyms_of(settings)) is not None:
        outside = partial(PseudonymisingDecoder, pseudonyms=pseudonyms, **let_in)
    return {
        role: Decoder(role, union, **ours) if role == "letters" else outside(role, union)
        for role, union in TOPICS.items()
    }


def station_of(
    settings: Settings,
    source: InputLog,
    ledger: Ledger,
    publisher: Publisher,
    choices: Choices,
) -> Station:
    """Wire one process's parts, and start it: the shape of the state is checked, the shards are asked for."""
    engine = settings.engine
    shards: dict[int, Shard] = {}
    if not choices.closed:
        check_partitions(settings, source.partitions["letters"])
    ledger.prepare(source.partitions["letters"], LAYOUT)
    rulebook = Rulebook(settings, ledger, choices.written, monotonic=choices.nature.monotonic)
    station = Station(
        shards,
        source,
        _desk_of(settings, rulebook.plan, source, ledger, shards, choices),
        publisher,
        rulebook,
        Cadence(
            engine.commit_interval / 1000,
            engine.commit_age / 1000,
            engine.heartbeat / 1000,
            settings.delivery.journal_every / 1000,
        ),
        should_stop=choices.should_stop,
        until_caught_up=choices.event_time_only,
        follows=not choices.closed,
        monotonic=choices.nature.monotonic,
        sleep=choices.nature.sleep,
        traces=choices.traces,
    )
    station.start(_intake_of(settings, source, ledger, publisher, station, choices))
    return station


def _desk_of(
    settings: Settings,
    plan: Plan,
    source: InputLog,
    ledger: Ledger,
    shards: dict[int, Shard],
    choices: Choices,
) -> Desk:
    facts = ItemFacts(ledger, shards, source.partitions["inventory"])
    per_rule, on_decision = settings.kafka.triggers_per_rule, choices.on_decision
    outgoing = Outgoing(plan, facts, app=settings.app, triggers_per_rule=per_rule, on_decision=on_decision)
    return Desk(
        plan,
        ledger,
        shards,
        facts,
        outgoing,
        shard_count=source.partitions["letters"],
        out_of_orderness=settings.time.out_of_orderness,
        allowed_lateness=settings.time.allowed_lateness,
        watchers_limit=settings.engine.watchers_per_sku,
        timers_limit=settings.engine.loaded_timers,
        called_users=settings.engine.called_users,
        audience_limit=settings.engine.audience_users,
    )


def _intake_of(
    settings: Settings,
    source: InputLog,
    ledger: Ledger,
    publisher: Publisher,
    station: Station,
    choices: Choices,
) -> Intake:
    times = settings.time
    wall = Wall(choices.nature.wall_ms, choices.nature.elapsed)
    return Intake(
        source,
        decoders_of(settings),
        ledger,
        publisher,
        station.shards,
        Clock(
            wall=None if choices.event_time_only else wall.now,
            monotonic=choices.nature.monotonic,
            out_of_orderness=times.out_of_orderness,
            idle_after=times.idle_after,
            end_known_for=times.end_known_for / 1000,
            until=choices.until_ts,
        ),
        new_owner=choices.nature.token,
        encode_dead=dead_letters_of(
            input_topics(settings), pseudonyms_of(settings), as_line=isinstance(source, FileLog)
        ),
        decode_wall=None if choices.closed else wall.latest,
        queued_records=settings.engine.queued_records,
        round_records=settings.engine.batch_records,
        timers=settings.engine.loaded_timers,
        cached_users=settings.state.cached_users,
        bad_share=settings.input.bad_share,
        bad_minimum=settings.input.bad_minimum,
        give_up=station.give_up,
        refuse_newer=lambda: ledger.prepare(source.partitions["letters"], LAYOUT),
    )
