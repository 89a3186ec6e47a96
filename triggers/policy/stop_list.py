"""Is something in the way? Who waits for our answer is not sold to, who never answers a rule is spared it."""

from __future__ import annotations

from msgspec import Struct

from state.calendar import Duration
from state.replies import DELIVERED, GHOST, RETRACTED, Replies
from state.service import Service
from triggers.policy.gate import Gate, Proposal
from triggers.trigger import Reason, Suppress


class StopListParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Marketing stops from a complaint, or a low review, until it is closed, or for so long if nobody does.

    `pause_limit` counts from the latest opening of a complaint, `review_pause` from the review. Reviews are those
    that complaint_care has told.

    `unanswered` messages of one rule in a row (0: never) stop that rule for `stopped_for` after its last message. One
    counts that was delivered on one of `answer_channels` and not answered within `answer_within`. Any answer to the
    rule, opened, clicked or an order that names it, however late, begins the count anew.
    """

    pause_limit: Duration
    review_pause: Duration
    unanswered: int
    answer_within: Duration
    answer_channels: tuple[str, ...]
    stopped_for: Duration


def refuse(proposal: Proposal, params: StopListParams) -> Suppress | None:
    if proposal.rule.transactional:
        return None
    user, now = proposal.asked.user, proposal.asked.now
    if user.own_service is not None and _complains(user.own_service, now, params):
        return Suppress(Reason.COMPLAINT_OPEN)
    if (
        user.own_replies is not None
        and params.unanswered
        and is_stopped(user.own_replies, proposal.candidate.rule, now, params)
    ):
        return Suppress(Reason.NON_RESPONDER)
    return None


def _complains(service: Service, now: int, params: StopListParams) -> bool:
    complained = any(now < c.openings[-1].at + params.pause_limit for c in service.complaints.values())
    return complained or any(now < at + params.review_pause for at in service.reviews.values())


def is_stopped(replies: Replies, rule: str, now: int, params: StopListParams) -> bool:
    """Has the user let enough messages of this rule pass?

    Where no delivery is ever told, or no answer can be seen, silence says nothing and nobody is stopped. The patterns
    of the rule `pattern` count as one.
    """
    threads = [thread for thread in replies.threads if thread.rule == rule]
    since = max((thread.answered_at for thread in threads), default=-1)
    silent, last_at = 0, -1
    for thread in threads:
        for told in thread.told:
            if told.at <= since or told.signs & (GHOST | RETRACTED):
                continue
            last_at = max(last_at, told.at)
            silent += (
                told.signs & DELIVERED != 0
                and told.at + params.answer_within <= now
                and thread.channel in params.answer_channels
            )
    return silent >= params.unanswered and now < last_at + params.stopped_for


GATE = Gate(name="stop_list", params=StopListParams, refuse=refuse)
