"""Are declared patterns told as their page says? Random patterns over random histories, against brute force.

The oracle takes in one arrival after the other and looks at everything that has not been settled, each time anew.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from state import events
from state.calendar import HOUR, MINUTE, Duration
from tests.oracles.kit import Arrival, Told, in_order, scattered, told
from tests.state.history import START

Pattern = dict[str, Any]

WHERES: dict[str, tuple[dict[str, Any], ...]] = {
    "product_viewed": (
        {},
        {"price": {"at_least": 5}},
        {"price": {"above": 4, "at_most": 5}, "category": "tea"},
        {"category": ["tea", "cups"]},
        {"category": {"exists": False}},
    ),
    "cart_item_added": ({}, {"quantity": {"above": 1}}),
    "order_placed": ({}, {"total": {"below": 2}}, {"category": "tea", "quantity": 1}),
}
OF_A_SKU = ("product_viewed", "cart_item_added", "cart_item_removed", "order_placed")
OF_AN_ORDER = ("order_placed", "order_delivered", "order_paid")
ANY = ("searched", "cart_cleared", *OF_A_SKU, *OF_AN_ORDER)
KINDS = {"user": ANY, "cart": ANY, "sku": OF_A_SKU, "order": OF_AN_ORDER}

EVENT: Any = events.Clickstream | events.Orders


def a_pattern(chance: Random) -> Pattern:
    by = chance.choice([*KINDS])
    may_open = [kind for kind in KINDS[by] if by != "cart" or kind not in ("cart_cleared", "order_placed")]
    opening, answering = chance.choice(may_open), chance.choice(KINDS[by])
    after: dict[str, Any] = {"event": opening, "where": chance.choice(WHERES.get(opening, ({},)))}
    after["times"] = chance.choice((1, 1, 2, 3))
    after["within"] = chance.choice((None, "30m", "2h"))
    answer = {"event": answering, "where": chance.choice(WHERES.get(answering, ({},)))}
    within = chance.choice(("10m", "30m", "1h", "3h"))
    return {"after": after, chance.choice(("then", "then_not")): answer, "within": within, "by": by}


def a_history(chance: Random, patterns: dict[str, Pattern]) -> list[Any]:
    """Mostly of what the patterns name."""
    named = [step["event"] for p in patterns.values() for step in p.values() if isinstance(step, dict)]
    ts, history = START, []
    for number in range(chance.randrange(45)):
        ts += chance.choice((0, 1, MINUTE, 10 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR))
        about = {"event_id": f"e{number}", "ts": ts, "user_id": chance.choice(("u1", "u1", "u2"))}
        kind = chance.choice(named if chance.random() < 0.7 else ANY)
        history.append(msgspec.convert({"type": kind, **about, **_said(chance, kind)}, EVENT))
    return history


def _said(chance: Random, kind: str) -> dict[str, Any]:
    sku, category = f"k{chance.randrange(2)}", chance.choice(("tea", "cups", None))
    line = {"sku": sku, "quantity": chance.choice((1, 2)), "category": category}
    lines = chance.choice(([line], [line, {"sku": "k0", "quantity": 1, "category": "tea"}]))
    of_a_kind: dict[str, dict[str, Any]] = {
        "product_viewed": {"category": category, "price": chance.choice((4, 5, None))},
        "searched": {"query": "q"},
        "cart_item_added": {"quantity": chance.choice((1, 2)), "price": 1},
        "order_placed": {"lines": lines, "total": chance.choice((1, 2))},
    }
    about = {"order_id": f"o{chance.randrange(3)}"} if kind in OF_AN_ORDER else {"sku": sku}
    return {**of_a_kind.get(kind, {}), **about}


# The oracle. Of an event it knows nothing but its JSON.


def holds(said: dict[str, Any], field: str, wanted: Any) -> bool:
    value = said.get(field)
    if isinstance(wanted, dict):
        return all(
            (value is not None) == bound
            if word == "exists"
            else value is not None
            and {
                "at_least": value >= bound,
                "at_most": value <= bound,
                "above": value > bound,
                "below": value < bound,
            }[word]
            for word, bound in wanted.items()
        )
    return value in wanted if isinstance(wanted, list) else value == wanted


def keys_of(said: dict[str, Any], step: dict[str, Any], by: str) -> list[str]:
    if said["type"] != step["event"]:
        return []
    lines = said.get("lines")
    of_lines = [f for f in step["where"] if lines is not None and f in ("sku", "category", "quantity")]
    if not all(holds(said, f, w) for f, w in step["where"].items() if f not in of_lines):
        return []
    fitting = [line for line in lines or () if all(holds(line, f, step["where"][f]) for f in of_lines)]
    if of_lines and not fitting:
        return []
    if by == "sku" and lines is not None:
        return sorted({line["sku"] for line in fitting})
    return [said["sku"] if by == "sku" else said["order_id"] if by == "order" else ""]


class Shopper:
    """What one user has in the cart, and which SKUs were in which order."""

    def __init__(self) -> None:
        self.added: dict[str, int] = {}
        self.gone: dict[str, int] = {}
        self.cleared = self.ended = -1
        self.orders: dict[str, tuple[str, ...]] = {}

    def take(self, said: dict[str, Any]) -> None:
        ts, kind = said["ts"], said["type"]
        if kind == "cart_item_added":
            sku = said["sku"]
            if ts >= self.cleared and ts >= self.gone.get(sku, -1):
                self.added[sku] = max(ts, self.added.get(sku, -1))
            return
        before = len(self.added)
        leaving = [said["sku"]] if kind == "cart_item_removed" else []
        if kind == "cart_cleared":
            leaving, self.cleared = [*self.added], max(self.cleared, ts)
        if kind == "order_placed":
            if said["order_id"] in self.orders:
                return
            leaving = [line["sku"] for line in said["lines"]]
            self.orders[said["order_id"]] = tuple(leaving)
        for sku in leaving:
            if self.added.get(sku, ts + 1) <= ts:
                del self.added[sku]
            if kind != "cart_cleared":
                self.gone[sku] = max(ts, self.gone.get(sku, -1))
        if len(self.added) < before and (kind != "cart_item_removed" or not self.added):
            self.ended = max(self.ended, ts)


class Watched:
    """One pattern, one user, one key: everything that has happened, and up to when it is settled."""

    def __init__(self, name: str, pattern: Pattern, settled: int) -> None:
        self.name, self.settled = name, settled
        self.times = pattern["after"]["times"]
        span = pattern["after"]["within"]
        self.span = 10**15 if span is None else int(Duration.parse(span))
        self.within = int(Duration.parse(pattern["within"]))
        self.negated = "then_not" in pattern
        self.opened: list[tuple[int, str]] = []
        self.unanswered: list[int] = []

    def settle(self, at: int) -> None:
        self.settled = max(self.settled, at)
        self.opened = [a for a in self.opened if a[0] > at]
        self.unanswered = [answer for answer in self.unanswered if answer > at]

    def completing(self, until: int = 10**15) -> list[tuple[int, str]]:
        """The A's that, each with those before it, complete the count."""
        left = sorted(self.opened)
        left = left if self.negated else left[-(2 * self.times + 2) :]
        left = [a for a in left if a[0] <= until]
        return [
            a
            for place, a in enumerate(left)
            if place + 1 >= self.times and a[0] - left[place + 1 - self.times][0] <= self.span
        ]

    def due(self) -> tuple[int, str] | None:
        if not self.negated or not self.completing():
            return None
        at, anchor = max(self.opened)
        return at + self.within, anchor

    def answer(self, at: int) -> list[tuple[int, str]]:
        """(when, anchor) of what a B at `at` says."""
        anchors = [a for a in self.completing(at) if at - a[0] <= self.within]
        if not anchors:
            return []
        self.settle(at)
        return [(at, anchors[-1][1])]

    def take(self, ts: int, event_id: str, *, opens: bool, answers: bool) -> list[tuple[int, str]]:
        """(when, anchor) of what is told at once."""
        told_of: list[tuple[int, str]] = []
        ends = False
        if answers and self.negated:
            ends = not opens or bool(self.completing(ts))
            if ends:
                self.settle(ts)
        elif answers:
            told_of = self.answer(ts)
            ends = bool(told_of)
            if not ends and not opens and ts > self.settled:
                self.unanswered = sorted([*self.unanswered, ts])[-4:]
        if opens and (ts > self.settled or (ends and ts == self.settled)):
            self.opened.append((ts, event_id))
            for at in [] if self.negated else [*self.unanswered]:
                told_of += self.answer(at)
        return told_of


