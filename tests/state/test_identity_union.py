"""Is the union of two ids what one user would be who had seen it all?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state import events, union
from state.activity import KEPT_DAYS, KEPT_HOURS
from state.calendar import DAY
from state.contact import PENDING_LIMIT, PROFILE, SENT_LIMIT, Consent, Pending, Sent
from state.fold import apply
from state.identity import ALIASES_LIMIT
from state.interest import interests
from state.letters import ReferralUndone
from state.points import Lot
from state.rfm import WINDOWS_DAYS
from state.user import SEEN_BYTES, User, pack, unpack
from tests.state.history import START, happening
from tests.state.test_fold import _limits
from tests.triggers.shop import FOLD

IDS = ["u1", "u2", "u3"]
GAPS = (1, 60_000, 3_600_000, 86_400_000, 20 * 86_400_000, 100 * 86_400_000)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Events of several ids in the order of time, no two at once; an order is placed once."""
    chance = Random(draw(st.integers(0, 2**32)))
    ts, placed = START, set()
    history: list[tuple[str, Any]] = []
    for number in range(draw(st.integers(0, 60))):
        ts += chance.choice(GAPS)
        event = happening(chance, number, ts)
        if isinstance(event, events.OrderPlaced):
            if event.order_id in placed:
                continue
            placed.add(event.order_id)
            # In two orders of two ids a SKU has the same category: which one came last nobody could tell.
            lines = tuple(replace(line, category=f"c{line.sku}") for line in event.lines)
            event = replace(event, lines=lines)
        if isinstance(event, events.CartItemRemoved):
            event = replace(event, quantity=None)  # how many of another id's pieces go cannot be told later
        if isinstance(event, events.ProfileUpdated):
            event = replace(event, timezone="UTC")  # a check-in is dated by the zone that its own id has told
        if not isinstance(event, events.ItemEdge | ReferralUndone):  # it goes to the id that was paid
            history.append((chance.choice(IDS), event))
    return history


def folded(user_id: str, history: list[Any]) -> User:
    user = User.new(user_id)
    for event in history:
        apply(user, event, FOLD)
    return user


def united(history: list[tuple[str, Any]], order: list[str]) -> User:
    """Each id's own state, packed as it travels, taken in one after the other by the last one."""
    users = {each: folded(each, [event for who, event in history if who == each]) for each in IDS}
    *others, living = order
    for other in others:
        union.unite(users[living], unpack(pack(users[other])), FOLD)
    return users[living]


def facts(user: User) -> dict[str, Any]:
    """All that does not depend on the order of things."""
    orders = {
        order_id: replace(order, cared=False, paired=0)  # what rules have said goes by when they were asked
        if order.cancelled_at is None
        else replace(order, cared=False, paired=0, refunds={}, counted_at=None)
        for order_id, order in user.orders.by_id.items()
    }
    bought = [
        {key: replace(each, told=-1) for key, each in shelf.items()}
        for shelf in (user.purchases.skus, user.purchases.categories)
    ]
    rfm, activity, cart, contact = user.rfm, user.activity, user.cart, user.contact
    return {
        "seen": (user.first_seen_at, user.last_seen_at, user.registered_at, user.registered_event),
        "rfm": (rfm.orders, rfm.net_amount, rfm.first_order_at, rfm.last_order_at),
        "by_day": [rfm.window(user.last_seen_at or 0, width, FOLD.days) for width in WINDOWS_DAYS],
        "counted": (user.orders.first_counted, user.orders.last_counted),
        "orders": orders,
        "days": _recent(activity.by_day, KEPT_DAYS),
        "hours": _recent(activity.by_hour, KEPT_HOURS),
        "last_visit_at": activity.last_visit_at,
        "viewed": {sku: (viewed.at, viewed.times, viewed.price) for sku, viewed in activity.viewed.items()},
        "interests": (activity.categories, activity.seen_on),
        "cart": {sku: (line.added_at, line.price) for sku, line in cart.lines.items()},
        "gone": (cart.gone, cart.cleared_at),
        "lots": {name: (lot.points, lot.expires_at, lot.granted_at) for name, lot in _lots(user).items()},
        "favourites": (user.favourites.skus, user.favourites.gone, user.favourites.waiting.keys()),
        "consent": contact.consent,
        "bought": bought,
        "ties": (user.ties.referrer, user.ties.referred_at, user.ties.referees),
        "visits": (activity.sessions, activity.visits),
        "community": (user.community.followed_at, user.community.last_day, user.community.shares),
        "checked_in": user.community.checked_in,
        "complaints": user.service.complaints,
        "closed": {complaint_id: closed.at for complaint_id, closed in user.service.closed.items()},
        "profile": [getattr(contact, name) for name in PROFILE] + [contact.profile_at, contact.said_at],
        "scenes": (user.scenes.alerts, user.scenes.stages),
        "replies": (user.replies.channels, user.replies.early),
    }


