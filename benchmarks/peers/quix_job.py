"""How does the job run on Quix Streams? A stateful apply for each user, and windows that come back as timers.

Run by its own environment as a script: `python quix_job.py name=value ...`. Quix has no timers. A short window over the
changes of carts, with the cart's delay as its grace, ends when a cart of it is due, LENGTH_MS late at most; by then a
look at the user tells whether it has changed since. A session window would say the same in a line, but looks at all
open sessions of the partition whenever one ends: with some thousand open that came to 240 us an event.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import quixstreams.dataframe.windows.aggregations as agg
from quixstreams import Application, State

DAY_MS, WINDOW_DAYS = 86_400_000, 30
LENGTH_MS = 60_000

SETTINGS = dict(argument.split("=", 1) for argument in sys.argv[1:])
CART_DELAY_MS = int(SETTINGS["cart_delay_ms"])
LADDER = [int(rung) for rung in SETTINGS["ladder"].split(",")]
EVERY = int(SETTINGS["mark_every"])


def main() -> None:
    exactly_once = SETTINGS["guarantee"] == "exactly_once"
    app = Application(
        broker_address=SETTINGS["bootstrap"],
        consumer_group=SETTINGS["group"],
        auto_offset_reset="earliest",
        state_dir=SETTINGS["directory"],
        processing_guarantee="exactly-once" if exactly_once else "at-least-once",
        commit_interval=1.0 if exactly_once else 5.0,  # 5 s is the default; transactions as often as Flink's
        loglevel="WARNING",
    )
    source = app.topic(SETTINGS["input"], value_deserializer="json")
    output = app.topic(SETTINGS["output"], value_serializer="json")
    changes = app.dataframe(source).apply(fold, stateful=True, expand=True)
    changes[changes["rule"] != "cart_changed"].to_topic(output)
    carts = changes[changes["rule"] == "cart_changed"]
    windows = carts.tumbling_window(duration_ms=LENGTH_MS, grace_ms=CART_DELAY_MS).agg(last=agg.Last())
    windows.final("partition").apply(look_again, stateful=True, expand=True).to_topic(output)
    app.run()


def fold(event: dict[str, Any], state: State) -> list[dict[str, Any]]:
    """What the event changes of its user, and what comes of it: a milestone, a changed cart."""
    person = state.get("person") or {"seen_at": 0, "days": [], "cart": {}, "anchor": None, "due": 0}
    ts, kind, cart = event["ts"], event["type"], person["cart"]
    found = [abandoned(event["user_id"], person)] if 0 < person["due"] < ts else []
    person["seen_at"] = max(person["seen_at"], ts)
    today = day_of(person["days"], ts // DAY_MS)
    today[1] += 1
    changed = False
    if kind == "cart_item_added":
        cart[event["sku"]] = cart.get(event["sku"], 0) + event["quantity"]
        changed = True
    elif kind == "cart_item_removed":
        changed = cart.pop(event["sku"], None) is not None
    elif kind == "order_placed":
        for line in event["lines"]:
            changed |= cart.pop(line["sku"], None) is not None
        before = spend(person)
        today[2] += 1
        today[3] += event["total"]
        if rung(spend(person)) > rung(before):
            found.append(told("spend_milestone", event["user_id"], event["event_id"], ts, person))
    if changed:
        person["anchor"], person["due"] = event["event_id"], ts + CART_DELAY_MS if cart else 0
        if cart:
            found.append({"rule": "cart_changed", "user_id": event["user_id"], "due": person["due"]})
    state.set("person", person)
    mark()
    return found


def look_again(window: dict[str, Any], state: State) -> list[dict[str, Any]]:
    """The last change of a window is due: is it still the cart's last?"""
    person, last = state.get("person"), window["last"]
    if person is None or person["due"] != last["due"]:
        return []
    found = [abandoned(last["user_id"], person)]
    state.set("person", person)
    return found


def abandoned(user: str, person: dict[str, Any]) -> dict[str, Any]:
    due, person["due"] = person["due"], 0
    return {**told("cart_abandoned", user, person["anchor"], due, person), "skus": [*person["cart"]]}


def told(rule: str, user: str, anchor: str, at: int, person: dict[str, Any]) -> dict[str, Any]:
    orders = sum(day[2] for day in person["days"])
    return {
        "rule": rule,
        "user_id": user,
        "anchor": anchor,
        "at": at,
        "orders": orders,
        "spend": spend(person),
    }


def day_of(days: list[list[int]], day: int) -> list[int]:
    """Number, events, orders, spend."""
    if not days or days[-1][0] != day:
        days[:] = [kept for kept in days if kept[0] >= day - WINDOW_DAYS]
        days.append([day, 0, 0, 0])
    return days[-1]


def spend(person: dict[str, Any]) -> int:
    return sum(day[3] for day in person["days"])


def rung(amount: int) -> int:
    return max((each for each in LADDER if each <= amount), default=0)


_count = 0


def mark() -> None:
    """How far is it, and what has it cost? A line on stdout every so many events."""
    global _count  # noqa: PLW0603 # one process, one thread
    _count += 1
    if _count % EVERY == 0:
        said = {"events": _count, "cpu_seconds": time.process_time(), "wall_seconds": time.monotonic()}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
