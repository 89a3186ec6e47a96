"""What does a command say in words? The start and the end of a run, and what a replay did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from config.load import redacted_url
from config.settings import Settings
from connectors import metrics
from console.live import Tally
from flows.rebuild import Permitted, utc
from flows.replay import Summary
from flows.shop import Shown


def start_lines(settings: Settings, workers: int) -> Iterator[str]:
    """What runs, where it can be asked, how it ends."""
    on = sum(1 for params in settings.rules.values() if params.enabled)
    processes = f", {workers} processes" if workers > 1 else ""
    policy = "on" if settings.policy.enabled else "off"
    yield f"beckon: {on} rules, policy {policy}, app {settings.app}{processes}"
    yield f"  events    {_log_of(settings.source.kind, settings)}{_shop_of(settings)}"
    yield f"  triggers  {_log_of(settings.sink.kind, settings)}"
    yield f"  state     {state_of(settings)}"
    http = settings.http
    if http.enabled and http.port == 0:
        yield f"  http      a free port of {http.bind}, named in the log; /metrics /healthz /readyz"
    elif http.enabled:
        host = f"[{http.bind}]" if ":" in http.bind else http.bind
        more = f" (and {workers - 1} more ports)" if workers > 1 else ""
        yield f"  http      http://{host}:{http.port}/metrics{more}, also /healthz /readyz /api/users/<id>"
    yield "  stop      Ctrl-C, or SIGTERM: what is in hand is finished first"


def end_lines(settings: Settings, tally: Tally) -> Iterator[str]:
    """What this run did, and where its state is now."""
    events, letters = metrics.total(metrics.EVENTS), metrics.total(metrics.DLQ_RECORDS)
    yield f"{_count(events, 'event')}, {_count(tally.published.total(), 'trigger')}"
    for rule, published, suppressed, deferred in tally.rules():
        yield f"  {rule:<20} {published:>7} published {suppressed:>7} suppressed {deferred:>7} deferred"
    reasons = tally.reasons()
    if reasons:
        yield "suppressed: " + ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    if tally.retracted:
        yield f"retracted, as late events showed them wrong: {tally.retracted.total()}"
    yield f"dead letters: {letters}"
    yield f"state: {state_of(settings)}"


def replayed(done: Summary) -> str:
    """What a replay read and made of it."""
    counts = (
        (done.events, "record"),
        (done.users, "user"),
        (done.triggers, "trigger"),
        (done.decisions, "decision"),
        (done.dead_letters, "dead letter"),
    )
    return ", ".join(_count(number, noun) for number, noun in counts)


def rebuild_lines(found: Permitted) -> Iterator[str]:
    """What is read again by the next run, and what cannot be."""
    yield from (f"missing: {each}" for each in found.missing)
    yield "to be read again, transaction markers included:"
    for each in found.amounts:
        since = "" if each.since is None else f"  since {utc(each.since)}"
        yield f"  {each.topic:<24} {each.records:>12,}{since}"
    yield f"  {'together':<24} {sum(each.records for each in found.amounts):>12,}"
    yield f"{found.shards} shards may be built again: start `beckon run`"


def demo_lines(done: Shown) -> Iterator[str]:
    """What the demo shop wrote, and how fast that went once it had reached the present."""
    yield f"{done.events:,} events written in {done.seconds:.1f} s"
    if done.live_per_second is not None:
        slow = (
            " (as fast as this machine makes them: ask for less, or start a second shop)" if done.slow else ""
        )
        yield f"live, of late: {done.live_per_second:,.1f} events/s{slow}"


def state_of(settings: Settings) -> str:
    if settings.state.kind == "memory":
        return "in memory, gone with the process"
    if settings.redis.url:
        return f"Redis {redacted_url(settings.redis.url)}"
    return f"embedded Redis in {Path(settings.state.directory)}"


def _log_of(kind: str, settings: Settings) -> str:
    if kind == "files":
        return f"files in {settings.files.directory}"
    return f"Kafka {settings.kafka.bootstrap_servers}, group {settings.kafka.group_id}"


def _shop_of(settings: Settings) -> str:
    if not settings.demo.enabled:
        return ""
    demo = settings.demo
    return (
        f", from the demo shop: {demo.shoppers} made-up shoppers, the last {demo.behind} at {demo.speed:g}x"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
