"""Which triggers are there? The explicit list."""

from __future__ import annotations

from triggers.rules import cart_abandoned
from triggers.trigger import Rule

RULES: tuple[Rule, ...] = (cart_abandoned.RULE,)
