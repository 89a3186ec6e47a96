"""Why does a gate say no to this user, and until when? In words, for triggers/explain.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from state.calendar import in_words
from state.local_time import date_at, moment, zone_of
from state.user import User
from triggers.policy.consent import ConsentParams, allowed
from triggers.policy.frequency_cap import FrequencyCapParams, counted_by
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
    """The first cap that has no room, and when all of them have."""
    first = _full(proposal, params, proposal.asked.now)
    if first is None:
        return No(REASONS[Reason.FREQUENCY_CAP])
    until = first.until
    while until is not None and (then := _full(proposal, params, until)) is not None:
        until = then.until
    return No(first.text, until)


def _full(proposal: Proposal, params: FrequencyCapParams, now: int) -> No | None:
    """What a cap without room says at `now`, if nothing else is told until then."""
    user, since, known_at = proposal.asked.user, now - params.window, proposal.asked.now
    sent = [] if user.own_contact is None else user.own_contact.sent
    heard = sorted((s for s in sent if s.counts and since < s.at <= known_at), key=lambda s: s.at)
    if len(heard) >= params.marketing:
        named = [f"{s.rule} {when(s.at)}{' (held out)' if s.ghost else ''}" for s in heard]
        told = f"{len(heard)} of at most {params.marketing} in {in_words(params.window)}"
        return _enough(told, named, [s.at + params.window for s in heard], params.marketing)
    rule, channel = proposal.candidate.rule, proposal.channel or ""
    for name, cap in params.caps.items():
        if cap is None or not cap.concerns(rule, channel):
            continue
        known = counted_by(user.own_replies, cap, rule, channel)
        times = sorted(told.at for told in known if told.at <= known_at)
        if cap.window is not None:
            times = [at for at in times if at > now - cap.window]
            ends, span = [at + cap.window for at in times], in_words(cap.window)
        else:
            zone = zone_of(user.contact.timezone, params.zone)
            today = date_at(now, zone)
            times = [at for at in times if date_at(at, zone) == today]
            ends, span = [moment(today + timedelta(days=1), "00:00", zone)] * len(times), "a day"
        if len(times) >= cap.limit:
            of = ", ".join(cap.rules) or "all rules"
            told = f"the cap {name} allows {cap.limit} in {span} of {of}"
            return _enough(told, [when(at) for at in times], ends, cap.limit)
    return None


def _enough(told: str, named: Sequence[str], ends: Sequence[int], limit: int) -> No:
    text = f"she has heard enough: {told}" + (f" ({', '.join(named)})" if named else "")
    return No(text, ends[-limit] if limit > 0 else None)


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
