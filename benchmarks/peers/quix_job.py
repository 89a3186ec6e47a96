"""How does the job run on Quix Streams? A stateful apply for each user; carts left alone by a session window.

Run by its own environment as a script: `python quix_job.py name=value ...`. Quix has no timers. A session window
whose gap is the cart's delay finds the same carts, and tells them one gap later: it waits for what may still come.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import quixstreams.dataframe.windows.aggregations as agg
from quixstreams import Application, State

DAY_MS, WINDOW_DAYS = 86_400_000, 30

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
    changes[changes["rule"] == "spend_milestone"].to_topic(output)
    carts = changes[changes["rule"] == "cart_changed"]
    carts = carts.session_window(inactivity_gap_ms=CART_DELAY_MS).agg(last=agg.Last()).final("partition")
    carts = carts.filter(lambda session: session["last"]["skus"]).apply(abandoned)
    carts.to_topic(output)
    app.run()


def fold(event: dict[str, Any], state: State) -> list[dict[str, Any]]:
    """What the event changes of its user, and what comes of it: a milestone, a changed cart."""
    person = state.get("person") or {"seen_at": 0, "days": [], "cart": {}}
    ts, kind, cart = event["ts"], event["type"], person["cart"]
    person["seen_at"] = max(person["seen_at"], ts)
    today = day_of(person["days"], ts // DAY_MS)
    today[1] += 1
    changed, found = False, []
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
            found.append(told("spend_milestone", event, person))
    if changed:
        found.append({**told("cart_changed", event, person), "skus": [*cart]})
    state.set("person", person)
    mark()
    return found


def abandoned(session: dict[str, Any]) -> dict[str, Any]:
    return {**session["last"], "rule": "cart_abandoned", "at": session["last"]["at"] + CART_DELAY_MS}


def told(rule: str, event: dict[str, Any], person: dict[str, Any]) -> dict[str, Any]:
    orders = sum(day[2] for day in person["days"])
    return {
        "rule": rule,
        "user_id": event["user_id"],
        "anchor": event["event_id"],
        "at": event["ts"],
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
