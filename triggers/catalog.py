"""Which triggers are there? The explicit list; rules asked at one moment are asked in this order."""

from __future__ import annotations

from triggers.rules import (
    back_in_stock,
    browse_abandoned,
    cart_abandoned,
    churn_risk,
    favorite_reminder,
    first_order_nudge,
    low_stock,
    payment_pending,
    price_drop,
    stage_changed,
    welcome_pack,
    winback,
)
from triggers.trigger import Rule

RULES: tuple[Rule, ...] = (
    cart_abandoned.RULE,
    payment_pending.RULE,
    low_stock.RULE,
    back_in_stock.RULE,
    churn_risk.RULE,
    stage_changed.RULE,
    winback.RULE,
    first_order_nudge.RULE,
    welcome_pack.RULE,
    browse_abandoned.RULE,
    favorite_reminder.RULE,
    price_drop.RULE,
)
