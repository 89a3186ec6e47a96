"""Whose complaint has waited too long, and who was so disappointed that somebody should get in touch?

A complaint that is still open `delay` after it was opened, and at once a review of `low_rating` or less: a task for
customer service. Opened again after it was closed, a complaint is a new one; opened twice, it has waited since the
first time. The case of a review has the id of its event, and is closed by that. Meanwhile the stop list of the policy
lets no marketing through (triggers/policy/stop_list.py).
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from state import events
from state.calendar import Duration, in_words
from state.contact import Sent
from state.folding import FoldParams
from state.service import Complaint
from state.user import User
from triggers.trigger import Asked, Candidate, Reason, Rule, RuleParams

NAME = "complaint_care"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`delay` after a complaint was opened; a review of `low_rating` or less, of five."""

    delay: Duration
    low_rating: Annotated[int, Meta(ge=0, le=5)]


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    return _low_review(asked, params) or _waiting(asked, params)


def _waiting(asked: Asked, params: Params) -> Candidate | None:
    due = wake_at(asked.user, params, asked.fold)
    if due is None or not asked.passed(due):
        return None
    complaint_id, complaint = min(_untold(asked.user), key=lambda pair: (pair[1].first.at, pair[0]))
    first = complaint.first
    complaint.told = first.event_id
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=asked.user.user_id,
        step=1,
        anchor=first.event_id,
        at=due,
        reason=f"complaint open for {in_words(params.delay)}",
        fields=_case("complaint", complaint_id, topic=first.topic),
        offer=params.offer,
    )


def _low_review(asked: Asked, params: Params) -> Candidate | None:
    user, review = asked.user, asked.event
    if asked.late or not isinstance(review, events.ReviewPosted) or review.rating > params.low_rating:
        return None
    known = review.event_id in user.service.reviews or user.service.was_closed(review.event_id, review.ts)
    if known:
        return None
    user.service.note_review(review.event_id, review.ts)
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=review.event_id,
        at=review.ts,
        reason=f"review with rating {review.rating}",
        skus=(review.sku,),
        fields=_case("review", review.event_id, rating=review.rating, sku=review.sku),
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    return min((complaint.first.at + params.delay for _, complaint in _untold(user)), default=None)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    service, case_id = asked.user.service, candidate.fields["complaint_id"]
    complaint = service.complaints.get(case_id)
    is_open = case_id in service.reviews or (complaint is not None and complaint.told == candidate.anchor)
    return None if is_open else Reason.STALE


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """Closed in time after all."""
    closed = user.service.closed.get(event.id)
    return closed is not None and closed.opening == sent.anchor and event.ts <= sent.due


def _untold(user: User) -> list[tuple[str, Complaint]]:
    if user.own_service is None:
        return []
    return [(key, complaint) for key, complaint in user.own_service.complaints.items() if not complaint.told]


def _case(
    kind: str, complaint_id: str, topic: str | None = None, rating: int | None = None, sku: str | None = None
) -> dict[str, Any]:
    return {"kind": kind, "complaint_id": complaint_id, "topic": topic, "rating": rating, "sku": sku}


RULE = Rule(
    name=NAME,
    version=1,
    question="Whose complaint has waited too long, and who was so disappointed that somebody should get in touch?",
    params=Params,
    on=(events.ComplaintOpened, events.ComplaintClosed, events.ReviewPosted),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    refuted_by=(events.ComplaintClosed,),
    refuted=refuted,
    fields={
        "kind": "`complaint` or `review`",
        "complaint_id": "the id to close: the complaint's, or the event id of the review",
        "topic": "of the complaint, its first 128 characters; else null",
        "rating": "of the review, else null",
        "sku": "that was reviewed, else null",
    },
)
