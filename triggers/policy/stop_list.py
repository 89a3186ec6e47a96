"""Is something else due to this user first? Who waits for an answer to a complaint is not sold to."""

from __future__ import annotations

from msgspec import Struct

from state.calendar import Duration
from triggers.policy.gate import Gate, Proposal
from triggers.trigger import Reason, Suppress


class StopListParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Marketing stops from a complaint, or a low review, until it is closed, or for so long if nobody does.

    `pause_limit` counts from the latest opening of a complaint, `review_pause` from the review. Reviews are those
    that complaint_care has told.
    """

    pause_limit: Duration
    review_pause: Duration


def refuse(proposal: Proposal, params: StopListParams) -> Suppress | None:
    service, now = proposal.asked.user.own_service, proposal.asked.now
    if service is None or proposal.rule.transactional:
        return None
    complained = any(now < c.openings[-1].at + params.pause_limit for c in service.complaints.values())
    if complained or any(now < at + params.review_pause for at in service.reviews.values()):
        return Suppress(Reason.COMPLAINT_OPEN)
    return None


GATE = Gate(name="stop_list", params=StopListParams, refuse=refuse)
