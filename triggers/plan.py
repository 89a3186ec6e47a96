"""Which rules and gates are on, with which settings? Built once from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, structs

from state import events
from state.folding import FoldParams
from state.scores import Publications
from state.user import User
from triggers.catalog import RULES
from triggers.declared import following
from triggers.policy import arbitration
from triggers.policy.catalog import GATES
from triggers.policy.gate import Gate
from triggers.stanzas import NONE_KEPT, Stanzas, fingerprint, text_of
from triggers.trigger import Rule, RuleParams, kinds_of

_BY_DEFINITION = ("pattern",)  # what is under way belongs to the definition it began with (docs/patterns.md)
_OPENED_BY_A_DATE = (
    "birthday_upcoming",
    "calendar_scene",
)  # their timers wait for an episode, not within one


class Armed(Struct, frozen=True):
    """A rule that is on, with its settings: stanza `number` of those it has had, told to people by `fingerprint`."""

    rule: Rule
    params: RuleParams
    concerns: Callable[[User, Any], bool] | None = None
    number: int = 0
    fingerprint: str = ""

    @property
    def in_shadow(self) -> bool:
        return self.params.mode == "shadow"


Gates = tuple[tuple[Gate, Any], ...]
"""Gates in the order in which they are asked, each with its settings."""


class Plan:
    """`gates` is empty when the policy is off: then every candidate is published.

    `stanzas` are those that the rules have had; `retired` by rule and number those that are not in force any more;
    `continued`: the rules whose timers go on by them.
    """

    def __init__(
        self,
        fold: FoldParams,
        rules: Mapping[str, RuleParams],
        policy: Mapping[str, Any],
        *,
        policy_enabled: bool,
        stanzas: Stanzas = NONE_KEPT,
    ) -> None:
        self.policy = policy
        self.armed = {r.name: _armed(r, rules[r.name], stanzas) for r in RULES if rules[r.name].enabled}
        retired = {name: _retired(a, stanzas) for name, a in self.armed.items() if name not in _BY_DEFINITION}
        self.retired = {name: by_number for name, by_number in retired.items() if by_number}
        self.continued = self.retired.keys() - _OPENED_BY_A_DATE
        for name in self.retired.keys() & _OPENED_BY_A_DATE:
            self.armed[name] = _asked_again(self.armed[name])
        self.gates: Gates = tuple((gate, policy[gate.name]) for gate in GATES) if policy_enabled else ()
        middle = GATES.index(arbitration.GATE)
        self.gates_before_arbitration, self.gates_after_arbitration = (
            self.gates[:middle],
            self.gates[middle + 1 :],
        )
        self.gates_of_shadow = self.gates_before_arbitration + self.gates_after_arbitration
        self.arbitrates = policy_enabled and policy["arbitration"].window > 0
        self.by_event: dict[type, tuple[Armed, ...]] = {}
        for armed in self.armed.values():
            for kind in kinds_of(armed.rule.on, armed.params):
                self.by_event[kind] = (*self.by_event.get(kind, ()), armed)
        self.refuted_by = {
            name: frozenset(kinds_of(each.rule.refuted_by, each.params)) for name, each in self.armed.items()
        }
        self.refuting = frozenset().union(*self.refuted_by.values())
        self._swayed: dict[type, set[str]] = {}
        for kind in (
            events.ProfileUpdated,  # time zone and channels of any message
            events.ConsentChanged,
            events.ComplaintOpened,  # the stop list
            events.ComplaintClosed,
            events.MessageDelivered,  # who does not answer, by which habit, where nothing gets through
            events.MessageOpened,
            events.MessageClicked,
            events.MessageBounced,
            events.OrderPlaced,  # the answer to a message, perhaps
        ):
            self._swayed[kind] = set(self.armed)
        for name, armed in self.armed.items():
            for kind in armed.rule.swayed_by:
                self._swayed.setdefault(kind, set()).add(name)
        pattern = self.armed.get("pattern")
        declared = getattr(pattern.params, "patterns", {}) if pattern else {}
        self.fold = structs.replace(fold, patterns=following(declared)) if declared else fold
        self._published: Publications = ()
        low_stock = self.armed.get("low_stock")
        # The item shards must know where "low" begins; with the rule off nothing is ever low.
        self.low_threshold: int = getattr(low_stock.params, "threshold", 0) if low_stock else 0
        price_drop = self.armed.get("price_drop")
        # The same of prices: what is a fall worth telling? None: nobody wants to hear of prices.
        self.min_drop: float | None = getattr(price_drop.params, "min_drop", None) if price_drop else None

    def adopt(self, other: Plan) -> None:
        """Be the other plan, for everybody who holds this one. Between two rounds only."""
        self.__dict__ = other.__dict__

    def copy(self) -> Plan:
        """The plan as it is now, for another thread."""
        found = Plan.__new__(Plan)
        found.adopt(self)
        return found

    def held(self, rule: str, number: int) -> Armed | None:
        """The rule as what began by its stanza `number` goes on; None while it is off."""
        armed = self.armed.get(rule)
        if armed is None or number == armed.number or rule not in self.retired:
            return armed
        return self.retired[rule].get(number, armed)

    def under(self, published: Publications) -> None:
        """From here on scores go by these cut points: those known to the shard that is being worked on."""
        if published is not self._published:
            self._published = published
            self.fold = self.fold.under(published)

    def listeners(self, user: User, event: Any) -> tuple[Armed, ...]:
        """The rules that want to be asked about this event of this user."""
        found: tuple[Armed, ...] = ()
        # A loop, for mostly nobody listens: a comprehension would cost a call.
        for each in self.by_event.get(event.__class__, ()):
            if each.concerns is None or each.concerns(user, event):
                found = (*found, each)
        return found

    def audiences(self, call: Any) -> tuple[str, ...]:
        """Who must hear of a call to many; nobody where no rule that is on cares."""
        found = [
            each.rule.audience(call, each.params)
            for each in self.by_event.get(call.__class__, ())
            if each.rule.audience is not None
        ]
        return tuple(dict.fromkeys(audience for audience in found if audience is not None))

    def reaches(self, user: User, call: Any) -> bool:
        """Whether a call changes anything for this user of its audience."""
        return any(
            each.rule.reaches is None or each.rule.reaches(user, call, each.params)
            for each in self.by_event.get(call.__class__, ())
            if each.rule.audience is not None
        )

    def decides(self, user: User, event: Any) -> bool:
        """Whether a wake-up due before this event must come before it.

        So it is when a rule will be asked about the event, or one that is due would answer otherwise after it.
        A no is the exception: it counts from the moment it is read, whatever was due before it was said.
        """
        if self.listeners(user, event):
            return True
        swayed = self._swayed.get(event.__class__)
        if swayed is None or (isinstance(event, events.ConsentChanged) and not event.granted):
            return False
        return any(at < event.ts and name in swayed for name, at in (user.own_wakes or {}).items()) or any(
            pending.until < event.ts and pending.rule in swayed for pending in user.pending
        )


def _armed(rule: Rule, params: RuleParams, stanzas: Stanzas) -> Armed:
    text = text_of(rule, params)
    return _by(rule, params, stanzas.number(rule, text), text)


def _retired(armed: Armed, stanzas: Stanzas) -> dict[int, Armed]:
    rule = armed.rule
    before = stanzas.retired(rule, text_of(rule, armed.params))
    return {number: _by(rule, params, number, text) for number, (text, params) in before.items()}


def _by(rule: Rule, params: RuleParams, number: int, text: str) -> Armed:
    concerns = rule.concerns if rule.concerns_with is None else rule.concerns_with(params)
    return Armed(rule, params, concerns, number, fingerprint(text))


def _asked_again(armed: Armed) -> Armed:
    """Whose timer was set by another stanza is asked at the next event, as the date may be another."""
    name, number, concerns = armed.rule.name, armed.number, armed.concerns

    def concerns_or_is_old(user: User, event: Any) -> bool:
        is_set = user.own_wakes is not None and name in user.own_wakes
        return (is_set and user.stanza_of(name) != number) or concerns is None or concerns(user, event)

    return structs.replace(armed, concerns=concerns_or_is_old)
