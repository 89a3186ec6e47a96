"""What do declared patterns cost an event? `python -m benchmarks patterns`: fold and rules, no broker and no store.

A user looks at 12 items over and over; another at 40, which is more than are followed. The rounds of all plans
alternate, and of each the fastest counts: on a shared machine the rest is other people's work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from config.load import load, plan_of
from state.events import ProductViewed
from state.user import User
from triggers.decide import on_event, wake
from triggers.plan import Plan

EVENTS = 4_000
ROUNDS = 15
SEARCHED = (
    "searched: {after: {event: searched, times: 3}, then_not: {event: favorited}, within: 2h, by: user}"
)
DEAR = "after: {event: product_viewed, times: 5, where: {price: {at_least: %d}}}, then_not: {event: cart_item_added}"
PLANS = {
    "rule off": "rules.pattern.enabled=false",
    "on, no pattern": "rules.pattern.patterns={}",
    "a pattern of other events": f"rules.pattern.patterns={{{SEARCHED}}}",
    "a pattern names it, where does not fit": f"rules.pattern.patterns={{p: {{{DEAR % 10**6}, within: 3h, by: sku}}}}",
    "counted by user": f"rules.pattern.patterns={{p: {{{DEAR % 1}, within: 3h, by: user}}}}",
    "counted by SKU": f"rules.pattern.patterns={{p: {{{DEAR % 1}, within: 3h, by: sku}}}}",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.patterns", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args(arguments).rounds
    plans = {name: plan_of(load(None, {}, [override])) for name, override in PLANS.items()}
    print(f"{'microseconds a view':42} {'12 items':>9} {'40 items':>9}")
    best = {(name, items): float("inf") for name in plans for items in (12, 40)}
    views = {items: _views(items) for items in (12, 40)}
    for _ in range(rounds):
        for (name, items), least in best.items():
            best[name, items] = min(least, _seconds(plans[name], views[items]))
    for name in plans:
        print(f"{name:42} {1e6 * best[name, 12] / EVENTS:9.2f} {1e6 * best[name, 40] / EVENTS:9.2f}")


def _views(items: int) -> list[Any]:
    return [
        ProductViewed(event_id=f"e{n}", ts=10**12 + n * 7_000, user_id="u", sku=f"k{n % items}", price=5)
        for n in range(EVENTS)
    ]


def _seconds(plan: Plan, views: list[Any]) -> float:
    user, decisions = User.new("u"), list[Any]()
    began = time.process_time()
    for view in views:
        while user.due is not None and user.due < view.ts:
            wake(user, user.due, plan, _no_facts, _no_claim, decisions)
        on_event(user, view, plan, _no_facts, _no_claim, decisions, late_at=None)
    return time.process_time() - began


def _no_facts(sku: str) -> None:
    return None


def _no_claim(claim: Any, claimant: str) -> bool:
    return False


if __name__ == "__main__":
    main()
