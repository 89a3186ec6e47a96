"""Who has just passed a milestone of spending?

A rung of `ladder` is passed by the purchase that lifts the net spend of 30 days to its amount from below, or that comes
to it by itself; of several passed at once the highest is told. So a rung is told again only after the 30-day spend fell
below it, by money given back or by days that left. An order that passed it by itself while that spend stayed below, as
after a refund of another order, holds it for as long as the order stands within the 30 days.
"""

from __future__ import annotations

from itertools import pairwise

from state import events
from state.calendar import DAY
from state.contact import Sent
from state.folding import FoldParams
from state.membership import Passed
from state.orders import Order
from state.user import User
from triggers.spending import cause_of, just_counted, worth
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import last_order, so

NAME = "spend_milestone"
WINDOW_DAYS = 30


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`ladder`: amounts in minor units, ascending."""

    ladder: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.ladder or self.ladder[0] <= 0 or any(low >= high for low, high in pairwise(self.ladder)):
            raise ValueError("ladder: whole amounts above zero in ascending order, at least one")

    def rung(self, amount: int) -> int:
        """The highest rung that an amount reaches; 0 below the first."""
        return max((rung for rung in self.ladder if rung <= amount), default=0)


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, fold = asked.user, asked.fold
    counted = just_counted(asked)
    if counted is None:
        return None
    order_id, order = counted
    anchor = cause_of(order, fold)
    if user.contact.step_of(NAME, anchor) > 0:
        return None
    rung, held = _rungs(asked, order, params)
    if rung <= held:
        return None
    first_day, last_day = _window(asked)
    spend = user.rfm.net_between(first_day, last_day)
    user.membership.passed = Passed(anchor, first_day, last_day, spend < rung)
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=params.ladder.index(rung) + 1,
        anchor=anchor,
        at=order.counted_at or asked.now,
        reason=f"{'order' if spend < rung else '30-day spend'} passed {rung} minor units",
        fields={
            "milestone": rung,
            "next_milestone": next((above for above in params.ladder if above > rung), None),
            "spend_30d": spend,
            "order_id": order_id,
            "order_total": order.total,
        },
        offer=params.offer,
    )


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    """Only money given back takes a milestone away: no day leaves the window while a message waits."""
    user, days = asked.user, asked.fold.days
    first_day = days.of(candidate.at - WINDOW_DAYS * DAY)
    spend = user.rfm.net_between(first_day, days.of(user.decided_at))
    order = user.orders.by_id.get(candidate.fields["order_id"])
    return None if _stands(candidate.fields["milestone"], spend, order) else Reason.STALE


def refuted(
    user: User, event: events.RefundIssued | events.OrderCancelled, sent: Sent, params: Params
) -> bool:
    """Money given back, of which we heard late, had taken the user below already."""
    passed = None if user.own_membership is None else user.own_membership.passed
    if passed is None or passed.anchor != sent.anchor or sent.step > len(params.ladder):
        return False
    spend = user.rfm.net_between(passed.first_day, passed.last_day)
    return not _stands(params.ladder[sent.step - 1], spend, _order_of(user, passed))


def _window(asked: Asked) -> tuple[int, int]:
    now, days = asked.user.decided_at, asked.fold.days
    return days.of(now - WINDOW_DAYS * DAY), days.of(now)


def _rungs(asked: Asked, order: Order, params: Params) -> tuple[int, int]:
    """The rung with this order that has just counted, and the one without it."""
    user, fold, (first_day, last_day) = asked.user, asked.fold, _window(asked)
    spend = user.rfm.net_between(first_day, last_day)
    added = order.total if first_day <= fold.days.of(order.counted_at or 0) <= last_day else 0
    before = max(spend - added, _held_alone(user, first_day, fold))
    return params.rung(max(spend, worth(order))), params.rung(before)


def _held_alone(user: User, first_day: int, fold: FoldParams) -> int:
    """What the order that passed a rung by itself is still worth, within the window."""
    passed = None if user.own_membership is None else user.own_membership.passed
    if passed is None or not passed.alone:
        return 0
    order = _order_of(user, passed)
    return 0 if order is None or fold.days.of(order.counted_at or 0) < first_day else worth(order)


def _order_of(user: User, passed: Passed) -> Order | None:
    """None if the order is no longer remembered."""
    orders = user.orders.by_id.values()
    return next((order for order in orders if passed.anchor in (order.anchor, order.paid_event)), None)


def _stands(rung: int, spend: int, order: Order | None) -> bool:
    return spend >= rung or (order is not None and worth(order) >= rung)


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, counted, (first_day, last_day) = asked.user, just_counted(asked), _window(asked)
    spend = user.rfm.net_between(first_day, last_day)
    counts = so(counted is not None, f"an order counts, just now: {last_order(user)}")
    if counted is None:
        above = next((rung for rung in params.ladder if rung > spend), None)
        goal = "there is none above" if above is None else f"the next is {above}"
        return [
            counts,
            so(False, f"it lifts the net spend of {WINDOW_DAYS} days, {spend}, to a rung: {goal}"),
        ]
    _, order = counted
    rung, held = _rungs(asked, order, params)
    return [
        counts,
        so(
            user.contact.step_of(NAME, cause_of(order, asked.fold)) == 0, "of this order it has not been told"
        ),
        so(
            rung > held,
            f"it passes a rung: {WINDOW_DAYS}-day spend {spend}, order {worth(order)}, before at {held}",
        ),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who has just passed a milestone of spending?",
    params=Params,
    on=(events.OrderPlaced, events.OrderPaid),
    evaluate=evaluate,
    holds=holds,
    conditions=conditions,
    refuted_by=(events.RefundIssued, events.OrderCancelled),
    refuted=refuted,
    fields={
        "milestone": "the rung passed, in minor units",
        "next_milestone": "the one above, null if there is none",
        "spend_30d": "net spend of 30 days then, in minor units",
        "order_id": "the order that passed it",
        "order_total": "its amount in minor units",
    },
)
