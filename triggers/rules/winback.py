"""Which lost customer is worth another try, by stronger and stronger means?

Steps are due `after` the last counted order, each on channels and with an offer of its own. The episode
opens at step 1's due time whatever visits came before it: it is the purchase that is missing. From then
on an order or a visit is the answer we hoped for, and the remaining steps are not made.
"""

from __future__ import annotations

from typing import Any, get_args

from state import events
from state.calendar import Duration, in_words
from state.contact import Sent
from state.folding import FoldParams
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import last_order, so, time_is, when

NAME = "winback"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`after` the last order, ascending, a step each; `step_channels` and `step_offers` in the same order.

    A step beyond those lists uses `channels` and `offer`.
    """

    after: tuple[Duration, ...]
    step_channels: tuple[tuple[str, ...], ...]
    step_offers: tuple[str | None, ...]


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user = asked.user
    due, anchor = wake_at(user, params, asked.fold), user.orders.last_counted
    if due is None or anchor is None or not asked.passed(due):
        return None
    done = user.contact.step_of(NAME, anchor)
    offers = params.step_offers
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=done + 1,
        anchor=anchor,
        at=due,
        reason=f"no order for {in_words(params.after[done])}",
        fields={"last_step": done + 1 == len(params.after)},
        offer=offers[done] if done < len(offers) else params.offer,
        channels=params.step_channels[done] if done < len(params.step_channels) else (),
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    anchor, last_order_at = user.orders.last_counted, user.rfm.last_order_at
    if anchor is None or last_order_at is None:
        return None
    done = user.contact.step_of(NAME, anchor)
    if done >= len(params.after) or (done > 0 and _answered(user, params)):
        return None
    return last_order_at + params.after[done]


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    user = asked.user
    answered = user.orders.last_counted != candidate.anchor or _answered(user, params)
    return Reason.STALE if answered else None


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """An order that counts came in between, or a visit since the first step."""
    if sent.step > len(params.after) or event.ts > sent.due:
        return False
    ordered_at = sent.due - params.after[sent.step - 1]
    is_visit = not isinstance(event, events.OrderPaid)
    if sent.step > 1 and is_visit and event.ts > ordered_at + params.after[0]:
        return True
    order = user.orders.by_id.get(getattr(event, "order_id", ""))
    if order is None or order.counted_at is None or order.cancelled_at is not None:
        return False
    return ordered_at < order.counted_at <= sent.due


def _answered(user: User, params: Params) -> bool:
    """A visit since the episode opened, whenever we heard of it; placing an order is one."""
    return (user.activity.last_visit_at or 0) > (user.rfm.last_order_at or 0) + params.after[0]


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user = asked.user
    anchor, last_order_at = user.orders.last_counted, user.rfm.last_order_at
    if anchor is None or last_order_at is None:
        return [so(False, f"an order counts: {last_order(user)}")]
    done, steps = user.contact.step_of(NAME, anchor), len(params.after)
    found = [
        so(True, f"an order counts: the last {when(last_order_at)}"),
        so(done < steps, f"of the {steps} steps one is left: {done} told"),
    ]
    if done > 0:
        opened = when(last_order_at + params.after[0])
        found.append(so(not _answered(user, params), f"no visit and no order since step 1 was due, {opened}"))
    if done < steps:
        silence = f"no order for {in_words(params.after[done])}: step {done + 1}"
        found.append(time_is(asked, last_order_at + params.after[done], silence))
    return found


RULE = Rule(
    name=NAME,
    version=1,
    question="Which lost customer is worth another try, by stronger and stronger means?",
    params=Params,
    on=(events.OrderPlaced, events.OrderPaid, events.OrderCancelled),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    swayed_by=get_args(events.Clickstream),
    refuted_by=(*get_args(events.Clickstream), events.OrderPlaced, events.OrderPaid),
    refuted=refuted,
    fields={"last_step": "true when nothing follows if this stays unanswered"},
)
