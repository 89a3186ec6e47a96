"""Is what came out what ought to have come out? Every difference in words.

Shares no code with beckon; the layout of a user is that of docs/state.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from struct import iter_unpack
from typing import Any

from tests.chaos.oracle import Expected
from tests.chaos.person import Person, Trigger

SHOWN = 6  # of each kind of difference


@dataclass
class Observed:
    """Output records in the order of their partition, and what Redis holds.

    `triggers` and `decisions`: (partition, decoded). `dead`: (role, partition, offset) of each dead letter.
    `users`, `timers`: by (shard, user id). `marks`: by (shard, "role/partition"). `ends` of the inputs and what the
    group has committed: by (role, partition).
    """

    triggers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    decisions: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    dead: list[tuple[str, int, int]] = field(default_factory=list)
    users: dict[tuple[int, str], list[Any]] = field(default_factory=dict)
    timers: dict[tuple[int, str], int] = field(default_factory=dict)
    marks: dict[tuple[int, str], int] = field(default_factory=dict)
    outbox: int = 0
    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    committed: dict[tuple[str, int], int] = field(default_factory=dict)


class Verdict:
    """Differences by kind: lost, twice, unexpected, order, state, unfinished."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = defaultdict(list)
        self.checked: dict[str, int] = {}

    @property
    def clean(self) -> bool:
        return not any(self.found.values())

    def note(self, kind: str, what: str) -> None:
        self.found[kind].append(what)

    def report(self) -> dict[str, Any]:
        return {
            "clean": self.clean,
            "checked": self.checked,
            "counts": {kind: len(all_of) for kind, all_of in self.found.items()},
            "found": {kind: all_of[:SHOWN] for kind, all_of in self.found.items()},
        }


def judge(expected: Expected, observed: Observed, *, repeats_allowed: bool = False) -> Verdict:
    """`repeats_allowed`: at_least_once; a repeated record must then be the same to the last field."""
    verdict = Verdict()
    _judge_ids(verdict, "trigger", expected, observed.triggers, repeats_allowed)
    _judge_ids(verdict, "decision", expected, observed.decisions, repeats_allowed)
    for _, event in observed.triggers:
        if event["id"] in expected.triggers:
            _judge_trigger(verdict, expected.triggers[event["id"]], event)
    for _, record in observed.decisions:
        if record["verdict"] != "publish":
            verdict.note("unexpected", f"decision {record['rule']} {record['verdict']}: {record['reason']}")
    _judge_order(verdict, expected, observed, repeats_allowed)
    dead = Counter(observed.dead)
    for place in expected.poison - dead.keys():
        verdict.note("lost", f"dead letter of {place}")
    for place, times in dead.items():
        if place not in expected.poison:
            verdict.note("unexpected", f"dead letter of {place}")
        elif times > 1 and not repeats_allowed:
            verdict.note("twice", f"dead letter of {place}, {times} times")
    _judge_users(verdict, expected, observed)
    _judge_end(verdict, observed)
    rules = Counter(trigger.rule for trigger in expected.triggers.values())
    people = {"users": len(expected.people), "dead_letters": len(expected.poison)}
    verdict.checked = {**people, **rules, "triggers": len(expected.triggers)}
    return verdict


def _judge_ids(
    verdict: Verdict,
    what: str,
    expected: Expected,
    observed: list[tuple[int, dict[str, Any]]],
    repeats_allowed: bool,
) -> None:
    found: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for entry in observed:
        found[entry[1]["id"]].append(entry)
    for trigger_id in expected.triggers.keys() - found.keys() - expected.optional:
        verdict.note("lost", f"{what} {expected.triggers[trigger_id]}")
    for trigger_id, entries in found.items():
        if trigger_id not in expected.triggers:
            verdict.note("unexpected", f"{what} {_in_short(entries[0][1])}")
        if len(entries) > 1 and not repeats_allowed:
            said = [entry[1].get("verdict", "told") for entry in entries]
            verdict.note("twice", f"{what} {_in_short(entries[0][1])}: {', '.join(said)}")
        if any(entry[1].get("data") != entries[0][1].get("data") for entry in entries):
            verdict.note("twice", f"{what} {_in_short(entries[0][1])} was told in different words")


def _in_short(record: dict[str, Any]) -> str:
    data = record.get("data", record)
    named = {name: data[name] for name in ("rule", "user_id", "step", "anchor")}
    return f"{named} at {record.get('time') or record.get('at')}"


def _judge_trigger(verdict: Verdict, trigger: Trigger, event: dict[str, Any]) -> None:
    data = event["data"]
    told = Trigger(data["rule"], event["subject"], data["step"], data["anchor"], _millis(event["time"]))
    if told != trigger:
        verdict.note("state", f"the trigger says {told}, the log {trigger}")


def _judge_order(verdict: Verdict, expected: Expected, observed: Observed, repeats_allowed: bool) -> None:
    """On the partition of its user, and what needs no letter from another shard in the order of time."""
    latest: dict[str, int] = {}
    for partition, event in observed.triggers:
        user, at = event["subject"], _millis(event["time"])
        if partition != expected.partitions.get(user):
            verdict.note("order", f"a trigger of {user} lies on partition {partition}")
        if event["data"]["rule"] == "low_stock" or repeats_allowed:
            continue
        if at < latest.get(user, at):
            verdict.note("order", f"{_in_short(event)} comes after one of {latest[user]}")
        latest[user] = at