def ought(patterns: dict[str, Pattern], arrivals: list[Arrival]) -> list[Told]:
    watched: dict[tuple[str, str, str], Watched] = {}
    shoppers: dict[str, Shopper] = {}
    seen: set[str] = set()
    found: list[Told] = []

    def tell(user: str, name: str, key: str, at: int, anchor: str) -> None:
        pattern, shopper = patterns[name], shoppers[user]
        many = pattern["by"] == "sku" and pattern["after"]["event"] == "order_placed"
        skus = {
            "sku": (key,),
            "cart": tuple(shopper.added),
            "order": shopper.orders.get(key, ()),
            "user": (),
        }
        whole = f"{name}:{anchor}:{key}" if many else f"{name}:{anchor}"
        found.append(Told(user, 1, whole, at, skus[pattern["by"]]))

    def pass_time(until: int) -> None:
        while True:
            waiting = [(due[0], place, due[1]) for place, w in watched.items() if (due := w.due())]
            if not waiting or min(waiting)[0] >= until:
                return
            at, (user, name, key), anchor = min(waiting)
            tell(user, name, key, at, anchor)
            watched[user, name, key].settle(at)

    for arrival in arrivals:
        pass_time(arrival.at)
        said = msgspec.to_builtins(arrival.event)
        if said["event_id"] in seen:
            continue
        seen.add(said["event_id"])
        user, ts = said["user_id"], said["ts"]
        shopper = shoppers.setdefault(user, Shopper())
        shopper.take(said)
        for name, pattern in patterns.items():
            by = pattern["by"]
            answer = pattern.get("then") or pattern["then_not"]
            opened, answered = keys_of(said, pattern["after"], by), keys_of(said, answer, by)
            for key in sorted({*opened, *answered}):
                new = Watched(name, pattern, shopper.ended if by == "cart" else -1)
                one = watched.setdefault((user, name, key), new)
                for at, anchor in one.take(
                    ts, said["event_id"], opens=key in opened, answers=key in answered
                ):
                    tell(user, name, key, at, anchor)
            if by == "cart" and (user, name, "") in watched:
                watched[user, name, ""].settle(shopper.ended)
    pass_time(10**15)
    return found


def one_play(seed: int, *, late: bool) -> tuple[list[Told], list[Told]]:
    chance = Random(seed)
    patterns = {f"p{number}": a_pattern(chance) for number in range(3)}
    history = a_history(chance, patterns)
    arrivals = scattered(chance, history) if late else in_order(history)
    return told("pattern", {"patterns": patterns}, arrivals), ought(patterns, arrivals)


@settings(max_examples=200)
@given(st.integers(0, 2**32), st.booleans())
def test_what_is_told_is_what_the_page_says(seed: int, late: bool) -> None:
    found, expected = one_play(seed, late=late)
    assert sorted(found) == sorted(expected)


def test_the_histories_let_every_sort_of_pattern_speak() -> None:
    spoken = {True: 0, False: 0}
    for seed in range(60):
        chance = Random(seed)
        patterns = {f"p{number}": a_pattern(chance) for number in range(3)}
        for each in ought(patterns, in_order(a_history(chance, patterns))):
            spoken["then" in patterns[each.anchor.partition(":")[0]]] += 1
    assert min(spoken.values()) >= 20
