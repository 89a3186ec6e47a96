"""What may happen to one user? Random histories over every event kind that the state folds."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import strategies as st

from state import events
from state.calendar import DAY, MINUTE
from state.letters import ReferralPaid, ReferralUndone, Referred

START = 1_780_000_000_000
USER = "u1"

Fields = dict[str, Any]
_STAGES = ("warmup", "burst", "encore")


class Choice:
    """Picks names among `variety` of each sort."""

    def __init__(self, chance: Random, variety: int) -> None:
        self.random = chance
        self._variety = variety

    def name(self, sort: str) -> str:
        return f"{sort}{self.random.randrange(self._variety)}"

    def sku(self) -> Fields:
        return {"sku": self.name("k")}

    def order(self) -> Fields:
        return {"order_id": self.name("o")}


def happening(chance: Random, number: int, ts: int, variety: int = 4) -> Any:
    """One event of a random kind; `variety` SKUs, orders, ... to choose from. Never an erasure."""
    kind, fields = chance.choice(_KINDS)
    about: Fields = {"event_id": f"e{number}", "ts": ts}
    if issubclass(kind, events.UserEvent):
        about["user_id"] = USER
    said = fields(Choice(chance, variety))
    if "lasts" in said:
        about["starts_at"] = ts + said.pop("after")
        about["ends_at"] = about["starts_at"] + said.pop("lasts")
    return kind(**about, **said)


@st.composite
def histories(draw: st.DrawFn, *, at_most: int = 40) -> list[Any]:
    """Events within some days, mostly but not always in order of time; at most as many as the ring remembers."""
    chance = Random(draw(st.integers(0, 2**32)))
    ts, history = START, []
    for number in range(draw(st.integers(0, at_most))):
        ts += chance.choice((0, 1, MINUTE, 10 * MINUTE, DAY, -5 * MINUTE, 20 * DAY))
        history.append(happening(chance, number, max(ts, START)))
    return history


def _nothing(_: Choice) -> Fields:
    return {}


def _lines(c: Choice, *categories: str | None) -> tuple[events.Line, ...]:
    chosen = categories or ("tea", "tea", "baby_formula", "diapers", None)
    return tuple(
        events.Line(sku=c.name("k"), quantity=c.random.choice((1, 1, 2)), category=c.random.choice(chosen))
        for _ in range(2)
    )


def _refund(c: Choice) -> Fields:
    """Some money, all of it, or some of the goods."""
    lines = c.random.choice((None, None, _lines(c, None)))
    return {**c.order(), "amount": c.random.choice((3, 3, 999)), "lines": lines}


def _lot(c: Choice) -> Fields:
    """A lot has one expiry; its id is not used again."""
    expires_in = c.random.choice((40, 150, 400, 1000))
    return {"lot_id": f"{c.name('l')}-{expires_in}", "points": 9, "expires_at": START + expires_in * DAY}


def _time(c: Choice) -> Fields:
    return {
        "after": c.random.choice((-DAY, 0, MINUTE, DAY, 7 * DAY)),
        "lasts": c.random.choice((1, DAY, 20 * DAY)),
    }


def _sign(c: Choice) -> Fields:
    return {"trigger_id": c.name("t"), "channel": c.random.choice((c.name("ch"), "email", "in_app"))}


def _fall(c: Choice) -> Fields:
    price = c.random.choice((2, 3, 4, 5))
    return {
        "price": price,
        "prices": ((START, 9), (START + c.random.randrange(DAY), 6), (START + DAY, price)),
    }


_KINDS: tuple[tuple[type, Callable[[Choice], Fields]], ...] = (
    (
        events.ProductViewed,
        lambda c: {**c.sku(), "category": c.random.choice(("tea", "cups", None)), "price": 5},
    ),
    (events.ProductViewed, lambda c: {**c.sku(), "platform": c.name("p")}),
    (events.CategoryViewed, lambda c: {"category": c.name("c")}),
    (events.SessionStarted, _nothing),
    (events.Searched, lambda c: {"query": c.name("q")}),
    (events.CartItemAdded, lambda c: {**c.sku(), "quantity": c.random.randrange(1, 4), "price": 7}),
    (events.CartItemRemoved, lambda c: {**c.sku(), "quantity": c.random.choice((None, 1))}),
    (events.CartCleared, _nothing),
    (events.Favorited, Choice.sku),
    (events.Unfavorited, Choice.sku),
    (
        events.OrderPlaced,
        lambda c: {
            **c.order(),
            "lines": _lines(c),
            "total": c.random.choice((c.random.randrange(999), 70_000)),
        },
    ),
    (events.OrderPaid, Choice.order),
    (events.OrderCancelled, Choice.order),
    (events.OrderDelivered, Choice.order),
    (events.PointsGranted, _lot),
    (events.PointsSpent, lambda c: {"points": c.random.randrange(1, 7)}),
    (events.RefundIssued, _refund),
    (events.ReturnRequested, lambda c: {**c.order(), "reason": c.random.choice(("size", "colour"))}),
    (events.Registered, _nothing),
    (
        events.ProfileUpdated,
        lambda c: {
            "timezone": "America/New_York",
            "region": c.name("r"),
            "preferred_channels": ("email",),
            "birthday": c.random.choice(("02-29", "1990-12-31", "06-15", "13-45")),
            "child_birthdays": c.random.choice((None, (), ("2020-07-01", "06-15"))),
        },
    ),
    (
        events.ProfileUpdated,
        lambda c: {"timezone": c.name("zone"), "preferred_channels": ("sms",), "region": c.name("r")},
    ),
    (events.WeatherAlert, lambda c: {**_time(c), "region": c.name("r"), "condition": "rain"}),
    (
        events.CampaignStage,
        lambda c: {**_time(c), "campaign": c.name("d"), "stage": c.random.choice(_STAGES)},
    ),
    (events.ConsentChanged, lambda c: {"channel": "sms", "granted": c.random.random() < 0.7}),
    (events.Unsubscribed, lambda c: {"trigger_id": "t", "channel": c.name("ch")}),
    (events.MessageDelivered, _sign),
    (events.MessageOpened, _sign),
    (events.MessageClicked, _sign),
    (events.MessageBounced, _sign),
    (Referred, lambda c: {"referrer": c.name("r")}),
    (ReferralPaid, lambda c: {"referee_id": c.name("f")}),
    (ReferralUndone, lambda c: {"referee_id": c.name("f")}),
    (events.StoreFollowed, _nothing),
    (events.StoreUnfollowed, _nothing),
    (events.CheckedIn, _nothing),
    (events.ContentShared, lambda c: {"target": c.name("t"), "likes": c.random.choice((None, 9, 10, 60))}),
    (events.ComplaintOpened, lambda c: {"id": c.name("c"), "topic": "late"}),
    (events.ComplaintClosed, lambda c: {"id": c.name("c")}),
    (events.ReviewPosted, lambda c: {**c.sku(), "rating": c.random.randrange(6)}),
    (events.StockEdge, lambda c: {**c.sku(), "edge": c.random.choice(("low", "back")), "available": 2}),
    (events.PriceEdge, lambda c: {**c.sku(), **_fall(c)}),
)