def _millis(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _judge_users(verdict: Verdict, expected: Expected, observed: Observed) -> None:
    shards: dict[str, list[int]] = defaultdict(list)
    for shard, user in observed.users:
        shards[user].append(shard)
    for user, person in expected.people.items():
        if shards[user] != [expected.partitions[user]]:
            verdict.note("state", f"{user} is on shards {shards[user]}, not {expected.partitions[user]}")
            continue
        blob = observed.users[expected.partitions[user], user]
        ought, has = _ought(person), _has(blob)
        for name, value in ought.items():
            if has[name] != value:
                verdict.note("state", f"{user}: {name} is {has[name]}, ought to be {value}")
        timer = observed.timers.get((expected.partitions[user], user))
        if timer != blob[8]:
            verdict.note("state", f"{user}: the timer says {timer}, the user {blob[8]}")
    for user in shards.keys() - expected.people.keys():
        verdict.note("state", f"{user} is in Redis and in no event")
    for shard, user in observed.timers.keys() - observed.users.keys():
        verdict.note("state", f"a timer of {user} on shard {shard}, and no such user")


def _ought(person: Person) -> dict[str, Any]:
    counted = [o for o in person.orders.values() if o.counted_at is not None and o.cancelled_at is None]
    standing = [o for o in person.orders.values() if o.cancelled_at is None]
    net: dict[int, int] = defaultdict(int)
    for order in counted:
        net[(order.counted_at or 0) // 86_400_000] += order.total
    for order in standing:
        for day, amount in order.refunds.items():
            net[day] -= amount
    return {
        "first_seen_at": person.first_seen_at,
        "last_seen_at": person.last_seen_at,
        "registered": person.registered,
        "erased_at": person.erased_at,
        "due": min((due[0] for due in person.due), default=None),
        "by_day": dict(person.by_day),
        "by_hour": dict(person.by_hour),
        "last_visit_at": person.last_visit_at,
        "viewed": person.viewed,
        "orders": len(counted),
        "net": sum(net.values()),
        "net_by_day": {day: amount for day, amount in net.items() if amount},
        "first_order_at": min((o.counted_at or 0 for o in counted), default=None),
        "last_order_at": max((o.counted_at or 0 for o in counted), default=None),
        "steps": {
            key: (o.placed_at, o.paid_at, o.cancelled_at, o.counted_at, o.reminded)
            for key, o in person.orders.items()
        },
        "cart": {sku: (line.quantity, line.price, line.added_at) for sku, line in person.lines.items()},
        "cart_changed": person.cart,
        "favourites": person.favourites,
        "consent": person.consent,
        "sent": {trigger.id for trigger in person.triggers} if person.erased_at is None else set(),
    }


def _has(user: list[Any]) -> dict[str, Any]:
    """The same out of a blob; an absent part is an empty one."""
    activity = user[10]
    rfm = user[12] or [{}, {}, 0, 0, None, None]
    orders = user[13] or [{}]
    cart = user[14] or [{}, None, None]
    contact = user[16] or [{}, [], None, None, None, None, [], -1, []]
    return {
        "first_seen_at": user[2],
        "last_seen_at": user[3],
        "registered": None if user[4] is None else (user[4], user[5]),
        "erased_at": user[6],
        "due": user[8],
        "by_day": _counts(activity[4], activity[0], activity[1]),
        "by_hour": _counts(activity[5], activity[2], activity[3]),
        "last_visit_at": activity[6],
        "viewed": _viewed(*activity[11]),
        "orders": rfm[2],
        "net": rfm[3],
        "net_by_day": rfm[1],
        "first_order_at": rfm[4],
        "last_order_at": rfm[5],
        "steps": {key: (o[0], o[3], o[6], o[8], o[10]) for key, o in orders[0].items()},
        "cart": {sku: tuple(line[:3]) for sku, line in cart[0].items()},
        "cart_changed": None if cart[1] is None else (cart[1], cart[2]),
        "favourites": set(user[15][0]) if user[15] else set(),
        "consent": {channel: tuple(answer) for channel, answer in contact[0].items()},
        "sent": {sent[0] for sent in contact[8]},
    }


def _viewed(skus: list[str], looks: bytes) -> dict[str, tuple[int, int]]:
    found = zip(skus, iter_unpack("<qqqII", looks), strict=True)
    return {sku: (at, times) for sku, (at, _, _, times, _) in found}


def _counts(earlier: list[int], newest: int, counts: int) -> dict[int, int]:
    return {
        **dict(zip(earlier[::2], earlier[1::2], strict=True)),
        **({newest: counts} if newest >= 0 else {}),
    }


def _judge_end(verdict: Verdict, observed: Observed) -> None:
    """Everything is read, everything is out, and the group says so."""
    if observed.outbox:
        verdict.note("unfinished", f"{observed.outbox} entries are still in the outbox")
    for (role, partition), end in observed.ends.items():
        mark = observed.marks.get((partition, f"{role}/{partition}"), -1) + 1
        if mark < end:
            verdict.note("unfinished", f"{role}/{partition} is read up to {mark} of {end}")
        if observed.committed.get((role, partition), 0) < end:
            verdict.note("unfinished", f"the group says {role}/{partition} has lag")
