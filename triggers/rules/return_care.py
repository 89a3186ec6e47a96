"""Who wants to send something back, and what would help her?

Each request is answered at once, by its reason: the wrong size with a size guide, others as configured. Reasons are
compared without regard to case and surrounding space.
"""

from __future__ import annotations

from typing import Any

from state import events
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import needs_event, so

NAME = "return_care"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`actions` by reason, else `default_action` (None: such requests hear nothing)."""

    actions: dict[str, str]
    default_action: str | None


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, event = asked.user, asked.event
    if not isinstance(event, events.ReturnRequested) or user.contact.step_of(NAME, event.event_id) > 0:
        return None
    action = _action(event.reason, params)
    if action is None:
        return None
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=event.event_id,
        at=event.ts,
        reason="return requested",
        skus=tuple(_skus(user, event)),
        fields={"order_id": event.order_id, "return_reason": event.reason, "action": action},
        offer=params.offer,
    )


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    """A request stands: there is no event that takes it back."""
    return None


def _action(reason: str, params: Params) -> str | None:
    wanted = reason.strip().casefold()
    known = (action for name, action in params.actions.items() if name.strip().casefold() == wanted)
    return next(known, params.default_action)


def _skus(user: User, event: Any) -> list[str]:
    """What is to go back: the lines of the request, else all of the order, if it is known."""
    if event.lines:
        return [*dict.fromkeys(line.sku for line in event.lines)]
    order = None if user.own_orders is None else user.own_orders.by_id.get(event.order_id)
    return [] if order is None else [*dict.fromkeys(order.skus)]


def conditions(asked: Asked, params: Params) -> list[Condition]:
    event = asked.event
    asks = needs_event(asked, events.ReturnRequested, "she asks to send something back")
    if not isinstance(event, events.ReturnRequested):
        return [asks]
    return [
        asks,
        so(asked.user.contact.step_of(NAME, event.event_id) == 0, "this request has not been answered"),
        so(_action(event.reason, params) is not None, f"there is an answer to the reason {event.reason!r}"),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who wants to send something back, and what would help her?",
    params=Params,
    on=(events.ReturnRequested,),
    evaluate=evaluate,
    holds=holds,
    conditions=conditions,
    fields={
        "order_id": "the order",
        "return_reason": "as the shop told it",
        "action": "what to do: `size_guide`, or as configured",
    },
)
