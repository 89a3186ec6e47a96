"""What ought to have come out, by the input log alone?

Time is event time: whatever was read when, by whom and how often, this is what must be there in the end. Shares no
code with beckon.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.chaos.person import Event, Person, Trigger

ORDER = ("clickstream", "orders", "inventory", "customers", "engagement", "context", "letters")
LOW = 3
_INTEREST = ("product_viewed", "favorited", "cart_item_added")


@dataclass(frozen=True)
class Record:
    """One input record where it lies. `poison`: whoever wrote it says that it is none."""

    role: str
    partition: int
    offset: int
    value: bytes
    poison: bool = False


@dataclass
class Expected:
    """`partitions`: where each user's records lie. `until`: the last event's time, to which timers have come.

    `optional`: due before their user was erased; they came in time or, as erasure demands, not at all.
    """

    triggers: dict[str, Trigger]
    optional: set[str]
    people: dict[str, Person]
    partitions: dict[str, int]
    poison: set[tuple[str, int, int]]
    until: int


def expected(records: Iterable[Record], delays: Mapping[str, int]) -> Expected:
    """`delays` in milliseconds, by rule, with step or interest behind it."""
    records = sorted(records, key=lambda r: (ORDER.index(r.role), r.partition, r.offset))
    poison = {(r.role, r.partition, r.offset) for r in records if r.poison}
    told = [(r, json.loads(r.value)) for r in records if not r.poison]
    of_users = [(r, event) for r, event in told if r.role not in ("inventory", "context")]
    partitions = {event["user_id"]: r.partition for r, event in of_users}
    until = max((event["ts"] for r, event in told if r.role != "context"), default=0)
    people = {user: Person(user, delays) for user in partitions}
    happened = [(event["ts"], ORDER.index(r.role), r.offset, event) for r, event in of_users]
    happened += _heard(_falls(event for r, event in told if r.role == "inventory"), of_users)
    for ts, role, _, event in sorted(happened, key=lambda entry: entry[:3]):
        person = people[event["user_id"]]
        person.wake(ts)
        person.tell(ORDER[role], event)
    for person in people.values():
        person.wake(until + 1)
    triggers = {trigger.id: trigger for person in people.values() for trigger in person.triggers}
    optional = {trigger.id for trigger in triggers.values() if people[trigger.user].erased_at is not None}
    return Expected(triggers, optional, people, partitions, poison, until)


def _falls(inventory: Iterable[Event]) -> list[Event]:
    """From above the threshold to it or below, but not to nothing; a SKU never seen before cannot fall."""
    stock: dict[str, int] = {}
    falls = []
    for event in inventory:
        if event["type"] == "stock_changed":
            before = stock.get(event["sku"])
            stock[event["sku"]] = event["available"]
            if before is not None and before > LOW >= event["available"] > 0:
                falls.append({**event, "type": "stock_edge"})
    return falls


def _heard(
    falls: Iterable[Event], of_users: Iterable[tuple[Record, Event]]
) -> list[tuple[int, int, int, Event]]:
    """Each fall for everybody who ever looked at the SKU; whether it matters to her then, she knows."""
    watchers: dict[str, set[str]] = defaultdict(set)
    for _, event in of_users:
        if event["type"] in _INTEREST:
            watchers[event["sku"]].add(event["user_id"])
    last = ORDER.index("letters")
    return [
        (fall["ts"], last, 0, {**fall, "user_id": user}) for fall in falls for user in watchers[fall["sku"]]
    ]
