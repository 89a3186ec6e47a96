"""Do the settings make sense together, and what should an operator know about them?"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from config.access_checks import access_notes, access_problems
from config.cap_checks import cap_notes
from config.policy_checks import policy_problems
from config.problem import Problem
from config.settings import Settings
from state.calendar import DAY, SECOND
from state.rfm import GRACE_DAYS, WINDOWS_DAYS
from state.tiers import MembershipParams

_CLOCK_TIME = re.compile(r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
_TOPIC = re.compile(r"^[a-zA-Z0-9._-]{1,249}$")
_CURRENCY = re.compile(r"^[A-Z]{3}$")
_SCENE = re.compile(r"^[a-z][a-z0-9_]{0,31}\Z")
_LEAST_DROPOUT = 0.001
_LOOPBACK = ("localhost", "::1")


def problems_of(settings: Settings) -> Iterator[Problem]:
    """What types cannot say: names that must exist, values that contradict each other."""
    yield from _time_problems(settings)
    yield from _name_problems(settings)
    yield from _watch_problems(settings)
    yield from _tier_problems(settings.membership)
    yield from _segment_problems(settings)
    yield from _model_problems(settings)
    yield from policy_problems(settings.policy, settings.rules)
    yield from _fit_problems(settings)
    yield from access_problems(settings)
    if settings.sink.kind != settings.source.kind:
        message = f"{settings.sink.kind} with source.kind {settings.source.kind} is not supported"
        yield Problem("sink.kind", message, f"write {settings.source.kind}, or leave it out")
    engine, lifecycle = settings.engine, settings.lifecycle
    if engine.commit_interval > engine.commit_age:
        message = f"{engine.commit_interval} is longer than engine.commit_age, {engine.commit_age}"
        yield Problem(
            "engine.commit_interval", message, "it is the least time between commits, the age the most"
        )
    if lifecycle.declining_after > lifecycle.churned_after:
        message = (
            f"{lifecycle.declining_after} is longer than lifecycle.churned_after, {lifecycle.churned_after}"
        )
        yield Problem("lifecycle.declining_after", message, "declining comes before churned")
    gaps = lifecycle.own_cycle.declining, lifecycle.own_cycle.dormant, lifecycle.own_cycle.churned
    if list(gaps) != sorted(gaps):
        message = f"declining, dormant, churned are {', '.join(f'{each:g}' for each in gaps)} gaps"
        yield Problem("lifecycle.own_cycle", message, "one comes after the other: write them ascending")


def notes_of(settings: Settings) -> Iterator[str]:
    """What is allowed but worth a second thought."""
    kafka = settings.kafka
    yield from access_notes(settings)
    uses_kafka = "kafka" in (settings.source.kind, settings.sink.kind)
    local = kafka.bootstrap_servers.startswith(("127.", *_LOOPBACK))
    if uses_kafka and kafka.replication_factor < 2 and not local:
        yield (
            f"kafka.replication_factor {kafka.replication_factor}: topics made by `beckon topics create` "
            "are lost with one broker; production wants 3"
        )
    longest = settings.membership.kept_days
    if settings.redis.user_ttl < longest * DAY:
        yield (
            f"redis.user_ttl {settings.redis.user_ttl}: users are forgotten before the longest window "
            f"({WINDOWS_DAYS[-1]}d, and membership.keep_for) is over"
        )
    if settings.rfm.by == "quintiles":
        yield (
            f"rfm.by quintiles: until {settings.rfm.quintiles.least_buyers} buyers are counted segments go by "
            f"{'rfm.cuts' if settings.rfm.cuts else 'the thresholds'}; customers of before are counted as they come by"
        )
    yield from cap_notes(settings.policy, settings.rules)
    if settings.state.kind == "memory":
        yield "state.kind memory: everything known is forgotten when the process ends"


def _time_problems(settings: Settings) -> Iterator[Problem]:
    quiet = settings.policy.quiet_hours
    zones = {"time.zone": settings.time.zone, "policy.quiet_hours.zone": quiet.zone}
    zones["policy.frequency_cap.zone"] = settings.policy.frequency_cap.zone
    for rule, params in settings.rules.items():
        if hasattr(params, "zone"):
            zones[f"rules.{rule}.zone"] = params.zone
    for path, zone in zones.items():
        if not _zone_exists(zone):
            yield Problem(path, f"there is no time zone {zone!r}", _near_zone(zone))
    for path, text in (("policy.quiet_hours.start", quiet.start), ("policy.quiet_hours.end", quiet.end)):
        if not _CLOCK_TIME.match(text):
            yield Problem(path, f"{text!r} is not a time of day", "write HH:MM, as 21:30 or 08:30")
    must_last = {
        "engine.heartbeat": settings.engine.heartbeat,
        "delivery.transaction_timeout": settings.delivery.transaction_timeout,
        "redis.user_ttl": settings.redis.user_ttl,
        "rules.churn_risk.horizon": settings.rules["churn_risk"].horizon,
        **{
            f"lifecycle.{name}": value
            for name, value in msgspec.structs.asdict(settings.lifecycle).items()
            if isinstance(value, int)
        },
        **{
            f"lifecycle.own_cycle.{name}": value
            for name, value in msgspec.structs.asdict(settings.lifecycle.own_cycle).items()
        },
    }
    for path, value in must_last.items():
        if value <= 0:
            yield Problem(path, f"{value} is not above zero")


def _name_problems(settings: Settings) -> Iterator[Problem]:
    topics: dict[str, str] = msgspec.structs.asdict(settings.kafka.topics)
    used = Counter(topics.values())
    for role, name in topics.items():
        path = f"kafka.topics.{role}"
        if not _TOPIC.match(name) or name in (".", ".."):
            yield Problem(
                path, f"{name!r} is not a topic name", "letters, digits, dot, dash, underscore; 249 at most"
            )
        elif used[name] > 1:
            others = ", ".join(r for r, n in topics.items() if n == name and r != role)
            yield Problem(
                path, f"{name!r} is also the topic of {others}", "give every role a topic of its own"
            )
    if not _CURRENCY.match(settings.input.currency):
        yield Problem(
            "input.currency",
            f"{settings.input.currency!r} is not a currency",
            "write its ISO 4217 code, as CNY",
        )
    for path, text in (
        ("state.directory", settings.state.directory),
        ("files.directory", settings.files.directory),
        ("kafka.bootstrap_servers", settings.kafka.bootstrap_servers),
        ("kafka.group_id", settings.kafka.group_id),
        ("http.bind", settings.http.bind),
    ):
        if not text.strip():
            yield Problem(path, "is empty")


def _watch_problems(settings: Settings) -> Iterator[Problem]:
    """Who watches a SKU must not be forgotten before a rule stops asking."""
    kept = settings.redis.watch_ttl
    for rule, params in settings.rules.items():
        watched_for = getattr(params, "watched_for", None)
        if watched_for is not None and watched_for > kept:
            message = f"{watched_for} is longer than redis.watch_ttl, {kept}"
            yield Problem(f"rules.{rule}.watched_for", message, "raise redis.watch_ttl too")


def _tier_problems(membership: MembershipParams) -> Iterator[Problem]:
    tiers, keep_for = membership.tiers, membership.keep_for
    if keep_for % DAY or not 0 <= keep_for <= GRACE_DAYS * DAY:
        message = f"{keep_for} is not whole days up to {GRACE_DAYS}d"
        yield Problem(
            "membership.keep_for", message, "orders are kept by day, and not much longer than a year"
        )
    if not tiers:
        yield Problem("membership.tiers", "is empty", "give the tier that every buyer has at least")
    names = Counter(tier.name for tier in tiers)
    for place, tier in enumerate(tiers):
        path = f"membership.tiers[{place}]"
        if not tier.name.strip():
            yield Problem(f"{path}.name", "is empty")
        elif names[tier.name] > 1:
            yield Problem(f"{path}.name", f"{tier.name!r} is there twice")
        if place == 0 and (tier.spend, tier.orders) != (0, 0):
            yield Problem(
                path, "the first tier asks for something", "every buyer has it: spend: 0, orders: 0"
            )
        for need in ("spend", "orders"):
            own, below = getattr(tier, need), getattr(tiers[max(0, place - 1)], need)
            if own < below:
                yield Problem(f"{path}.{need}", f"{own} is less than {below} of the tier before", "ascending")
        if place > 0 and (tier.spend, tier.orders) == (tiers[place - 1].spend, tiers[place - 1].orders):
            yield Problem(path, "asks for no more than the tier before", "ascending in spend, orders or both")


def _segment_problems(settings: Settings) -> Iterator[Problem]:
    """Orders and money are kept by day for the longest window."""
    rfm, longest = settings.rfm, WINDOWS_DAYS[-1]
    for name in ("recency_within", "frequency_window", "monetary_window"):
        value = getattr(rfm, name)
        if not 0 < value <= longest * DAY:
            yield Problem(
                f"rfm.{name}", f"{value} is not above zero and at most {longest}d", "days are kept so long"
            )
    yield from _cut_problems(settings)
    for name in settings.rules["calendar_scene"].scenes:
        if not _SCENE.match(name):
            message = f"{name!r} is not a name of small letters, digits and underscores"
            yield Problem(f"rules.calendar_scene.scenes.{name}", message)


def _cut_problems(settings: Settings) -> Iterator[Problem]:
    """Fixed cut points must be four, ascending; counters must let go of whom Redis forgets."""
    rfm, quintiles = settings.rfm, settings.rfm.quintiles
    if rfm.by == "cuts" and rfm.cuts is None:
        yield Problem("rfm.cuts", "rfm.by: cuts needs them", "or write rfm.by: quintiles")
    for name in ("r", "f", "m") if rfm.cuts is not None else ():
        points = getattr(rfm.cuts, name)
        if len(points) != 4 or list(points) != sorted(points):
            yield Problem(f"rfm.cuts.{name}", "is not four numbers in ascending order")
    for name in ("publish_every", "look_every", "bought_within"):
        if getattr(quintiles, name) < SECOND:
            yield Problem(f"rfm.quintiles.{name}", f"{getattr(quintiles, name)} is below 1s")
    if rfm.by == "quintiles" and quintiles.publish_every < settings.time.out_of_orderness:
        message = f"{quintiles.publish_every} is shorter than time.out_of_orderness"
        yield Problem("rfm.quintiles.publish_every", message, "timers lag so far behind events")
    if rfm.by == "quintiles" and quintiles.bought_within > settings.redis.user_ttl:
        message = f"{quintiles.bought_within} is longer than redis.user_ttl, {settings.redis.user_ttl}"
        yield Problem("rfm.quintiles.bought_within", message, "who is forgotten would stay in the counters")


def _fit_problems(settings: Settings) -> Iterator[Problem]:
    first, last = settings.fit.first_landmark, settings.fit.last_landmark
    if first > last:
        yield Problem("fit.first_landmark", f"{first} is after fit.last_landmark, {last}")
    if not settings.fit.held_out or list(settings.fit.held_out) != sorted(settings.fit.held_out):
        yield Problem("fit.held_out", "is to be one share or more, ascending", "as [0.55, 0.65, 0.75]")


def _model_problems(settings: Settings) -> Iterator[Problem]:
    """A model needs all that was fitted, and a fit must have found that customers are lost at all."""
    predict = settings.predict
    if predict.model == "none":
        return
    horizon = settings.rules["churn_risk"].horizon
    if predict.churn is not None and predict.churn.horizon != horizon:
        message = f"the score was learned for {predict.churn.horizon}, rules.churn_risk.horizon is {horizon}"
        yield Problem("predict.churn.horizon", message, f"fit with --horizon {horizon}, or write churn: null")
    if predict.spend is not None and not (
        predict.spend.p > 0 and predict.spend.q > 1 and predict.spend.gamma > 0
    ):
        message = "p and gamma must be above 0, q above 1"
        yield Problem("predict.spend", message, "else no value can be expected: write spend: null")
    for name, least in (("r", 0.0), ("alpha", 0.0), ("a", _LEAST_DROPOUT), ("b", 0.0)):
        value = getattr(predict, name)
        if value is None:
            yield Problem(f"predict.{name}", f"{predict.model} needs it", "or write predict.model: none")
        elif value <= 0 or value < least:
            way_out = "the fit has found nobody who stops buying: write predict.model: none" if least else ""
            yield Problem(f"predict.{name}", f"{value} is not above {least:g}", way_out)


def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return False
    return True


def _near_zone(name: str) -> str:
    close = difflib.get_close_matches(name, available_timezones(), n=1)
    return f"did you mean {close[0]}?" if close else "write a name of the IANA database, as Asia/Shanghai"