def _lots(user: User) -> dict[str, Lot]:
    points = None if user.own_membership is None else user.own_membership.own_points
    return {} if points is None else points.lots


def _fresh(user: User) -> dict[str, int]:
    viewed, looked = user.activity.viewed, user.browsing.categories
    return {sku: look.fresh for sku, look in viewed.items()} | {c: look.fresh for c, look in looked.items()}


def _recent(counts: dict[int, int], kept: int) -> dict[int, int]:
    """Older ones leave when a newer one comes and there are many."""
    return {slot: count for slot, count in counts.items() if slot > max(counts) - kept}


@given(histories(), st.permutations(IDS))
def test_it_is_what_one_user_would_be_who_had_seen_it_all(
    history: list[tuple[str, Any]], order: list[str]
) -> None:
    one = folded("one", [event for _, event in history])
    assert facts(united(history, order)) == facts(one)


@given(histories(), st.permutations(IDS))
def test_without_removals_the_quantities_add_up_too(history: list[tuple[str, Any]], order: list[str]) -> None:
    takes = (events.CartItemRemoved, events.CartCleared, events.OrderPlaced)
    history = [(who, event) for who, event in history if not isinstance(event, takes)]
    one, both = folded("one", [event for _, event in history]), united(history, order)
    assert {sku: line.quantity for sku, line in both.cart.lines.items()} == {
        sku: line.quantity for sku, line in one.cart.lines.items()
    }
    assert (both.cart.changed_at, both.cart.anchor) == (one.cart.changed_at, one.cart.anchor)
    assert both.activity.visits_since_order == one.activity.visits_since_order
    assert interests(both) == interests(one)


@given(histories(), st.permutations(IDS))
def test_views_of_all_ids_count_and_a_cart_ends_those_of_each(
    history: list[tuple[str, Any]], order: list[str]
) -> None:
    looks = [(who, e) for who, e in history if isinstance(e, events.ProductViewed | events.CategoryViewed)]
    one, both = folded("one", [event for _, event in looks]), united(looks, order)
    assert _fresh(both) == _fresh(one)

    last = max((event.ts for _, event in looks), default=START)
    about: Any = {"quantity": 1, "price": 1, "user_id": "u1"}
    carted = [events.CartItemAdded(event_id=f"c{n}", ts=last + n, sku=f"k{n}", **about) for n in range(4)]
    then = united([*looks, *(("u2", event) for event in carted)], order)
    assert not any(look.fresh for _, look in then.activity.viewed.items())


def test_a_favourite_of_both_ids_waits_if_neither_was_reminded_and_from_the_first_mark_on() -> None:
    own, other = User.new("own"), User.new("other")
    for user, marks in ((own, {"a": 1, "b": 1, "c": 1}), (other, {"a": 5, "b": 5, "c": 5})):
        for sku, ts in marks.items():
            user.favourites.add(ts, sku, 10 * ts)
    del own.favourites.waiting["b"]  # reminded
    other.favourites.gone["c"] = 3
    union.unite(own, other, FOLD)
    assert own.favourites.waiting == {"a": 1, "c": 5}
    assert own.favourites.prices == {"a": 50, "b": 50, "c": 50}


@given(st.integers(0, 2**32))
def test_no_collection_outgrows_its_limit(seed: int) -> None:
    chance = Random(seed)
    users = [User.new(each) for each in IDS]
    for number in range(1500):
        event = happening(chance, number, START + number * 6 * 3_600_000, variety=400)
        apply(users[number % 3], event, FOLD)
    union.unite(users[1], users[2], FOLD)
    union.unite(users[0], users[1], FOLD)
    assert {name for name, (size, limit) in _limits(users[0]).items() if size > limit} == set()
    assert len(users[0].seen) == SEEN_BYTES


