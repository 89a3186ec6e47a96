"""What would the core decide for a small shop? Events in time order, wake-ups between them, facts, claims.

The pure half of the flow: no engine, store or broker. An event may `arrive` later than it happened; it is
late when it happened more than `lateness` before the latest arrival.
"""

from __future__ import annotations

from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import replace

from state import events, values
from state.audience import INTERESTED, delist, listed
from state.calendar import Days, Duration
from state.folding import Applied, FoldParams
from state.items import Item, apply_item
from state.lifecycle import LifecycleParams, OwnCycle
from state.predict import PredictParams
from state.segments import QuintileParams, SegmentParams
from state.tags import TagParams
from state.tiers import MembershipParams, Tier
from state.union import become_alias, unite
from state.user import User, pack, unpack
from triggers.decide import on_event, on_union, wake
from triggers.plan import Plan
from triggers.trigger import Claim, Decision

FOREVER = values.LAST_TS
_ITEM_EVENTS = (events.StockChanged, events.PriceChanged)
_CALLS = get_args(events.Context)


def days(count: float) -> Duration:
    return Duration.parse(f"{count}d")


class Usual(Struct, frozen=True):
    """Cycles of things as replenishment has them in its parameters."""

    cycles: dict[str, Duration] = {}
    shrink: float = 2
    min_purchases: int = 3


PREDICT = PredictParams(
    file=None,
    model="none",
    r=None,
    alpha=None,
    a=None,
    b=None,
    spend=None,
    churn=None,
    cycles={},
    fitted={},
    next_order_within=days(364),
    margin=1,
    discount=0,
)
FOLD = FoldParams(
    count_on="paid",
    days=Days("UTC"),
    lifecycle=LifecycleParams(
        by="thresholds",
        own_cycle=OwnCycle(typical_gap=days(60), weight=2, declining=1, dormant=2, churned=4),
        new_for=days(30),
        active_every=days(30),
        mature_orders=5,
        declining_after=days(30),
        dormant_after=days(90),
        churned_after=days(90),
        returned_for=days(30),
        recover_visit_days=2,
    ),
    membership=MembershipParams(
        tiers=(
            Tier(name="regular", spend=0, orders=0, benefits=()),
            Tier(name="silver", spend=1000, orders=2, benefits=("member_price",)),
            Tier(name="gold", spend=5000, orders=3, benefits=("member_price", "free_shipping")),
            Tier(name="diamond", spend=20_000, orders=4, benefits=("personal_service",)),
        ),
        keep_for=days(30),
    ),
    segments=SegmentParams(
        by="thresholds",
        recency_within=days(30),
        frequency_window=days(90),
        frequency_orders=3,
        monetary_window=days(365),
        monetary_spend=1000,
        good_score=4,
        cuts=None,
        quintiles=QuintileParams(
            publish_every=days(1),
            look_every=days(1),
            bought_within=days(365),
            least_buyers=5,
            money_error=0.01,
            keep_margin=0.05,
        ),
    ),
    predict=PREDICT,
    tags=TagParams(price_bands={"low": 0, "middle": 1000, "high": 5000}, churn_risk={"low": 0, "high": 0.8}),
    cycles=Usual(),
    habits=("email", "sms"),
    habit_within=days(90),
)


