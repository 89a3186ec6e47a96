"""Why does a gate say no to this user, and until when? In words, for triggers/explain.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from state.calendar import in_words
from state.contact import Sent
from state.user import User
from triggers.policy.consent import ConsentParams, allowed
from triggers.policy.frequency_cap import FrequencyCapParams, counted_by, full
from triggers.policy.gate import Proposal
from triggers.policy.quiet_hours import QuietHoursParams, ends_at
from triggers.policy.stop_list import StopListParams, is_stopped
from triggers.trigger import Reason
from triggers.why import counted, when


class No(NamedTuple):
    """`until`: from then on the gate lets it pass if nothing else happens; None where that needs an event."""

    text: str
    until: int | None = None


# Of what a gate, or the moment of sending, says no to.
REASONS: Mapping[str, str] = {
    Reason.NO_CONSENT: "no channel of the rule has her consent",
    Reason.ERASED: "she asked to be forgotten",
    Reason.COMPLAINT_OPEN: "a complaint or a low review waits for its answer",
    Reason.QUIET_HOURS: "it is night where she lives",
    Reason.FREQUENCY_CAP: "she has heard enough from us lately",
    Reason.STALE: "what it was about was no longer so when it was to be sent",
    Reason.OUT_OF_STOCK: "it was sold out when it was to be sent",
    Reason.EXPIRED: "it had waited longer than it was worth anything (valid_for)",
    Reason.REACH: "others had taken all places that the pieces in stock allow (reach_per_unit)",
    Reason.PENDING_FULL: "too many messages wait for this user already",
    Reason.LATE_EVENT: "an event that came late shows that it should not have been sent",
    Reason.ARBITRATION: "something more important was to be said at the same time",
    Reason.HOLDOUT: "she is in the hold-out group, who are told nothing so that the effect can be measured",
    Reason.UNREACHABLE: "on every channel with her consent the last message came back",
    Reason.NON_RESPONDER: "she has not reacted to the last messages of this rule",
    Reason.SHADOW: "the rule is in shadow mode: it decides and sends nothing",
}

TOO_LATE = "what it is about was heard of only after its time"  # late_event of what was never sent

# Of what only waits a while, whatever is said to it in the end.
DEFERRALS: Mapping[str, str] = {
    Reason.ARBITRATION: "it waits for what else there may be to say in the same moment"
}


def consent(proposal: Proposal, params: ConsentParams) -> No:
    user, now = proposal.asked.user, proposal.asked.now
    if user.erased_at is not None:
        return No(REASONS[Reason.ERASED])
    channels = proposal.candidate.channels or proposal.rule.channels
    back = any(_bounced_at(user, each, now) is not None for each in channels)
    why = "no message gets through on" if back else "no consent for"
    return No(f"{why} {', '.join(_consent(user, each, params, now) for each in channels)}")


def stop_list(proposal: Proposal, params: StopListParams) -> No:
    service, now = proposal.asked.user.service, proposal.asked.now
    cases: list[tuple[str, int]] = []
    for key, complaint in service.complaints.items():
        opened = [opening.at for opening in complaint.openings if opening.at <= now]
        if opened:
            cases.append(
                (f"complaint {key} is open since {when(opened[0])}", opened[-1] + params.pause_limit)
            )
    for key, at in service.reviews.items():
        if at <= now:
            cases.append((f"low review {key} of {when(at)} has no answer yet", at + params.review_pause))
    cases += _silence(proposal, params)
    holding = [case for case in cases if now < case[1]]
    if not holding:
        return No(REASONS[Reason.COMPLAINT_OPEN])
    return No(" and ".join(text for text, _ in holding), max(until for _, until in holding))


def _silence(proposal: Proposal, params: StopListParams) -> list[tuple[str, int]]:
    replies, rule, now = proposal.asked.user.own_replies, proposal.candidate.rule, proposal.asked.now
    if replies is None or not params.unanswered or not is_stopped(replies, rule, now, params):
        return []
    last = max(told.at for thread in replies.threads if thread.rule == rule for told in thread.told)
    return [
        (
            f"{counted(params.unanswered, 'message')} of {rule} in a row had no answer",
            last + params.stopped_for,
        )
    ]


def quiet_hours(proposal: Proposal, params: QuietHoursParams) -> No:
    zone = proposal.asked.user.contact.timezone or params.zone
    until = ends_at(proposal.asked.now, zone, params)
    return No(f"it is night where she lives ({params.start} to {params.end}, {zone})", until)


def frequency_cap(proposal: Proposal, params: FrequencyCapParams) -> No:
    now = proposal.asked.now
    heard = heard_lately(proposal.asked.user, now, params)
    cap = full(proposal.asked, proposal.candidate.rule, proposal.channel or "", params)
    if cap is not None and len(heard) < params.marketing:
        return _further(proposal, cap, params)
    allowance = f"{len(heard)} of at most {params.marketing} in {in_words(params.window)}"
    named = ", ".join(f"{sent.rule} {when(sent.at)}{' (held out)' if sent.ghost else ''}" for sent in heard)
    text = f"she has heard enough: {allowance}" + (f" ({named})" if named else "")
    if params.marketing <= 0 or len(heard) < params.marketing:
        return No(text)
    return No(text, heard[-params.marketing].at + params.window)


def _further(proposal: Proposal, name: str, params: FrequencyCapParams) -> No:
    cap, asked = params.caps[name], proposal.asked
    assert cap is not None
    of = ", ".join(cap.rules) or "all rules"
    if cap.window is None:
        return No(f"she has heard enough: the cap {name} allows {cap.limit} a day of {of}")
    told = counted_by(asked.user.own_replies, cap, proposal.candidate.rule, proposal.channel or "")
    heard = sorted(each.at for each in told if asked.now - cap.window < each.at <= asked.now)
    text = f"she has heard enough: the cap {name} allows {cap.limit} in {in_words(cap.window)} of {of}"
    return No(text, heard[-cap.limit] + cap.window if 0 < cap.limit <= len(heard) else None)


def heard_lately(user: User, now: int, params: FrequencyCapParams) -> Sequence[Sent]:
    """What the cap counts, the oldest first."""
    sent = [] if user.own_contact is None else user.own_contact.sent
    found = [each for each in sent if each.counts and now - params.window < each.at <= now]
    return sorted(found, key=lambda each: each.at)


WORDS: Mapping[str, Callable[[Proposal, Any], No]] = {
    "consent": consent,
    "stop_list": stop_list,
    "quiet_hours": quiet_hours,
    "frequency_cap": frequency_cap,
}
GATE_OF: Mapping[str, str] = {
    Reason.NO_CONSENT: "consent",
    Reason.UNREACHABLE: "consent",
    Reason.NON_RESPONDER: "stop_list",
    Reason.COMPLAINT_OPEN: "stop_list",
    Reason.QUIET_HOURS: "quiet_hours",
    Reason.FREQUENCY_CAP: "frequency_cap",
}


def _consent(user: User, channel: str, params: ConsentParams, now: int) -> str:
    known = user.contact.consent.get(channel)
    bounced_at = _bounced_at(user, channel, now)
    if bounced_at is not None:
        return f"{channel} (the last message came back {when(bounced_at)})"
    if known is None:
        return f"{channel} (needs none)" if allowed(user, channel, params) else f"{channel} (never given)"
    said = "given" if known.granted else "refused"
    return (
        f"{channel} ({said} since, {when(known.at)})"
        if known.at > now
        else f"{channel} ({said} {when(known.at)})"
    )


def _bounced_at(user: User, channel: str, now: int) -> int | None:
    reach = None if user.own_replies is None else user.own_replies.channels.get(channel)
    return reach.bounced_at if reach is not None and reach.reached_at < reach.bounced_at <= now else None
