"""How do tests change the rules under a shop? Plans one after another, which share what a ledger would keep."""

from __future__ import annotations

from typing import Any

from tests.triggers.golden import plan_of
from triggers.plan import Plan
from triggers.stanzas import Stanzas

Rules = dict[str, dict[str, Any]]


class Succession:
    """`kept` is what the ledger has."""

    def __init__(self, policy: dict[str, dict[str, Any]] | None = None) -> None:
        self.kept: dict[str, str] = {}
        self._policy = policy

    def next(self, rules: Rules) -> Plan:
        """The plan from now on, its stanzas kept."""
        on = [(armed.rule, armed.params) for armed in plan_of(rules, self._policy).armed.values()]
        new, over = Stanzas(self.kept).lacking(on)
        kept = {name: text for name, text in self.kept.items() if name not in over}
        self.kept = {**new, **kept}
        return plan_of(rules, self._policy, had=Stanzas(self.kept))
