"""What happens between `beckon run` and Ctrl-C? The servers it needs, the flow, and an orderly end."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import structlog
from bytewax.dataflow import Dataflow
from prometheus_client import REGISTRY

from config.load import fold_of, load
from config.settings import Settings
from connectors.embedded_redis import EmbeddedRedis
from connectors.http import StatusServer
from connectors.http_access import Door
from connectors.memory import few_arenas
from connectors.slot import Slot
from connectors.traces import traces_to
from flows import assemble, explain, observe, profiles, shop, startup, supervise
from flows import rebuild as work
from flows.assemble import Choices
from flows.census import Census
from flows.lookout import Lookout
from flows.realtime import graph, run_graph, tune_gc
from flows.redis_access import redis_client
from flows.rulebook import Written
from flows.station import Station
from flows.stop import Stop
from state.user import LAYOUT
from triggers.trigger import Decision

log = structlog.get_logger("service")


def run(
    settings: Settings,
    *,
    workers: int,
    duration_ms: int | None,
    until_caught_up: bool,
    on_decision: Callable[[Decision], None] | None,
    config_args: list[str],
    config: Path | None,
    read: Callable[[], Settings],
) -> int:
    """The service until it is told to stop; the exit code. `config_args` go to child processes as they are.

    `read` gives the settings anew; the file `config` is among what it reads.
    """
    stop = Stop(duration_ms)
    with stop.on_signals(reads=True), contextlib.ExitStack() as stack:
        url = _redis_url(settings, stack)
        if workers > 1:
            _check(settings, url)  # once and in one place, before each child says it again
            args = ["run", *config_args, *(["--until-caught-up"] if until_caught_up else [])]
            names = _member_names(settings, workers, stack)
            return supervise.run(names, args, {"BECKON__REDIS__URL": url}, stop)
        if settings.demo.enabled:
            stack.enter_context(shop.beside(settings, config_args))
        choices = Choices(
            should_stop=stop,
            until_caught_up=until_caught_up,
            on_decision=on_decision,
            written=Written(read, config, stop.was_asked_to_read),
        )
        _run_one(settings, url, stop, choices)
    return 0


def _run_one(settings: Settings, redis_url: str, stop: Stop, choices: Choices) -> None:
    """One process: one flow over the shards the group gives it."""
    few_arenas()
    with contextlib.ExitStack() as stack:
        member = _member_name(settings, stack)
        traces = None
        if settings.tracing.enabled:
            traces = traces_to(
                settings.tracing.endpoint,
                about=_about(settings, member),
                queued_spans=settings.tracing.queued_spans,
            )
            stack.callback(traces.close)
        choices = msgspec.structs.replace(choices, instance_id=member, traces=traces)
        ledger = assemble.ledger_of(settings, redis_url)
        stack.callback(ledger.close)
        startup.check(settings, ledger)
        recorded = ledger.recorded()
        lookout = stack.enter_context(Lookout(settings, recorded, stop.ask))
        source = assemble.log_of(settings, choices)
        stack.callback(source.close)
        publisher = assemble.publisher_of(settings, source, choices)
        stack.callback(publisher.close)
        station = assemble.station_of(settings, source, ledger, publisher, choices)
        if recorded.get("layout", str(LAYOUT)) != str(LAYOUT):
            log.info("state of an older layout, migrated when read", was=recorded["layout"], now=LAYOUT)
        if settings.http.enabled:
            observe.show_at_scrape(
                lambda: list(station.shards.values()),
                ready=lambda: station.ready[0],
                waiting=lambda: station.waiting,
            )
            if settings.state.kind == "redis":
                stack.enter_context(_census(settings, station, redis_url))
            server = stack.enter_context(_status_server(settings, station, redis_url))
            log.info("status served", bind=settings.http.bind, port=server.port)
        tune_gc()
        log.info("running", source=settings.source.kind, guarantee=settings.delivery.guarantee)
        try:
            run_graph(station)
        except Exception as error:
            log.error("the flow ended with an error", kind=type(error).__name__, error=str(error))
            raise
        log.info("drained")
        lookout.check()


def _about(settings: Settings, member: str) -> dict[str, str]:
    """Who says what its spans say, in OpenTelemetry's words."""
    instance = {"service.instance.id": member} if member else {}
    return {"service.name": "beckon", "service.namespace": settings.app, **instance}


