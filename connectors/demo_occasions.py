"""Which guests does the demo shop have, so that every rule has something to say on its first day?

The shoppers of demo_shoppers.py live by chance. A guest lives by a script that is about one rule, in the days before
the opening and in the hours after it. All live where it is between nine and ten in the morning as the shop opens, so
that no quiet hours come between.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from connectors.demo_script import Script, Stage
from state.calendar import DAY, HOUR, MINUTE, SECOND
from triggers.rules import cart_abandoned
from triggers.trigger import Candidate

GUESTS_EACH = 3
REGION = "Guestland"
_MORNING = 9
_KNOWN_SINCE = -12 * DAY  # what is said to newcomers must not use up what the frequency cap leaves in a week


class Told(NamedTuple):
    """One event of a guest, `at` ms after the opening; without a guest's name where somebody else tells it."""

    at: int
    kind: str
    fields: dict[str, Any]


class Occasions:
    """Cues `GUESTS_EACH` guests for each rule that the shoppers do not see to."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        opening = datetime.fromtimestamp(stage.opening_ts / 1000, UTC)
        east = (_MORNING - opening.hour + 11) % 24 - 11  # hours; a name of Etc/ says them the other way round
        self._zone = f"Etc/GMT{-east:+d}" if east else "Etc/GMT"
        self._today = (opening + timedelta(hours=east)).date()
        for number in range(1, GUESTS_EACH + 1):
            for name, told in self._stories(number):
                self._cue(f"guest-{name}-{number}", sorted(told, key=lambda each: each.at))
        for each in self._world():
            stage.cue(stage.opening_ts + each.at, self._tell_once(each))

    def _cue(self, guest: str, told: list[Told]) -> None:
        arrives = self._stage.opening_ts + min(told[0].at, _KNOWN_SINCE) - HOUR
        self._stage.cue(arrives, self._live(guest, told))

    def _live(self, guest: str, told: list[Told]) -> Script:
        stage = self._stage
        profile = {"timezone": self._zone, "region": REGION, "preferred_channels": ["app_push"]}
        stage.tell("registered", guest, user_id=guest)
        yield SECOND
        stage.tell("profile_updated", guest, user_id=guest, **profile)
        stage.tell("consent_changed", guest, user_id=guest, channel="app_push", granted=True)
        cart = ""
        for each in told:
            yield max(1, stage.opening_ts + each.at - stage.now)
            of = {"trigger_id": _reminder(guest, cart)} if each.kind.startswith("message_") else {}
            event_id = stage.tell(each.kind, guest, user_id=guest, **each.fields, **of)
            cart = event_id if each.kind == "cart_item_added" else cart

    def _tell_once(self, told: Told) -> Script:
        self._stage.tell(told.kind, str(told.fields.get("sku", "world")), **told.fields)
        yield 1

    def _stories(self, n: int) -> Iterator[tuple[str, list[Told]]]:
        """What guest number `n` of each rule does."""
        late = n * MINUTE
        ids = self._stage.ids
        yield "browsing", [_look(HOUR + late, "guest-vase"), _look(HOUR + 20 * MINUTE + late, "guest-vase")]
        yield "favourite", [Told(HOUR + late - 3 * DAY, "favorited", {"sku": "guest-lamp"})]
        yield "bargain", [_look(10 * MINUTE + late, "guest-coat", 20000)]
        yield "leaving", [*_visits(-2 * DAY, HOUR), Told(HOUR + late, "store_unfollowed", {})]
        complaint = {"id": f"{ids}-{n}", "topic": "delivery"}
        yield "complaint", [Told(HOUR + late - DAY, "complaint_opened", complaint)]
        yield "annoyed", [Told(late - DAY, "complaint_opened", complaint), _into_cart(HOUR + late)]
        unmoved = [told for day in (-40, -30, -20) for told in _left_and_reminded(day * DAY + late)]
        yield "unmoved", [*unmoved, _into_cart(HOUR + late)]
        yield "review", [Told(HOUR + late, "review_posted", {"sku": "guest-vase", "rating": 1})]
        yield "regular", [Told(day * DAY + 40 * MINUTE, "checked_in", {}) for day in range(-6, 1)]
        yield (
            "sharing",
            [Told(share * HOUR + late, "content_shared", {"target": "guest-lamp"}) for share in range(-8, 2)],
        )
        birthday = self._today + timedelta(days=3)
        yield "birthday", [Told(-5 * DAY, "profile_updated", {"birthday": f"1990-{birthday:%m-%d}"})]
        lot = {
            "lot_id": f"{ids}-lot-{n}",
            "points": 500,
            "expires_at": self._stage.opening_ts + 3 * DAY + HOUR + late,
        }
        yield "points", [Told(-60 * DAY, "points_granted", lot)]
        yield "nearly", [*self._order(n, -20 * DAY, 60000), *self._order(n, HOUR + late, 35000)]
        yield "silver", [*self._order(n, -20 * DAY, 60000), *self._order(n, HOUR + late, 60000)]
        earlier = self._order(n, -60 * DAY, 3000)  # a first order would be welcomed, and use up the cap
        care = self._order(n, 90 * MINUTE - 5 * DAY, 3000)
        yield "unpacking", [*earlier, *care, _delivered(3 * HOUR + late - 3 * DAY, care)]
        quick = self._order(n, HOUR + late, 3000)
        yield "quick", [*earlier, *quick, _delivered(5 * HOUR, quick)]
        yield "formula", self._order(n, HOUR + late - 25 * DAY, 4000, "guest-formula", "baby_formula")
        parents = self._order(n, -2 * DAY, 4000, "guest-formula", "baby_formula")
        yield "parents", [*earlier, *parents, _delivered(HOUR + late, parents)]
        small = self._order(n, -2 * DAY, 9000)
        order_id = small[0].fields["order_id"]
        sent_back = {"order_id": order_id, "reason": "size"}
        yield "return", [*small, _delivered(-HOUR, small), Told(HOUR + late, "return_requested", sent_back)]
        referee = f"guest-friend-{n}"
        yield "referrer", [Told(10 * MINUTE, "referral_completed", {"referee_id": referee})]
        yield "friend", self._order(n, HOUR + late, 5000)
        yield (
            "rain",
            [_look(-10 * DAY + each * MINUTE, "guest-umbrella", category="umbrella") for each in range(3)],
        )
        yield "campaign", [Told(-4 * DAY + late, "favorited", {"sku": "guest-coat"})]

    def _order(
        self, n: int, at: int, total: int, sku: str = "guest-gift", category: str = "gifts"
    ) -> list[Told]:
        """Placed, and paid a minute later."""
        order_id = f"order-{self._stage.ids}-guest-{n}-{at}-{total}-{category}"
        line = {"sku": sku, "quantity": 1, "price": total, "category": category}
        placed = {"order_id": order_id, "lines": [line], "total": total}
        return [Told(at, "order_placed", placed), Told(at + MINUTE, "order_paid", {"order_id": order_id})]

    def _world(self) -> list[Told]:
        """What no guest tells: a price that falls, the weather, a campaign."""
        rain = {"region": REGION, "condition": "rain", **self._from(6 * HOUR, 20 * HOUR)}
        sale = {"campaign": "spring_sale"}
        return [
            Told(-DAY, "price_changed", {"sku": "guest-coat", "price": 20000}),
            Told(2 * HOUR, "price_changed", {"sku": "guest-coat", "price": 17000}),
            Told(3 * HOUR, "weather_alert", rain),
            Told(2 * HOUR, "campaign_stage", {**sale, "stage": "warmup", **self._from(2 * HOUR, 4 * HOUR)}),
            Told(5 * HOUR, "campaign_stage", {**sale, "stage": "encore", **self._from(5 * HOUR, 24 * HOUR)}),
        ]

    def _from(self, start: int, end: int) -> dict[str, int]:
        opening = self._stage.opening_ts
        return {"starts_at": opening + start, "ends_at": opening + end}


def _look(at: int, sku: str, price: int = 5000, category: str = "gifts") -> Told:
    return Told(at, "product_viewed", {"sku": sku, "category": category, "price": price})


def _into_cart(at: int) -> Told:
    return Told(at, "cart_item_added", {"sku": "guest-vase", "quantity": 1, "price": 5000})


def _left_and_reminded(at: int) -> list[Told]:
    """A cart that is left; what reminds of it is delivered, and moves nobody."""
    delivered = Told(at + 2 * HOUR, "message_delivered", {"channel": "app_push"})
    return [_into_cart(at), delivered, Told(at + 3 * HOUR, "cart_cleared", {})]


def _reminder(guest: str, cart: str) -> str:
    """The id of the trigger that reminds of the cart for the first time, as the shop's sender was told it."""
    name, version = cart_abandoned.RULE.name, cart_abandoned.RULE.version
    told = Candidate(rule=name, version=version, user_id=guest, step=1, anchor=cart, at=0, reason="")
    return told.id


def _visits(*at: int) -> list[Told]:
    return [Told(each, "session_started", {}) for each in at]


def _delivered(at: int, order: list[Told]) -> Told:
    return Told(at, "order_delivered", {"order_id": order[0].fields["order_id"]})
