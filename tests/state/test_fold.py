"""What does each kind of event leave behind, and does any collection grow without bound?"""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import (
    activity,
    browsing,
    cart,
    community,
    contact,
    events,
    favourites,
    identity,
    orders,
    points,
    purchases,
    replies,
    rfm,
    scenes,
    service,
    union,
    user,
    visits,
)
from state.calendar import HOUR
from state.contact import Contact, Sent
from state.fold import apply
from state.interest import interest_in
from state.orders import Orders
from state.user import User, pack, unpack
from state.viewed import RECENT_SKUS_LIMIT
from tests.state.history import START, happening
from tests.triggers.shop import FOLD


def _limits(known: User) -> dict[str, tuple[int, int]]:
    """(how many there are, how many there may be) of everything that grows."""
    seen, said, shelf, bought = known.activity, known.contact, known.cart, known.purchases
    return {
        "seen": (len(known.seen), user.SEEN_BYTES),
        "orders_by_day": (len(known.rfm.orders_by_day), rfm.KEPT_DAYS),
        "by_day": (len(seen.by_day), activity.KEPT_DAYS),
        "by_hour": (len(seen.by_hour), activity.KEPT_HOURS),
        "net_by_day": (len(known.rfm.net_by_day), rfm.KEPT_DAYS),
        "orders": (len(known.orders.by_id), orders.ORDERS_LIMIT),
        "refunds": (max(len(o.refunds) for o in known.orders.by_id.values()), orders.REFUND_DAYS_LIMIT),
        "seen_on": (len(seen.seen_on), activity.PLATFORMS_LIMIT),
        "viewed": (len(seen.viewed), RECENT_SKUS_LIMIT),
        "categories": (len(seen.categories), activity.CATEGORIES_LIMIT),
        "lines": (len(shelf.lines), cart.LINES_LIMIT),
        "gone": (len(shelf.gone), cart.GONE_LIMIT),
        "favourites": (len(known.favourites.skus), favourites.FAVOURITES_LIMIT),
        "unfavoured": (len(known.favourites.gone), favourites.FAVOURITES_LIMIT),
        "waiting": (len(known.favourites.waiting), favourites.FAVOURITES_LIMIT),
        "prices": (len(known.favourites.prices), favourites.FAVOURITES_LIMIT),
        "looked": (len(known.browsing.categories), browsing.CATEGORIES_LIMIT),
        "told": (len(known.browsing.told), browsing.TOLD_LIMIT),
        "consent": (len(said.consent), contact.CHANNELS_LIMIT),
        "bought_skus": (len(bought.skus), purchases.BOUGHT_SKUS_LIMIT),
        "bought_categories": (len(bought.categories), purchases.BOUGHT_CATEGORIES_LIMIT),
        "purchases": (max((len(b.times) for b in bought.skus.values()), default=0), purchases.TIMES_LIMIT),
        "returned": (max(len(o.returned) for o in known.orders.by_id.values()), orders.RETURNED_LIMIT),
        "referees": (len(known.ties.referees), identity.REFEREES_LIMIT),
        "alerts": (len(said.alerts), contact.ALERTS_LIMIT),
        "lots": (len(known.membership.points.lots), points.LOTS_LIMIT),
        "spends": (len(known.membership.points.spends), points.SPENDS_LIMIT),
        "sessions": (len(seen.sessions), visits.VISITS_LIMIT),
        "visits": (len(seen.visits), visits.TIMES_LIMIT),
        "complaints": (len(known.service.complaints), service.OPEN_LIMIT),
        "openings": (
            max((len(c.openings) for c in known.service.complaints.values()), default=0),
            service.OPENINGS_LIMIT,
        ),
        "closed": (len(known.service.closed), service.CLOSED_LIMIT),
        "reviews": (len(known.service.reviews), service.REVIEWS_LIMIT),
        "check-ins": (known.community.checked_in.bit_length(), community.KEPT_DAYS),
        "liked": (len(known.community.liked), 8 * community.LIKED_LIMIT),
        "weather alerts": (len(known.scenes.alerts), scenes.ALERTS_LIMIT),
        "stages": (len(known.scenes.stages), scenes.STAGES_LIMIT),
        "made room": (len(known.scenes.made_room), 8 * scenes.MADE_ROOM_LIMIT),
        "heard from": (len(known.replies.channels), contact.CHANNELS_LIMIT),
        "answers": (
            max((len(r.answers) for r in known.replies.channels.values()), default=0),
            replies.ANSWERS_LIMIT,
        ),
        "early": (len(known.replies.early), replies.EARLY_LIMIT),
    }