def _check(settings: Settings, redis_url: str) -> None:
    ledger = assemble.ledger_of(settings, redis_url)
    try:
        startup.check(settings, ledger)
    finally:
        ledger.close()


def rebuild(
    settings: Settings, *, what_is_left: bool, progress: Callable[[int, int], None]
) -> work.Permitted:
    """Permit every shard to be built again."""
    with contextlib.ExitStack() as stack:
        ledger = assemble.ledger_of(settings, _redis_url(settings, stack))
        stack.callback(ledger.close)
        new_owner = partial(secrets.token_hex, 8)
        return work.run(settings, ledger, new_owner, what_is_left=what_is_left, progress=progress)


def _member_name(settings: Settings, stack: contextlib.ExitStack) -> str:
    """Who this process is in the consumer group: what its parent says, what is configured, or a free slot."""
    name = os.environ.get(supervise.MEMBER) or settings.kafka.instance_id
    if name or settings.source.kind != "kafka":
        return name
    return f"{socket.gethostname()}-{stack.enter_context(Slot(settings.app)).number}"


def _member_names(settings: Settings, workers: int, stack: contextlib.ExitStack) -> list[str]:
    """One for each child, the same after a restart: it comes back to its own shards, whoever has ended meanwhile."""
    if settings.kafka.instance_id:
        return [f"{settings.kafka.instance_id}-{index}" for index in range(workers)]
    return [_member_name(settings, stack) for _ in range(workers)]


def _redis_url(settings: Settings, stack: contextlib.ExitStack) -> str:
    """The configured Redis, or an embedded one for as long as we run."""
    if settings.state.kind == "memory" or settings.redis.url:
        return settings.redis.url
    directory = Path(settings.state.directory)
    server = EmbeddedRedis.start(directory)
    stack.callback(server.stop)
    address = directory / "redis.url"  # for `beckon profile` beside a running service
    address.write_text(server.url + "\n")
    stack.callback(address.unlink, missing_ok=True)
    return server.url


def _status_server(settings: Settings, station: Station, redis_url: str) -> StatusServer:
    port = settings.http.port and settings.http.port + int(os.environ.get(supervise.WORKER, "0"))
    return StatusServer(
        settings.http.bind,
        port,
        health=lambda: station.healthy,
        ready=lambda: station.ready,
        profile=lambda user_id: profiles.read_json(settings, redis_url, user_id),
        explain=lambda user_id, query: explain.read_json(settings, redis_url, user_id, query, station.plan),
        registry=REGISTRY,
        door=Door(settings.http.token, on_loopback=settings.http.on_loopback),
    )


def _census(settings: Settings, station: Station, redis_url: str) -> Census:
    return Census(
        redis_client(settings, redis_url),  # its own: the flow's is for the flow's thread
        settings.app,
        lambda: list(station.shards),
        fold_of(settings),
        wall_ms=assemble.wall_ms,
        every_seconds=settings.engine.census_every / 1000,
        keys=settings.engine.census_keys,
    )


def dataflow_from_environment() -> Dataflow:
    """The graph for `python -m bytewax.run`; settings and the address of Redis from the environment."""
    settings = load(None, os.environ, [])
    choices = Choices(should_stop=lambda: False, instance_id=settings.kafka.instance_id)
    ledger = assemble.ledger_of(settings, profiles.state_url(settings))
    startup.check(settings, ledger)
    source = assemble.log_of(settings, choices)
    publisher = assemble.publisher_of(settings, source, choices)
    return graph(assemble.station_of(settings, source, ledger, publisher, choices))
