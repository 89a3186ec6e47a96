"""Who must be reminded, who gets a coupon and who a gift? Found anew from all that was read, whenever it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, HOUR, MINUTE
from tests.oracles.kit import Arrival, Told, in_order, scattered, told

START = 1_790_000_000_000
USERS, SKUS, MINE = ("u1", "u2"), ("k1", "k2", "k3"), ("k1", "k2")
ASKS = (
    events.Favorited, events.CartItemAdded, events.OrderPlaced, events.OrderPaid, events.OrderCancelled,
)  # fmt: skip
STEP = {"warmup": 1, "encore": 3}


def history_of(chance: Random, length: int) -> list[Any]:
    """Each stage is said once."""
    history: list[Any] = []
    ts, stages = START, 0
    for number in range(length):
        ts += chance.choice((1, MINUTE, 7 * MINUTE, 11 * MINUTE, HOUR, 5 * HOUR))
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts}
        who, sku = about | {"user_id": chance.choice(USERS)}, chance.choice(SKUS)
        order = f"o{chance.randrange(6)}-{who['user_id']}"
        match chance.randrange(9):
            case 0 if stages < 6:
                stages += 1
                starts = ts + chance.choice((-HOUR, 0, 15 * MINUTE, 3 * HOUR, 9 * HOUR))
                ends = starts + chance.choice((2 * HOUR, 20 * HOUR, 3 * DAY))
                what: dict[str, Any] = {
                    "campaign": chance.choice(("c1", "c2")),
                    "stage": chance.choice(("warmup", "burst", "encore")),
                }
                said = [e for e in history if isinstance(e, events.CampaignStage)]
                if (*what.values(), starts) not in [(e.campaign, e.stage, e.starts_at) for e in said]:
                    history.append(events.CampaignStage(**about, **what, starts_at=starts, ends_at=ends))
            case 1 | 2:
                history.append(events.Favorited(**who, sku=sku))
            case 3:
                history.append(events.Unfavorited(**who, sku=sku))
            case 4:
                history.append(events.CartItemAdded(**who, sku=sku, quantity=1, price=1))
            case 5:
                history.append(events.CartCleared(**who))
            case 6:
                lines = (events.Line(sku=sku, quantity=1),)
                history.append(events.OrderPlaced(**who, order_id=f"{order}-{number}", lines=lines, total=1))
            case kind:
                orders = [e.order_id for e in history if isinstance(e, events.OrderPlaced)]
                mine = [each for each in orders if who["user_id"] in each]
                if mine:
                    done = events.OrderPaid if kind == 7 else events.OrderCancelled
                    history.append(done(**who, order_id=chance.choice(mine)))
    return history


class Open(NamedTuple):
    """A stage that a user has heard of, as of when."""

    stage: events.CampaignStage
    at: int

    @property
    def due(self) -> int:
        return max(self.at, self.stage.starts_at)


class Oracle:
    """Of one user, whose events come one by one; everything else is asked of the list of them."""

    def __init__(self, user: str, bought_within: int) -> None:
        self.user, self.bought_within = user, bought_within
        self.came: list[Any] = []
        self.calls: list[events.CampaignStage] = []
        self.heard: list[Open] = []
        self.begun: set[str] = set()
        self.done: set[str] = set()
        self.listed = False
        self.found: list[Told] = []

    def run(self, arrivals: Sequence[Arrival]) -> list[Told]:
        known = set()
        for at, event in arrivals:
            self.time(at)
            if event.event_id not in known:
                known.add(event.event_id)
                self.take(event)
        self.time(1 << 60)
        return self.found

    def time(self, before: int) -> None:
        """Stages that begin earlier than that."""
        while True:
            waiting = [h.due for h in self.heard if h.stage.event_id not in self.begun and h.due < before]
            if not waiting:
                return
            now = min(waiting)
            self.begun |= {h.stage.event_id for h in self.heard if h.due <= now}
            self.ask(now)

    def take(self, event: Any) -> None:
        if isinstance(event, events.CampaignStage):
            if event.stage in STEP and event.ends_at > event.ts:
                self.calls.append(event)
                self.listed = self.listed and self.is_interested()
                if self.listed:
                    self.hear(event, event.ts)
        elif event.user_id == self.user:
            self.came.append(event)
            if isinstance(event, ASKS):
                self.begun |= {h.stage.event_id for h in self.heard if h.due < event.ts}
                self.ask(event.ts)
            if (
                isinstance(event, ASKS[:3])
                and not self.listed
                and self.is_interested()
                and self.is_news(event)
            ):
                self.listed = True
                for call in self.calls:
                    self.hear(call, max(call.ts, event.ts))

    def hear(self, call: events.CampaignStage, at: int) -> None:
        if call.ends_at > at and all(h.stage is not call for h in self.heard):
            self.heard.append(Open(call, at))
            self.begun |= {h.stage.event_id for h in self.heard if h.due < at or h.due <= h.at}
            self.ask(at)

    def ask(self, now: int) -> None:
        for opened in self.heard:
            stage = opened.stage
            if stage.event_id in self.done or stage.event_id not in self.begun or now >= stage.ends_at:
                continue
            skus = self.skus_for(stage)
            if skus:
                self.done.add(stage.event_id)
                anchor = f"{stage.campaign}:{stage.stage}:{stage.starts_at}"
                due = max(now, opened.due)
                self.found.append(Told(self.user, STEP[stage.stage], anchor, due, tuple(sorted(skus))))

    def skus_for(self, stage: events.CampaignStage) -> set[str]:
        marked = {sku for sku in (*self.favourites(), *self.cart()) if sku in MINE}
        if stage.stage == "warmup":
            return marked
        earlier = [
            h.stage.starts_at
            for h in self.heard
            if h.stage.campaign == stage.campaign and h.stage.starts_at < stage.starts_at
        ]
        since = min(earlier, default=stage.starts_at - self.bought_within)
        paid = {e.order_id for e in self.came if isinstance(e, events.OrderPaid)}
        cancelled = {e.order_id for e in self.came if isinstance(e, events.OrderCancelled)}
        placed = [
            e
            for e in self.came
            if isinstance(e, events.OrderPlaced) and e.ts >= since and e.order_id not in cancelled
            and e.lines[0].sku in MINE
        ]  # fmt: skip
        bought = {e.lines[0].sku for e in placed if e.order_id in paid}
        return bought or (set() if placed else marked)

    def favourites(self) -> set[str]:
        return {sku for sku in SKUS if self.last(sku, events.Favorited) > self.last(sku, events.Unfavorited)}

    def cart(self) -> set[str]:
        cleared = max((e.ts for e in self.came if isinstance(e, events.CartCleared)), default=-1)
        ordered = {
            sku: max(
                (e.ts for e in self.came if isinstance(e, events.OrderPlaced) and e.lines[0].sku == sku),
                default=-1,
            )
            for sku in SKUS
        }
        return {sku for sku in SKUS if self.last(sku, events.CartItemAdded) > max(cleared, ordered[sku])}

    def last(self, sku: str, kind: type[Any]) -> int:
        return max((e.ts for e in self.came if isinstance(e, kind) and e.sku == sku), default=-1)

    def is_interested(self) -> bool:
        return bool(self.favourites() or self.cart() or any(isinstance(e, ASKS[2:]) for e in self.came))

    def is_news(self, event: Any) -> bool:
        """A mark that was taken back before it came is none."""
        return not isinstance(event, events.Favorited) or event.ts > self.last(event.sku, events.Unfavorited)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from((HOUR, DAY)))
def test_a_stage_is_told_once_to_whom_it_is_meant_for_and_with_what_they_marked_or_bought(
    seed: int, scatter: bool, bought_within: int
) -> None:
    chance = Random(seed)
    history = history_of(chance, 60)
    arrivals = scattered(chance, history) if scatter else in_order(history)
    expected = [each for user in USERS for each in Oracle(user, bought_within).run(arrivals)]
    chosen = {"skus": ["k1", "k2"]}
    params = {"bought_within": f"{bought_within}ms", "campaigns": {"c1": chosen, "c2": chosen}}
    found = [
        each._replace(skus=tuple(sorted(each.skus))) for each in told("campaign_stage", params, arrivals)
    ]
    assert sorted(found) == sorted(expected)