@pytest.mark.parametrize("step", [HOUR // 4, 6 * HOUR, -6 * HOUR])
def test_no_collection_outgrows_its_limit(step: int) -> None:
    chance, known = Random(7), User.new("u1")
    filled: set[str] = set()
    for number in range(20_000):
        apply(known, happening(chance, number, START + number * step, variety=400), FOLD)
        if number > 100:
            sizes = _limits(known)
            assert {name for name, (size, limit) in sizes.items() if size > limit} == set()
            filled |= {name for name, (size, limit) in sizes.items() if size == limit}
    assert {"seen", "orders", "viewed", "categories", "favourites", "gone", "consent", "alerts"} <= filled
    assert {"bought_skus", "referees", "heard from", "answers", "early"} <= filled
    assert len(pack(known)) < 32_000


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 99), st.sampled_from(["k1", "k2"])),
        unique_by=lambda change: change[1],
        max_size=12,
    )
)
def test_favourites_are_what_the_latest_word_says_in_any_order(changes: list[tuple[bool, int, str]]) -> None:
    known = User.new("u1")
    for added, ts, sku in changes:
        kind = events.Favorited if added else events.Unfavorited
        apply(known, kind(event_id=f"e{ts}", ts=ts, user_id="u1", sku=sku), FOLD)
    latest = {sku: max((ts, added) for added, ts, s in changes if s == sku) for _, _, sku in changes}
    assert known.favourites.skus == {sku: ts for sku, (ts, added) in latest.items() if added}


@given(
    st.lists(st.tuples(st.integers(0, 99), st.booleans()), unique_by=lambda c: c[0], min_size=1, max_size=9)
)
def test_the_latest_word_on_consent_counts(changes: list[tuple[int, bool]]) -> None:
    known = User.new("u1")
    for ts, granted in changes:
        event = events.ConsentChanged(event_id=f"e{ts}", ts=ts, user_id="u1", channel="sms", granted=granted)
        apply(known, event, FOLD)
    latest = max(changes)
    assert (known.contact.consent["sms"].at, known.contact.consent["sms"].granted) == latest


def test_an_older_profile_does_not_replace_a_newer_one() -> None:
    known = User.new("u1")
    for ts, region in ((5, "north"), (4, "south")):
        apply(known, events.ProfileUpdated(event_id=f"e{ts}", ts=ts, user_id="u1", region=region), FOLD)
    apply(known, events.ProfileUpdated(event_id="e6", ts=6, user_id="u1", birthday="02-29"), FOLD)
    assert (known.contact.region, known.contact.birthday) == ("north", "02-29")


_PROFILES: list[dict[str, Any]] = [
    {"ts": 1, "region": "north", "child_birthdays": ("06-15",), "timezone": "UTC"},
    {"ts": 2, "birthday": "02-29", "preferred_channels": ("sms", "email")},
    {"ts": 3, "region": "south", "child_birthdays": ()},
    {"ts": 4, "locale": "de", "preferred_channels": ()},
]


@pytest.mark.parametrize("order", [*permutations(range(4))])
@pytest.mark.parametrize("split", range(5))
def test_of_each_field_of_a_profile_the_latest_word_counts_also_of_two_ids_and_none_is_a_word(
    order: tuple[int, ...], split: int
) -> None:
    own, other = User.new("u1"), User.new("u2")
    for place, number in enumerate(order):
        said = events.ProfileUpdated(event_id=f"e{number}", user_id="u", **_PROFILES[number])
        apply(own if place < split else other, said, FOLD)
    union.unite(own, unpack(pack(other)), FOLD)
    known = own.contact
    assert (known.region, known.birthday, known.locale, known.timezone) == ("south", "02-29", "de", "UTC")
    assert (known.child_birthdays, known.preferred_channels, known.profile_at) == ([], [], 4)


