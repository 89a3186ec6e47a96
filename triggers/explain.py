"""Why was this user told something, or not, and what is still to come?

Three sources: the decisions that the user remembers; the conditions that each rule tells of itself; and the same code
that decides, run on a copy of the user to see what follows if nothing else happens. So nothing here can say otherwise
than the rules and gates do. Pure: the moment is an argument. Times in texts are UTC.
"""

from __future__ import annotations

from typing import Any

from state.calendar import DAY, in_words, iso
from state.contact import Pending
from state.history import Decided
from state.user import User, pack, unpack
from triggers.catalog import RULES
from triggers.decide import wake
from triggers.explanation import Explanation, OfRule, Refusal, Told, Verdict
from triggers.history import decided
from triggers.plan import Armed, Plan
from triggers.policy.channel import choose_channel
from triggers.policy.gate import Gate, Proposal
from triggers.policy.words import DEFERRALS, GATE_OF, REASONS, TOO_LATE, WORDS, No
from triggers.trigger import Asked, Candidate, Claim, Condition, Decision, Facts, Reason, Suppress
from triggers.why import ago, when

AHEAD = 400 * DAY  # so far it is looked: the longest timer is a yearly one
WAKES_LIMIT = 1_000  # and so many timers: a weekly scene is 57 of them
FORESEEN_LIMIT = 3  # of one rule
EARLIER_LIMIT = 3  # likewise


def explain(
    user: User, plan: Plan, facts: Facts, *, as_of: int, at: int | None = None, rule: str | None = None
) -> Explanation:
    """About one rule, or all that have something to say.

    `at` later than `as_of`: as if nothing else happened until then. Earlier: what had been decided by then; the
    conditions are those of `as_of`, as nobody remembers the state of then.
    """
    moment = as_of if at is None else min(at, as_of + AHEAD)
    look = _Look(user, plan, facts, as_of, moment)
    names = [rule] if rule is not None else [each.name for each in RULES]
    if user.erased_at is not None:
        names = []  # there is nothing of which a rule could tell
    told = [look.of_rule(name) for name in names]
    shown = told if rule is not None else [each for each in told if _has_a_word(each)]
    quiet = [each for each in told if each not in shown]
    return Explanation(
        user_id=user.user_id,
        as_of=iso(as_of),
        at=iso(moment),
        zone="UTC",
        notes=_notes(user, as_of, moment, at),
        rules=shown,
        silent=[each.rule for each in quiet if each.enabled],
        off=[each.rule for each in quiet if not each.enabled],
    )


