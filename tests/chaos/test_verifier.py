"""Does the verifier find what is wrong, and nothing where nothing is? Without servers: on a log made here."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from tests.chaos.oracle import Expected, Record, expected
from tests.chaos.person import Person, Trigger
from tests.chaos.settings import SETTINGS
from tests.chaos.stories import DELAYS, stories
from tests.chaos.verdict import Observed, judge
from tests.integration.installation import lines_of, replayed

SEED = 5
SECONDS = 40.0
TS = 1_790_000_000_000
MILLIS = {name: round(delay * 1000) for name, delay in DELAYS.items()}
RULES = {"cart_abandoned", "payment_pending", "first_order_nudge", "welcome_pack", "low_stock"}


def written() -> list[Record]:
    """The stories as a log of one partition, and an event long after them."""
    offsets: dict[str, int] = {}
    records = []
    end = {"event_id": "end", "type": "session_started", "user_id": "end"}
    for at, role, _, what in [*stories(SEED, SECONDS, 10.0), (SECONDS + 60, "clickstream", "end", end)]:
        offset = offsets[role] = offsets.get(role, -1) + 1
        stamped = {**what, "ts": TS + round(at * 1000)} if isinstance(what, dict) else {}
        value = json.dumps(stamped).encode() if isinstance(what, dict) else what
        records.append(Record(role, 0, offset, value, poison=isinstance(what, bytes)))
    return records


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return written()


@pytest.fixture(scope="module")
def ought(records: list[Record]) -> Expected:
    return expected(records, MILLIS)


def blob(person: Person) -> list[Any]:
    """A user as docs/state.md lays it out."""
    counted = sorted(o.counted_at for o in person.orders.values() if o.counted_at and not o.cancelled_at)
    net: dict[int, int] = {}
    for order in person.orders.values():
        if order.cancelled_at is None:
            if order.counted_at:
                day = order.counted_at // 86_400_000
                net[day] = net.get(day, 0) + order.total
            for day, amount in order.refunds.items():
                net[day] = net.get(day, 0) - amount
    rfm = [
        {},
        net,
        len(counted),
        sum(net.values()),
        *((counted[0], counted[-1]) if counted else (None, None)),
    ]
    orders: dict[str, list[Any]] = {
        key: [
            o.placed_at,
            o.anchor,
            o.total,
            o.paid_at,
            None,
            None,
            o.cancelled_at,
            {},
            o.counted_at,
            [],
            o.reminded,
        ]
        for key, o in person.orders.items()
    }
    cart = {sku: [line.quantity, line.price, line.added_at, None] for sku, line in person.lines.items()}
    viewed = [
        [*person.viewed],
        b"".join(pack("<qqqII", at, -1, -1, times, times) for at, times in person.viewed.values()),
    ]
    sent = [] if person.erased_at else [[t.id, t.rule, t.step, "", t.at, True] for t in person.triggers]
    consent = {channel: list(answer) for channel, answer in person.consent.items()}
    registered = person.registered or (None, None)
    return [
        1, person.user, person.first_seen_at, person.last_seen_at, *registered, person.erased_at, 0, None, b"",
        [*_newest(person.by_day), *_newest(person.by_hour), _earlier(person.by_day), _earlier(person.by_hour),
         person.last_visit_at, 0, None, -1, None, viewed, {}],
        [], rfm, [orders, None, None], [cart, *(person.cart or (None, None))],
        [dict.fromkeys(person.favourites, 0), {}], [consent, [], None, None, None, None, [], -1, sent], {},
    ]  # fmt: skip


def _newest(counts: dict[int, int]) -> tuple[int, int]:
    return max(counts.items(), default=(-1, 0))


def _earlier(counts: dict[int, int]) -> list[int]:
    return [number for slot in sorted(counts)[:-1] for number in (slot, counts[slot])]


def told(trigger: Trigger) -> dict[str, Any]:
    moment = datetime.fromtimestamp(trigger.at / 1000, UTC).isoformat()
    data = {"rule": trigger.rule, "user_id": trigger.user, "step": trigger.step, "anchor": trigger.anchor}
    return {"id": trigger.id, "subject": trigger.user, "time": moment, "data": data}


def perfect(ought: Expected) -> Observed:
    triggers = sorted(ought.triggers.values(), key=lambda trigger: trigger.at)
    return Observed(
        triggers=[(0, told(trigger)) for trigger in triggers],
        decisions=[
            (0, {**told(trigger)["data"], "id": trigger.id, "verdict": "publish"}) for trigger in triggers
        ],
        dead=sorted(ought.poison),
        users={(0, user): blob(person) for user, person in ought.people.items()},
        marks={(0, "orders/0"): 9},
        ends={("orders", 0): 10},
        committed={("orders", 0): 10},
    )


def test_a_perfect_run_is_clean(ought: Expected) -> None:
    verdict = judge(ought, perfect(ought))
    assert verdict.clean, verdict.report()
    assert {trigger.rule for trigger in ought.triggers.values()} == RULES
    assert verdict.checked["users"] > 200
    assert verdict.checked["dead_letters"] > 10


def order_of_one_user(observed: Observed) -> None:
    """The first of two triggers of somebody goes behind the second."""
    seen: dict[str, int] = {}
    for place, (_, event) in enumerate(observed.triggers):
        if event["data"]["rule"] == "cart_abandoned":
            if event["subject"] in seen:
                observed.triggers.insert(place, observed.triggers.pop(seen[event["subject"]]))
                return
            seen[event["subject"]] = place
    raise AssertionError("nobody has two")


def somebody(observed: Observed, part: int) -> list[Any]:
    return next(user for user in observed.users.values() if user[part][0])


SPOILED: dict[str, tuple[str, Callable[[Observed], object]]] = {
    "a trigger is missing": ("lost", lambda o: o.triggers.pop(3)),
    "a decision is missing": ("lost", lambda o: o.decisions.pop(3)),
    "a dead letter is missing": ("lost", lambda o: o.dead.pop()),
    "a trigger is there twice": ("twice", lambda o: o.triggers.append(o.triggers[-1])),
    "a decision is there twice": ("twice", lambda o: o.decisions.append(o.decisions[-1])),
    "a dead letter is there twice": ("twice", lambda o: o.dead.append(o.dead[0])),
    "nobody caused a trigger": (
        "unexpected",
        lambda o: o.triggers.append((0, told(Trigger("cart_abandoned", "u1", 1, "no such event", TS)))),
    ),
    "a good record is a dead letter": ("unexpected", lambda o: o.dead.append(("orders", 0, 10_000))),
    "something was suppressed": (
        "unexpected",
        lambda o: o.decisions[0][1].update(verdict="suppress", reason="reach"),
    ),
    "two triggers changed places": ("order", order_of_one_user),
    "a trigger is on another partition": ("order", lambda o: o.triggers.append((1, o.triggers.pop()[1]))),
    "a trigger has another time": ("state", lambda o: o.triggers[0][1].update(time="2026-01-01T00:00:00Z")),
    "a user is missing": ("state", lambda o: o.users.pop(next(iter(o.users)))),
    "a user is there twice": ("state", lambda o: o.users.update({(1, "u1"): o.users[0, "u1"]})),
    "an order counts twice": ("state", lambda o: somebody(o, 13)[12].__setitem__(2, 7)),
    "a cart has a piece more": (
        "state",
        lambda o: next(iter(somebody(o, 14)[14][0].values())).__setitem__(0, 99),
    ),
    "a view was counted twice": ("state", lambda o: somebody(o, 10)[10][4].extend((1, 1))),
    "a timer is left": ("state", lambda o: o.timers.update({(0, "u1"): TS})),
    "an entry is left in the outbox": ("unfinished", lambda o: setattr(o, "outbox", 1)),
    "a record was not read": ("unfinished", lambda o: o.marks.update({(0, "orders/0"): 8})),
    "the group shows lag": ("unfinished", lambda o: o.committed.update({("orders", 0): 9})),
}


@pytest.mark.parametrize("name", SPOILED)
def test_it_is_noticed_that(name: str, ought: Expected) -> None:
    kind, spoil = SPOILED[name]
    observed = copy.deepcopy(perfect(ought))
    spoil(observed)
    found = judge(ought, observed).found
    assert set(found) >= {kind}
    assert sum(map(len, found.values())) <= 2


def test_repeats_are_allowed_where_they_were_promised(ought: Expected) -> None:
    observed = perfect(ought)
    observed.triggers.append(observed.triggers[0])
    assert judge(ought, observed, repeats_allowed=True).clean
    changed = copy.deepcopy(observed.triggers[0])
    changed[1]["data"]["step"] = 5
    observed.triggers.append(changed)
    assert not judge(ought, observed, repeats_allowed=True).clean


def test_the_oracle_and_a_replay_say_the_same(records: list[Record], ought: Expected, tmp_path: Path) -> None:
    """Two programs that share no code; whoever is wrong, they will not be wrong alike."""
    good = [(record.role, "", record.value) for record in records if not record.poison]
    out = replayed(tmp_path, good, SETTINGS)
    triggers = lines_of(out / "triggers.jsonl")
    assert {trigger["id"] for trigger in triggers} == set(ought.triggers)
    assert len(triggers) == len(ought.triggers)


def test_it_shares_no_code_with_beckon() -> None:
    program = "import sys, tests.chaos.verifier; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    ours = {name.partition(".")[0] for name in loaded.split()}
    assert not ours & {"state", "triggers", "connectors", "config", "flows", "console", "msgspec"}
    assert "tests.chaos.person" in loaded.split()