def test_a_profile_from_before_its_fields_had_times_was_said_at_its_last_update() -> None:
    known = User.new("u1")
    known.contact.region, known.contact.profile_at = "north", 5
    older = events.ProfileUpdated(event_id="e1", ts=4, user_id="u1", region="south", birthday="02-29")
    apply(known, older, FOLD)
    assert (known.contact.region, known.contact.birthday) == ("north", "02-29")


def _care(known: User, interest: str, sku: str) -> None:
    about: dict[str, Any] = {"event_id": f"{interest}-{sku}", "ts": 10, "user_id": "u1", "sku": sku}
    signs: dict[str, events.UserEvent] = {
        "cart": events.CartItemAdded(quantity=1, price=1, **about),
        "favourite": events.Favorited(**about),
        "viewed": events.ProductViewed(**about),
    }
    assert apply(known, signs[interest], FOLD).watches == sku


def test_the_strongest_interest_counts_and_is_watched() -> None:
    known = User.new("u1")
    for kind in reversed(contact.INTERESTS):
        _care(known, kind, "k1")
        assert interest_in(known, "k1") == (kind, 10)
    assert interest_in(known, "k2") is None


def test_a_stock_edge_is_noted_by_those_who_care_and_is_no_sign_of_life() -> None:
    known = User.new("u1")
    _care(known, "favourite", "k1")
    for name, sku, edge, ts in (
        ("a", "k1", "low", 20),
        ("b", "k2", "low", 21),
        ("c", "k1", "back", 22),
        ("d", "k1", "low", 23),
    ):
        told = events.StockEdge(event_id=name, ts=ts, sku=sku, edge=edge, available=2)  # type: ignore[arg-type]
        apply(known, told, FOLD)
    assert [(a.anchor, a.edge, a.interest, a.seen_at) for a in known.contact.alerts] == [
        ("c", "back", "favourite", 10),
        ("d", "low", "favourite", 10),
    ]
    assert known.last_seen_at == 10


def _sent(number: int, *, counts: bool) -> Sent:
    return Sent(f"t{number}", "r", 1, "sms", number, counts)


def test_messages_that_no_cap_counts_make_room_first() -> None:
    said = Contact()
    for number in range(40):
        said.note_sent(_sent(number, counts=number < 2 or number % 4 == 0))
    assert len(said.sent) == contact.SENT_LIMIT
    assert [s.at for s in said.sent if s.counts] == [0, 1, *range(4, 40, 4)]


def test_the_oldest_counted_message_makes_room_among_counted_ones() -> None:
    said = Contact()
    for number in range(contact.SENT_LIMIT + 3):
        said.note_sent(_sent(number, counts=True))
    assert [s.at for s in said.sent] == list(range(3, contact.SENT_LIMIT + 3))


def test_episodes_remember_their_highest_step_and_the_oldest_makes_room() -> None:
    said = Contact()
    said.remember("rule", "a", 2, 5)
    said.remember("rule", "a", 1, 6)
    assert (said.step_of("rule", "a"), said.step_of("rule", "b"), said.step_of("other", "a")) == (2, 0, 0)
    for number in range(contact.EPISODES_LIMIT):
        said.remember("rule", f"later{number}", 1, 7)
    assert len(said.episodes["rule"]) == contact.EPISODES_LIMIT
    assert said.step_of("rule", "a") == 0


def test_orders_that_are_over_make_room_before_older_ones_in_flight() -> None:
    known = Orders()
    for number in range(orders.ORDERS_LIMIT):
        known.get(f"o{number}").placed_at = number
    known.get("o5").delivered_at = 99
    known.get("o7").cancelled_at = 99
    known.get("o9").placed_at = None  # only its payment is known
    for number in range(4):
        known.get(f"new{number}").placed_at = number
    assert set(known.by_id) == {f"o{n}" for n in range(1, 32) if n not in (5, 7, 9)} | {
        f"new{n}" for n in range(4)
    }
