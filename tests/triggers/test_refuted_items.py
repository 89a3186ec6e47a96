"""Which late events show that a word about an item should never have been said?"""

from __future__ import annotations

from typing import Any

import pytest

from state import events
from state.calendar import DAY, HOUR
from state.contact import Sent
from state.fold import apply
from state.user import User
from tests.state.history import START, USER
from tests.triggers.golden import plan_of
from tests.triggers.shop import FOLD
from triggers.catalog import RULES

DUE = START + 10 * DAY


def _refutes(rule_name: str, event: Any, sent: Sent, *before: Any) -> bool:
    user = User.new(USER)
    for each in (*before, event):
        apply(user, each, FOLD)
    (rule,) = [rule for rule in RULES if rule.name == rule_name]
    plan = plan_of({rule_name: {}}, None)
    assert type(event) in plan.refuted_by[rule_name]
    assert rule.refuted is not None
    return rule.refuted(user, event, sent, plan.armed[rule_name].params)


def _sent(rule: str, anchor: str, *skus: str) -> Sent:
    return Sent("id", rule, 1, "sms", DUE, True, anchor, DUE, [*skus])


def _ordered(ts: int, sku: str = "k1", category: str | None = None) -> Any:
    line = events.Line(sku=sku, quantity=1, category=category)
    return events.OrderPlaced(
        event_id=f"o{ts}", ts=ts, user_id=USER, order_id=f"o{ts}", lines=(line,), total=1
    )


def _carted(ts: int, sku: str = "k1", category: str | None = None) -> Any:
    about: Any = {"event_id": f"a{ts}", "ts": ts, "user_id": USER, "quantity": 1, "price": 1}
    return events.CartItemAdded(**about, sku=sku, category=category)


def _of_sku(kind: Any, ts: int, **fields: Any) -> Any:
    return kind(event_id=f"{kind.__name__}{ts}", ts=ts, user_id=USER, sku="k1", **fields)


VIEWED = DUE - 2 * HOUR


@pytest.mark.parametrize(
    ("event", "refutes"),
    [
        (_ordered(VIEWED), True),
        (_ordered(DUE), True),
        (_ordered(VIEWED - 1), False),  # she looked again after she had bought it
        (_ordered(DUE, "k2"), False),
        (_carted(VIEWED), True),
        (_carted(VIEWED - 1), True),  # and it is there still
        (_carted(DUE, "k2"), False),
    ],
)
def test_what_was_looked_at_and_then_taken_was_not_abandoned(event: Any, refutes: bool) -> None:
    assert _refutes("browse_abandoned", event, _sent("browse_abandoned", f"sku:k1@{VIEWED}", "k1")) == refutes


def test_what_had_been_in_the_cart_before_and_went_out_was_abandoned() -> None:
    sent = _sent("browse_abandoned", f"sku:k1@{VIEWED}", "k1")
    assert not _refutes(
        "browse_abandoned", _carted(VIEWED - HOUR), sent, _of_sku(events.CartItemRemoved, VIEWED)
    )


@pytest.mark.parametrize(("category", "refutes"), [("tea: green@home", True), ("cups", False), (None, False)])
def test_a_category_was_not_abandoned_if_anything_of_it_was_taken(
    category: str | None, refutes: bool
) -> None:
    sent = _sent("browse_abandoned", f"category:tea: green@home@{VIEWED}")
    assert _refutes("browse_abandoned", _carted(VIEWED + 1, "k9", category), sent) == refutes
    assert _refutes("browse_abandoned", _ordered(VIEWED + 1, "k9", category), sent) == refutes


@pytest.mark.parametrize(
    ("event", "refutes"),
    [
        (_ordered(DUE - 3 * DAY), True),
        (_ordered(DUE - 3 * DAY - 1), False),
        (_ordered(DUE - 1, "k2"), False),
        (_of_sku(events.Unfavorited, DUE), True),
        (_of_sku(events.Unfavorited, DUE - 3 * DAY - 1), False),
    ],
)
def test_a_favourite_that_was_bought_or_removed_was_none_to_remind_of(event: Any, refutes: bool) -> None:
    sent = _sent("favorite_reminder", f"k1:{DUE - 3 * DAY}", "k1")
    assert _refutes("favorite_reminder", event, sent) == refutes


@pytest.mark.parametrize(
    ("event", "seen", "refutes"),
    [
        (_ordered(DUE - DAY), DUE - 2 * DAY, True),
        (_ordered(DUE - DAY), DUE - HOUR, False),  # she looked again before the price fell
        (_ordered(DUE - DAY), DUE + HOUR, True),  # only afterwards
        (_ordered(DUE - DAY, "k2"), DUE - 2 * DAY, False),
    ],
)
def test_a_lower_price_was_no_news_to_one_who_had_bought_it(event: Any, seen: int, refutes: bool) -> None:
    view = _of_sku(events.ProductViewed, seen, price=1000)
    assert _refutes("price_drop", event, _sent("price_drop", "k1:p1", "k1"), view) == refutes
