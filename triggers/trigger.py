"""What is a trigger made of? Rule, Candidate, Outcome: the words every rule and gate is written in."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal, Protocol

from msgspec import Struct
from msgspec.json import Encoder as JsonEncoder

from state.calendar import Duration
from state.contact import Sent
from state.folding import FoldParams
from state.items import Item
from state.user import User

_encode = JsonEncoder().encode
_NAMESPACE = uuid.UUID("6f1d3f7e-52a4-5c0e-9d0a-7e2f6b8c4d21")


class Reason(StrEnum):
    """Why a candidate was not sent: a closed list, also the metric label."""

    NO_CONSENT = "no_consent"
    ERASED = "erased"
    UNREACHABLE = "unreachable"
    COMPLAINT_OPEN = "complaint_open"
    NON_RESPONDER = "non_responder"
    QUIET_HOURS = "quiet_hours"
    FREQUENCY_CAP = "frequency_cap"
    ARBITRATION = "arbitration"
    HOLDOUT = "holdout"
    STALE = "stale"
    OUT_OF_STOCK = "out_of_stock"
    EXPIRED = "expired"
    REACH = "reach"
    PENDING_FULL = "pending_full"
    LATE_EVENT = "late_event"
    SHADOW = "shadow"


class RuleParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every rule's stanza in triggers.yaml has; a rule's own Params extend it. No defaults in code."""

    enabled: bool
    mode: Literal["live", "shadow"]
    channels: tuple[str, ...]
    priority: int
    valid_for: Duration
    quiet_hours: Literal["defer", "drop", "ignore"]
    transactional: bool
    offer: str | None = None
    need: str | None = None


class Claim(Struct, frozen=True, gc=False):
    """A place among the first `limit` triggers of `key` over all shards; the trigger's id is the claimant."""

    key: str
    sku: str
    limit: int


class Candidate(Struct, frozen=True, kw_only=True, gc=False):
    """Something a rule wants to say. `at` is when it became due (event time); `fields` are the rule's own.

    `channels` are those of this step, best first; none: the rule's.
    """

    rule: str
    version: int
    user_id: str
    step: int
    anchor: str
    at: int
    reason: str
    skus: tuple[str, ...] = ()
    fields: Mapping[str, Any] = {}
    offer: str | None = None
    claim: Claim | None = None
    channels: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The same cause gives the same id: UUIDv5 of rule, version, user, step and anchor."""
        return _trigger_id(self.rule, self.version, self.user_id, self.step, self.anchor)


@lru_cache(maxsize=16)  # one decision asks for its id some five times in a row, and it is dear
def _trigger_id(rule: str, version: int, user_id: str, step: int, anchor: str) -> str:
    # A JSON array, because ids may hold any separator that a join would use.
    name = _encode((rule, version, user_id, step, anchor))
    return str(uuid.uuid5(_NAMESPACE, name.decode()))


def retraction_id(trigger_id: str) -> str:
    """A trigger is retracted once: the id follows from the trigger's."""
    return str(uuid.uuid5(_NAMESPACE, f"retracted {trigger_id}"))


class Publish(Struct, frozen=True, gc=False):
    channel: str | None


class Suppress(Struct, frozen=True, gc=False):
    """`winner`: id of the trigger that won the arbitration. `channel`: on which a held-out one would have gone.

    `detail`: which of several of a kind has refused, as the name of a cap.
    """

    reason: Reason
    winner: str | None = None
    channel: str | None = None
    detail: str = ""


class Defer(Struct, frozen=True, gc=False):
    until: int
    reason: Reason


class Retract(Struct, frozen=True, gc=False):
    """What was sent as `trigger_id` should not have been: an event from before it has come after it."""

    trigger_id: str
    channel: str
    reason: Reason = Reason.LATE_EVENT


Outcome = Publish | Suppress | Defer | Retract


class Decision(Struct, frozen=True, gc=False):
    """One candidate and what became of it, at event time `at`; the source of triggers and decision records.

    `candidate.offer` is the offer as made; `offer_until`: how long it stands; `variant`: of the message.
    `stanza`: the number of the settings it was decided by (triggers/stanzas.py).
    """

    candidate: Candidate
    outcome: Outcome
    at: int
    inputs: Mapping[str, Any]
    variant: str | None = None
    offer_until: int | None = None
    stanza: int = 0

    @property
    def holdout(self) -> bool:
        """A ghost: everything but the message, so that both arms of an experiment differ by it alone."""
        return isinstance(self.outcome, Suppress) and self.outcome.reason is Reason.HOLDOUT


