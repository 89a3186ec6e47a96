"""What of tiers, points and milestones no golden case can say: retraction, two ids, other settings, many at once."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from state import events, union
from state.calendar import DAY, HOUR
from state.contact import Sent
from state.fold import apply
from state.user import User, pack, unpack
from tests.triggers.golden import plan_of
from tests.triggers.shop import FOLD, FOREVER, Shop
from triggers.decide import on_union
from triggers.plan import Plan
from triggers.rules import points_expiring, spend_milestone, tier_near
from triggers.trigger import Decision

_LINE = events.Line(sku="k1", quantity=1)


def bought(name: str, ts: int, total: int) -> list[Any]:
    about: dict[str, Any] = {"ts": ts, "user_id": "u1", "order_id": name}
    return [
        events.OrderPlaced(event_id=f"{name}-placed", total=total, lines=(_LINE,), **about),
        events.OrderPaid(event_id=f"{name}-paid", **about),
    ]


def refund(name: str, ts: int, amount: int) -> events.RefundIssued:
    return events.RefundIssued(event_id=f"{name}-{ts}", ts=ts, user_id="u1", order_id=name, amount=amount)


def granted(lot_id: str, ts: int, points: int, expires_at: int) -> events.PointsGranted:
    about: dict[str, Any] = {"event_id": lot_id, "ts": ts, "user_id": "u1", "lot_id": lot_id}
    return events.PointsGranted(points=points, expires_at=expires_at, **about)


def spent(ts: int, points: int) -> events.PointsSpent:
    return events.PointsSpent(event_id=f"spent-{ts}", ts=ts, user_id="u1", points=points)


def shop_of(rules: dict[str, dict[str, Any]], *history: Any) -> Shop:
    shop = Shop(plan_of(rules, None))
    for event in history:
        shop.take(event, event.ts)
    return shop


def sent(decision: Decision) -> Sent:
    about = decision.candidate
    return Sent(about.id, about.rule, about.step, "", decision.at, True, about.anchor, about.at, [])


def knows_too(shop: Shop, *late: Any) -> User:
    user = shop.user("u1")
    for event in late:
        apply(user, event, FOLD)
    return user


def test_a_milestone_is_refuted_by_a_refund_heard_of_late_that_leaves_less() -> None:
    plan = plan_of({"spend_milestone": {"ladder": [500, 1000]}}, None)
    params = plan.armed["spend_milestone"].params
    shop = Shop(plan)
    for event in [*bought("o1", DAY, 400), *bought("o2", 2 * DAY, 300)]:
        shop.take(event, event.ts)
    (told,) = [sent(decision) for decision in shop.decisions]
    little, enough = refund("o1", DAY + HOUR, 200), refund("o1", DAY + HOUR, 201)
    assert not spend_milestone.refuted(knows_too(shop, little), little, told, params)  # type: ignore[arg-type]
    assert spend_milestone.refuted(knows_too(shop, enough), enough, told, params)  # type: ignore[arg-type]
    other = replace(told, anchor="another")
    assert not spend_milestone.refuted(knows_too(shop, enough), enough, other, params)  # type: ignore[arg-type]


def test_a_milestone_that_an_order_passed_by_itself_is_not_refuted_by_a_refund_of_another() -> None:
    plan = plan_of({"spend_milestone": {"ladder": [500]}}, None)
    params = plan.armed["spend_milestone"].params
    shop = Shop(plan)
    for event in [*bought("o1", DAY, 400), *bought("o2", 2 * DAY, 500)]:
        shop.take(event, event.ts)
    (told,) = [sent(decision) for decision in shop.decisions]
    of_other, of_same = refund("o1", DAY + HOUR, 400), refund("o2", 2 * DAY, 1)
    assert not spend_milestone.refuted(knows_too(shop, of_other), of_other, told, params)  # type: ignore[arg-type]
    both = knows_too(shop, of_other, of_same)
    assert spend_milestone.refuted(both, of_same, told, params)  # type: ignore[arg-type]


def test_being_near_a_tier_is_refuted_by_a_purchase_heard_of_late_that_had_brought_it() -> None:
    plan = plan_of({"tier_near": {}}, None)
    params = plan.armed["tier_near"].params
    shop = Shop(plan)
    for event in bought("o1", DAY, 950):
        shop.take(event, event.ts)
    (told,) = [sent(decision) for decision in shop.decisions]
    for total, ts, refuted in ((50, HOUR, True), (49, HOUR, False), (50, DAY, True), (50, DAY + 1, False)):
        placed, paid = bought("o2", ts, total)
        user = knows_too(shop, placed)
        assert not tier_near.refuted(user, placed, told, params)  # type: ignore[arg-type]
        apply(user, paid, FOLD)
        assert tier_near.refuted(user, paid, told, params) is refuted  # type: ignore[arg-type]


def test_a_warning_is_refuted_by_a_spend_heard_of_late_that_had_left_nothing() -> None:
    plan = plan_of({"points_expiring": {}}, None)
    params = plan.armed["points_expiring"].params
    shop = Shop(plan)
    shop.take(granted("l1", 0, 10, 100 * DAY), 0)
    shop.advance(80 * DAY)
    (told,) = [sent(decision) for decision in shop.decisions]
    all_of_it, some_of_it, later = spent(70 * DAY, 10), spent(70 * DAY, 9), spent(70 * DAY + 1, 10)
    for event, refuted in ((all_of_it, True), (some_of_it, False), (later, False)):
        assert points_expiring.refuted(knows_too(shop, event), event, told, params) is refuted  # type: ignore[arg-type]


def test_of_any_number_of_lots_due_at_once_each_is_told_once() -> None:
    shop = Shop(plan_of({"points_expiring": {"before": ["30d"]}}, None))
    for number in range(40):
        shop.take(granted(f"l{number}", number, 1 + number, 100 * DAY), number)
    shop.advance(FOREVER)
    assert [d.candidate.anchor for d in shop.decisions] == [f"l{number}" for number in reversed(range(40))]
    assert {d.candidate.at for d in shop.decisions} == {70 * DAY}
    assert [d.at - 70 * DAY for d in shop.decisions] == [0] * 16 + [1] * 16 + [2] * 8


def united(own: Shop, other: Shop, plan: Plan) -> list[Decision]:
    user, decisions = own.user("u1"), list[Decision]()
    union.unite(user, unpack(pack(other.user("u1"))), FOLD)
    on_union(user, [], user.decided_at, plan, lambda _: None, lambda *_: True, decisions)
    return decisions


def test_two_ids_together_reach_a_tier_that_neither_had() -> None:
    rules: dict[str, dict[str, Any]] = {"tier_changed": {}}
    own, other = shop_of(rules, *bought("o1", DAY, 600)), shop_of(rules, *bought("o2", 2 * DAY, 600))
    (decision,) = united(own, other, plan_of(rules, None))
    assert (decision.candidate.fields["from"], decision.candidate.fields["to"]) == ("regular", "silver")
    assert decision.candidate.anchor == f"silver@{2 * DAY}"


def test_of_two_ids_the_higher_tier_stays_and_nobody_is_told() -> None:
    rules: dict[str, dict[str, Any]] = {"tier_changed": {}}
    high = [*bought("o1", DAY, 600), *bought("o2", DAY, 600)]
    for mine, theirs in ((high, bought("o3", 2 * DAY, 1)), (bought("o3", 2 * DAY, 1), high)):
        own, other = shop_of(rules, *mine), shop_of(rules, *theirs)
        user = own.user("u1")
        assert united(own, other, plan_of(rules, None)) == []
        union.unite(user, other.user("u1"), FOLD)
        assert (user.membership.tier, user.membership.since) == ("silver", DAY)


def test_a_tier_that_the_settings_have_given_up_is_replaced_without_a_word() -> None:
    shop = shop_of({"tier_changed": {}}, *bought("o1", DAY, 600), *bought("o2", DAY, 600))
    tiers = tuple(
        replace(tier, name={"silver": "argent"}.get(tier.name, tier.name)) for tier in FOLD.membership.tiers
    )
    renamed = replace(FOLD, membership=replace(FOLD.membership, tiers=tiers))
    shop.replan(plan_of({"tier_changed": {}}, None, renamed))
    for event in bought("o3", 2 * DAY, 1):
        shop.take(event, event.ts)
    assert len(shop.decisions) == 1
    assert shop.user("u1").membership.tier == "argent"


def test_a_tier_is_known_from_the_first_purchase_on() -> None:
    shop = shop_of({"tier_changed": {}}, bought("o1", DAY, 600)[0])
    assert shop.user("u1").own_membership is None or shop.user("u1").membership.tier is None
    shop = shop_of({"tier_changed": {}}, *bought("o1", DAY, 600))
    assert (shop.user("u1").membership.tier, shop.decisions) == ("regular", [])