class _Look:
    """One user at one moment, and what follows."""

    def __init__(self, user: User, plan: Plan, facts: Facts, as_of: int, moment: int) -> None:
        self._plan, self._facts, self._as_of, self._moment = plan, facts, as_of, moment
        self._now = max(as_of, moment)
        self._user = unpack(pack(user))
        if moment > as_of:
            self._run(self._user, moment)
        history = self._user.own_history
        self._past = [] if history is None else [each for each in history.last if each.at <= moment]
        self._user.decided_at = max(self._user.decided_at, self._now)
        self._future = self._run(unpack(pack(self._user)), self._now + AHEAD)

    def of_rule(self, name: str) -> OfRule:
        rule = next(each for each in RULES if each.name == name)
        armed, user = self._plan.armed.get(name), self._user
        asked_at = (user.own_wakes or {}).get(name)
        foreseen = [verdict for rule, verdict in self._future if rule == name][:FORESEEN_LIMIT]
        return OfRule(
            rule=name,
            version=rule.version,
            question=rule.question,
            enabled=armed is not None,
            decisions=[
                self._verdict(each, user, foreseen=each.at > self._as_of)
                for each in reversed(self._past)
                if each.rule == name
            ],
            earlier=self._earlier(name),
            waiting=[self._waiting(each) for each in user.pending if each.rule == name],
            asked_at=None if asked_at is None else iso(asked_at),
            conditions=[] if armed is None else [_told(each) for each in self._conditions(armed)],
            foreseen=foreseen,
            refusals=[] if armed is None else self._refusals(armed),
        )

    def _run(self, user: User, until: int) -> list[tuple[str, Verdict]]:
        """What this user's timers bring by `until`, by rule; a place among a limited number is taken to be free."""
        told: list[tuple[str, Verdict]] = []
        for _ in range(WAKES_LIMIT):
            if user.due is None or user.due > until:
                break
            found: list[Decision] = []
            wake(user, user.due, self._plan, self._facts, _is_free, found)
            told += [
                (each.candidate.rule, self._verdict(decided(each), user, foreseen=True)) for each in found
            ]
        return told

    def _earlier(self, rule: str) -> list[str]:
        contact = self._user.own_contact
        episodes = [] if contact is None else contact.episodes.get(rule, [])
        known = {each.anchor for each in self._past if each.rule == rule}
        made = [each for each in reversed(episodes) if each.anchor not in known and each.at <= self._moment]
        return [
            f"step {each.step}, due {when(each.at)} ({ago(each.at, self._now)})"
            for each in made[:EARLIER_LIMIT]
        ]

    def _conditions(self, armed: Armed) -> list[Condition]:
        # Of a copy: parts of a user come into being as they are asked for.
        asked = Asked(unpack(pack(self._user)), None, self._now, self._facts, self._plan.fold)
        return armed.rule.conditions(asked, armed.params)

    def _refusals(self, armed: Armed) -> list[Refusal]:
        """Every gate's answer to a candidate that this rule might make now."""
        proposal = self._proposal(armed, self._user, self._now)
        found = []
        for gate, settings in self._plan.gates:
            proposal = proposal if gate.amend is None else gate.amend(proposal, settings)
            refusal = None if gate.refuse is None else gate.refuse(proposal, settings)
            if refusal is not None:
                no = _no(gate, proposal, settings, refusal.reason)
                until = no.until if isinstance(refusal, Suppress) else refusal.until
                ends = "" if until is None else f", until {when(until)} ({ago(until, self._now)})"
                found.append(
                    Refusal(gate=gate.name, text=no.text + ends, until=None if until is None else iso(until))
                )
        return found

    def _proposal(self, armed: Armed, user: User, at: int) -> Proposal:
        rule = armed.rule
        candidate = Candidate(
            rule=rule.name, version=rule.version, user_id=user.user_id, step=1, anchor="", at=at, reason=""
        )
        asked = Asked(user, None, at, self._facts, self._plan.fold)
        gated = bool(self._plan.gates)
        channel = choose_channel(asked, candidate, armed.params, self._plan.policy, gated=gated)
        return Proposal(asked, candidate, armed.params, channel, waited=True)

    def _waiting(self, pending: Pending) -> str:
        name = (pending.rule, pending.version, pending.step, pending.anchor)
        known = next((each for each in self._past if each.name == name), None)
        reason = "" if known is None or known.verdict != "defer" else f": {self._because(known, self._user)}"
        until = f"until {when(pending.until)} ({ago(pending.until, self._now)})"
        return f"step {pending.step}, due {when(pending.at)}, waits {until}{reason}"

    def _verdict(self, each: Decided, user: User, *, foreseen: bool) -> Verdict:
        """`user` as she was, or would be, when it was decided, as far as that is known."""
        text = _sentence(each, self._because(each, user), self._now, is_over=not foreseen)
        return Verdict(
            text=text,
            at=iso(each.at),
            due=iso(each.due),
            verdict=each.verdict,
            reason=each.reason or None,
            channel=each.channel or None,
            winner=each.winner or None,
            until=None if each.until < 0 else iso(each.until),
            step=each.step,
            anchor=each.anchor,
            version=each.version,
            cause=each.cause,
            foreseen=foreseen,
        )

    def _because(self, each: Decided, user: User) -> str:
        """The reason of a decision, with its numbers where a gate can still tell them; empty if it was sent."""
        if each.verdict == "defer" and each.reason in DEFERRALS:
            return DEFERRALS[each.reason]
        if each.verdict == "suppress" and each.reason == Reason.LATE_EVENT:
            return TOO_LATE
        text = REASONS.get(each.reason, each.reason)
        armed, gate = self._plan.armed.get(each.rule), GATE_OF.get(each.reason)
        settings = self._plan.policy.get(gate) if gate is not None and self._plan.gates else None
        if armed is not None and gate is not None and settings is not None:
            no = WORDS[gate](self._proposal(armed, user, each.at), settings)
            until = None if each.verdict == "defer" else no.until
            text = no.text if until is None else f"{no.text}, until {when(until)}"
        return f"{text}: {_winner(each, user)}" if each.winner else text


def _winner(each: Decided, user: User) -> str:
    sent = () if user.own_contact is None else user.own_contact.sent
    rule = next((other.rule for other in sent if other.id == each.winner), "another trigger")
    return f"{rule} ({each.winner})"


def _is_free(claim: Claim, claimant: str) -> bool:
    return True


def _no(gate: Gate, proposal: Proposal, settings: Any, reason: str) -> No:
    words = WORDS.get(gate.name)
    return No(REASONS.get(reason, reason)) if words is None else words(proposal, settings)


def _told(condition: Condition) -> Told:
    at = None if condition.at is None else iso(condition.at)
    return Told(text=condition.text, met=condition.met, at=at)


def _sentence(each: Decided, because: str, now: int, *, is_over: bool) -> str:
    moment, channel = f"{when(each.at)} ({ago(each.at, now)})", f" on {each.channel}" if each.channel else ""
    was, was_not = ("was", "was not") if is_over else ("would be", "would not be")
    waited = f", due since {when(each.due)}" if each.due < each.at and each.verdict != "defer" else ""
    said = {
        "publish": f"{was} sent{channel} {moment}",
        "suppress": f"{was_not} sent {moment}",
        "defer": f"{was} put off {moment} to {when(each.until)}",
        "retract": f"was sent{channel} {moment} and taken back",
    }[each.verdict]
    return f"{each.rule} (step {each.step}: {each.why}) {said}{waited}{f': {because}' if because else ''}"


def _has_a_word(told: OfRule) -> bool:
    return bool(told.decisions or told.waiting or told.foreseen or told.asked_at is not None)


def _notes(user: User, as_of: int, moment: int, wanted: int | None) -> list[str]:
    if user.erased_at is not None:
        return [
            f"she asked to be forgotten {when(user.erased_at)}: nothing is kept, and her events do nothing"
        ]
    if moment > as_of:
        nearer = [f"no further than {in_words(AHEAD)} ahead is looked"] if moment != wanted else []
        return [*nearer, f"as it would be {when(moment)} if nothing else happened after {when(as_of)}"]
    if moment < as_of:
        return [
            f"decisions up to {when(moment)}; the rest is as of {when(as_of)}: nobody remembers the state of then"
        ]
    return []