class Facts(Protocol):
    """What the item shards know, looked up without the caller knowing where it lives."""

    def __call__(self, sku: str) -> Item | None: ...


class Asked(Struct, frozen=True, gc=False):
    """The question put to a rule: about whom, by what event (None: a wake-up), when, with which settings.

    `stage` memory and day buckets are in `fold`; `facts` answers for stock and price.
    """

    user: User
    event: Any
    now: int
    facts: Facts
    fold: FoldParams

    def passed(self, due: int) -> bool:
        """Is `due` over? An event at exactly a due time counts as before it: only the wake-up comes after it."""
        return due < self.now or (due == self.now and self.event is None)

    @property
    def late(self) -> bool:
        """The event has come too late to be told: `now` is how far time had come as it was read."""
        return self.event is not None and self.event.ts < self.now


class Condition(Struct, frozen=True, gc=False):
    """One thing that must be so for a rule to speak, in plain words with the user's own numbers.

    `at`: when time alone makes it so, or may, if nothing else happens; None of what is so or needs an event.
    """

    text: str
    met: bool
    at: int | None = None


Kinds = tuple[type, ...] | Callable[[Any], tuple[type, ...]]


def kinds_of(kinds: Kinds, params: RuleParams) -> tuple[type, ...]:
    """The kinds of events that a rule means with these params."""
    return kinds if isinstance(kinds, tuple) else kinds(params)


class Rule(Struct, frozen=True, kw_only=True):
    """One trigger: the events after which it is asked, its question, and when to ask again without an event.

    - `evaluate(asked, params)`: the next candidate that is due and not yet in the user's episodes, or None.
      It is asked again until it has no more.
    - `wake_at(user, params, fold)`: the event time at which to ask again; None if nothing is pending. It is
      re-computed after each event in `on` and after each wake-up, which is never repeated for its own time.
      `user.decided_at` is at least the moment of asking.
    - `holds(asked, candidate, params)`: asked at the moment of sending, also after a deferral: None if the
      facts still stand, else the reason they do not.
    - `conditions(asked, params)`: what must be so for `evaluate` to speak, as it asks it: all of it is met exactly when
      there is a candidate. What `wake_at` waits for is among them. It is asked by a person who wants to know why, also
      without an event; it changes nothing.
    - `concerns(user, event)`: a cheap look at frequent events; False spares the rule both questions. It is asked
      before the event is folded too, whether what is due must come first, and must then answer the same.
    - `on` and `refuted_by` may be functions of the params, of a rule whose parameters name events.
    - `audience(event, params)`: of a call to many in `on` (state/calls.py), to whose ears it must come
      (state/audience.py); None: nobody's.
    - `reaches(user, event, params)`: False spares a user of that audience the call, which would change nothing.
    - `concerns_with(params)`: makes `concerns`, where the settings decide what is of concern.
    - `refuted(user, event, sent, params)`: an event of `refuted_by` has come that happened at or before the due time
      of what was sent; does it show that this should never have been sent? `user` already knows the event.
    - `catches_up`: what a late event has brought about is told when the rule is asked next, by an event or by time.
      Of other rules with timers what it made due in the past is passed over (triggers/late.py). A rule without
      `wake_at` is not asked about late events at all.
    - `swayed_by`: events after which the rule is not asked, but would answer a wake-up otherwise; one that
      is due before such an event must come before it, or the answer would depend on the pace of reading.
    """

    name: str
    version: int
    question: str
    params: type[RuleParams]
    on: Kinds
    evaluate: Callable[[Asked, Any], Candidate | None]
    wake_at: Callable[[User, Any, FoldParams], int | None] | None = None
    holds: Callable[[Asked, Candidate, Any], Reason | None]
    conditions: Callable[[Asked, Any], list[Condition]]
    concerns: Callable[[User, Any], bool] | None = None
    audience: Callable[[Any, Any], str | None] | None = None
    reaches: Callable[[User, Any, Any], bool] | None = None
    concerns_with: Callable[[Any], Callable[[User, Any], bool]] | None = None
    catches_up: bool = False
    swayed_by: tuple[type, ...] = ()
    refuted_by: Kinds = ()
    refuted: Callable[[User, Any, Sent, Any], bool] | None = None
    fields: Mapping[str, str] = {}