def test_what_was_sent_to_either_was_sent_and_no_cap_starts_again() -> None:
    own, other = User.new("own"), User.new("other")
    for number in range(SENT_LIMIT):
        own.contact.note_sent(Sent(f"own{number}", "r", 1, "sms", 10 * number, number % 2 == 0))
        other.contact.note_sent(Sent(f"other{number}", "r", 1, "sms", 10 * number + 5, number % 2 == 0))
    other.contact.remember("r", "anchor", 2, 7)
    own.contact.remember("r", "anchor", 1, 6)
    union.unite(own, other, FOLD)
    counted = [sent.id for sent in own.contact.sent if sent.counts]
    assert counted == [f"{whose}{number}" for number in range(0, SENT_LIMIT, 2) for whose in ("own", "other")]
    assert own.contact.step_of("r", "anchor") == 2


def test_a_decision_on_a_channel_wins_over_silence_and_the_later_one_over_the_earlier() -> None:
    own, other = User.new("own"), User.new("other")
    own.contact.consent = {"sms": Consent(True, 5), "app_push": Consent(True, 5), "email": Consent(False, 9)}
    other.contact.consent = {
        "sms": Consent(False, 6), "app_push": Consent(False, 5), "email": Consent(True, 8), "call": Consent(False, 1),
    }  # fmt: skip
    union.unite(own, other, FOLD)
    assert {channel: said.granted for channel, said in own.contact.consent.items()} == {
        "sms": False,
        "app_push": False,
        "email": False,
        "call": False,
    }


def _waiting(number: int, until: int) -> Pending:
    return Pending("r", 1, f"a{number}", 0, until, 1, [], {}, "", None, None, [])


def test_what_waits_for_either_waits_and_what_has_no_room_is_named() -> None:
    own, other = User.new("own"), User.new("other")
    own.contact.pending = [_waiting(number, 100 + number) for number in range(PENDING_LIMIT)]
    other.contact.pending = [_waiting(0, 100), _waiting(77, 50), _waiting(78, 51)]
    own.wakes["cart"], other.wakes["cart"], other.wakes["churn"] = 7, 5, 9
    dropped = union.unite(own, other, FOLD)
    assert [p.anchor for p in own.pending] == ["a77", "a78", *(f"a{number}" for number in range(14))]
    assert [p.anchor for p in dropped] == ["a14", "a15"]
    assert own.wakes == {"cart": 5, "churn": 9}


def test_an_alias_says_only_where_to_go_on_and_what_it_has_seen() -> None:
    user = folded("u1", [happening(Random(number), number, START + number) for number in range(40)])
    expected = User.new("u1")
    expected.seen = user.seen
    expected.ties.alias_of, expected.ties.links = "u2", 1
    union.become_alias(user, "u2")
    assert user == expected
    assert len(pack(user)) < 600


def test_the_last_aliases_are_known_and_never_the_user_itself() -> None:
    user = User.new("u1")
    for number in range(ALIASES_LIMIT + 5):
        union.unite(user, User.new(f"a{number}"), FOLD)
    union.unite(user, User.new("u1"), FOLD)
    assert user.ties.aliases == [f"a{number}" for number in range(5, ALIASES_LIMIT + 5)]


def ordered(user_id: str, *days: int) -> User:
    """Orders placed and paid so many days after START."""
    history: list[Any] = []
    for day in days:
        about: Any = {"ts": START + day * DAY, "order_id": f"{user_id}-{day}"}
        lines = (events.Line(sku="k1", quantity=1),)
        history.append(events.OrderPlaced(event_id=f"placed-{day}", lines=lines, total=5, **about))
        history.append(events.OrderPaid(event_id=f"paid-{day}", **about))
    return folded(user_id, history)


def test_an_order_of_the_other_id_ends_declining() -> None:
    own, other = ordered("own", 0), ordered("other", 50)
    own.lifecycle.stage, own.lifecycle.since = "declining", START + 40 * DAY
    union.unite(own, other, FOLD)
    assert len(own.lifecycle.recovery_days) >= FOLD.lifecycle.recover_visit_days


def test_who_returned_is_seen_from_the_orders_of_both() -> None:
    later, earlier = ordered("own", 200), ordered("other", 10, 60)
    assert (later.lifecycle.returned_at, earlier.lifecycle.returned_at) == (None, None)
    union.unite(later, earlier, FOLD)
    assert later.lifecycle.returned_at == START + 200 * DAY

    gone, filler = ordered("own", 0, 120), ordered("other", 60)
    assert gone.lifecycle.returned_at == START + 120 * DAY
    union.unite(gone, filler, FOLD)
    assert gone.lifecycle.returned_at is None
