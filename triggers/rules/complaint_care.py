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
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import listed, so, time_is, when

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
    complaint_id, complaint = min(_untold(asked.user), key=_opened)
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
    if asked.late or not isinstance(review, events.ReviewPosted) or not _is_low(asked, params):
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


def _is_low(asked: Asked, params: Params) -> bool:
    """A low review that was neither told nor closed."""
    service, review = asked.user.service, asked.event
    known = review.event_id in service.reviews or service.was_closed(review.event_id, review.ts)
    return review.rating <= params.low_rating and not known


def _opened(pair: tuple[str, Complaint]) -> tuple[int, str]:
    return pair[1].first.at, pair[0]


def _untold(user: User) -> list[tuple[str, Complaint]]:
    if user.own_service is None:
        return []
    return [(key, complaint) for key, complaint in user.own_service.complaints.items() if not complaint.told]


def _case(
    kind: str, complaint_id: str, topic: str | None = None, rating: int | None = None, sku: str | None = None
) -> dict[str, Any]:
    return {"kind": kind, "complaint_id": complaint_id, "topic": topic, "rating": rating, "sku": sku}


def conditions(asked: Asked, params: Params) -> list[Condition]:
    service, review = asked.user.service, asked.event
    if isinstance(review, events.ReviewPosted) and not asked.late and _is_low(asked, params):
        return [so(True, f"a review of {params.low_rating} stars or fewer is posted: {review.rating}")]
    untold = _untold(asked.user)
    if untold:
        complaint_id, complaint = min(untold, key=_opened)
        first_at = complaint.first.at
        return [
            so(True, f"a complaint is open: {complaint_id}, since {when(first_at)}"),
            time_is(asked, first_at + params.delay, f"it has been so for {in_words(params.delay)}"),
        ]
    told = listed(sorted({*service.complaints, *service.reviews}))
    known = f"; told and still open: {told}" if told else "; none is open"
    missing = f"a complaint is open, or a review of {params.low_rating} stars or fewer is posted"
    return [so(False, f"{missing}, that was not told{known}")]


RULE = Rule(
    name=NAME,
    version=1,
    question="Whose complaint has waited too long, and who was so disappointed that somebody should get in touch?",
    params=Params,
    on=(events.ComplaintOpened, events.ComplaintClosed, events.ReviewPosted),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
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