class Shop:
    """Users are packed and unpacked between any two steps, as the ledger would.

    `eager`: every timer fires before what arrives later, as if all inputs were caught up. Else a timer fires
    when `advance` is called, or when the user's next event decides.
    """

    def __init__(self, plan: Plan, *, lateness: int = 0, eager: bool = True) -> None:
        self._plan = plan
        self._lateness = lateness
        self._eager = eager
        self._clock = -1
        self._blobs: dict[str, bytes] = {}
        self._due: dict[str, int] = {}
        self._items: dict[str, Item] = {}
        self._watchers: dict[str, dict[str, None]] = {}
        self._claims: dict[str, set[str]] = {}
        self._audiences: dict[str, set[str]] = {}
        self._calls: dict[str, Any] = {}  # by event id; said for good
        self.decisions: list[Decision] = []

    def user(self, user_id: str) -> User:
        blob = self._blobs.get(user_id)
        return User.new(user_id) if blob is None else unpack(blob)

    def replan(self, plan: Plan) -> None:
        """A restart with other settings."""
        self._plan = plan

    def take(self, event: Any, arrives: int) -> None:
        """Apply one event that arrives now."""
        if self._eager:
            self.advance(arrives)
        self._clock = max(self._clock, arrives)
        if isinstance(event, _ITEM_EVENTS):
            item = self._items.setdefault(event.sku, Item())
            event = apply_item(
                item, event, self._plan.low_threshold, tell_falls=self._plan.min_drop is not None
            )
        if event is None:
            return
        if isinstance(event, events.ItemEdge):
            for user_id in self._watchers.get(event.sku, ()):
                self._tell(user_id, event, late=self._is_late(event.ts))
        elif isinstance(event, events.Letter):
            self._tell(event.to, event.content, late=event.late)
        elif isinstance(event, _CALLS):
            self._call(event)
        else:
            self._take_of_user(event)

    def _take_of_user(self, event: Any) -> None:
        applied_to = event.user_id or event.anonymous_id
        before = listed(self.user(applied_to))
        applied = self._tell(applied_to, event, late=self._is_late(event.ts))
        if applied.watches is not None:
            self._watchers.setdefault(applied.watches, {})[applied_to] = None
        for left in (*applied.leaves, *(before if isinstance(event, events.EraseRequested) else ())):
            self._audiences[left].discard(applied_to)
        for audience in applied.joins:
            self._audiences.setdefault(audience, set()).add(applied_to)
            for call in () if self._is_late(event.ts) else (*self._calls.values(),):
                if audience in self._plan.audiences(call):
                    self._reach(applied_to, replace(call, ts=max(call.ts, event.ts)))

    def link(self, gone: str, living: str, at: int) -> None:
        """Two ids turn out to be one person: what `gone` is goes to `living`."""
        moved, user = self.user(gone), self.user(living)
        for each in (moved, user):
            while each.due is not None and each.due < at:
                self._wake(each, each.due)
        dropped = unite(user, moved, self._plan.fold)
        on_union(user, dropped, at, self._plan, self._facts, self._claim, self.decisions)
        become_alias(moved, living)
        self._keep(moved)
        self._keep(user)

    def advance(self, until: int) -> None:
        """Fire every timer due before `until`, in order of time, then of user."""
        while self._due:
            due, user_id = min((due, user_id) for user_id, due in self._due.items())
            if due >= until:
                return
            user = self.user(user_id)
            self._wake(user, due)
            self._keep(user)

    def _call(self, call: Any) -> None:
        """Everybody of the audience hears of it at once."""
        if call.event_id in self._calls or self._is_late(max(call.ts, call.starts_at)):
            return
        self._calls[call.event_id] = call
        for audience in self._plan.audiences(call):
            for user_id in sorted(self._audiences.get(audience, ())):
                user = self.user(user_id)
                if audience == INTERESTED and delist(user):
                    self._audiences[audience].discard(user_id)
                    self._keep(user)
                else:
                    self._reach(user_id, call)

    def _reach(self, user_id: str, call: Any) -> None:
        if call.ends_at > call.ts and self._plan.reaches(self.user(user_id), call):
            self._tell(user_id, call, late=False)

    def _is_late(self, ts: int) -> bool:
        return ts < self._clock - self._lateness

    def _wake(self, user: User, due: int) -> None:
        wake(user, due, self._plan, self._facts, self._claim, self.decisions)
        assert user.due is None or user.due > due, "a timer must not fire twice for the same time"

    def _tell(self, user_id: str, event: Any, *, late: bool) -> Applied:
        user = self.user(user_id)
        late_at = max(self._clock, user.decided_at) if late else None
        while user.due is not None and (
            user.due < late_at
            if late_at is not None
            else user.due < event.ts and self._plan.decides(user, event)
        ):
            self._wake(user, user.due)
        applied = on_event(user, event, self._plan, self._facts, self._claim, self.decisions, late_at=late_at)
        self._keep(user)
        return applied

    def _keep(self, user: User) -> None:
        self._blobs[user.user_id] = pack(user)
        if user.due is None:
            self._due.pop(user.user_id, None)
        else:
            self._due[user.user_id] = user.due

    def _facts(self, sku: str) -> Item | None:
        return self._items.get(sku)

    def _claim(self, claim: Claim, claimant: str) -> bool:
        places = self._claims.setdefault(claim.key, set())
        if claimant not in places and len(places) < claim.limit:
            places.add(claimant)
        return claimant in places
