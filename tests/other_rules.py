"""Which rules are in the way of a test that is about a few?"""

from __future__ import annotations

from triggers.catalog import RULES

# The rules of the first release: what the simulation's and the chaos runs' shops have occasions for.
FIRST = (
    *("cart_abandoned", "payment_pending", "low_stock", "back_in_stock", "churn_risk", "stage_changed"),
    *("winback", "first_order_nudge", "welcome_pack"),
)


def others(*wanted: str) -> tuple[str, ...]:
    """All but these: to be switched off."""
    return tuple(rule.name for rule in RULES if rule.name not in wanted)
