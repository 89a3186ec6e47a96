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
from triggers.policy.catalog import GATES
from triggers.policy.gate import Gate
from triggers.trigger import Rule, RuleParams, kinds_of


class Armed(Struct, frozen=True):
    """A rule that is on, with its settings."""

    rule: Rule
    params: RuleParams
    concerns: Callable[[User, Any], bool] | None = None


class Plan:
    """`gates` is empty when the policy is off: then every candidate is published."""

    def __init__(
        self,
        fold: FoldParams,
        rules: Mapping[str, RuleParams],
        policy: Mapping[str, Any],
        *,
        policy_enabled: bool,
    ) -> None:
        self.policy = policy
        self.armed = {r.name: _armed(r, rules[r.name]) for r in RULES if rules[r.name].enabled}
        self.gates: tuple[tuple[Gate, Any], ...] = (
            tuple((gate, policy[gate.name]) for gate in GATES) if policy_enabled else ()
        )
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

    def under(self, published: Publications) -> None:
        """From here on scores go by these cut points: those known to the shard that is being worked on."""
        if published is not self._published:
            self._published = published
            self.fold = self.fold.under(published)

    def listeners(self, user: User, event: Any) -> list[Armed]:
        """The rules that want to be asked about this event of this user."""
        return [
            each
            for each in self.by_event.get(event.__class__, ())
            if each.concerns is None or each.concerns(user, event)
        ]

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


def _armed(rule: Rule, params: RuleParams) -> Armed:
    return Armed(rule, params, rule.concerns if rule.concerns_with is None else rule.concerns_with(params))
