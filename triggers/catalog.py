"""Which triggers are there? The explicit list; rules asked at one moment are asked in this order."""

from __future__ import annotations

from triggers.rules import (
    back_in_stock,
    cart_abandoned,
    churn_risk,
    cross_sell,
    first_order_nudge,
    low_stock,
    payment_pending,
    post_purchase_care,
    referral_reward,
    replenishment,
    return_care,
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
    replenishment.RULE,
    cross_sell.RULE,
    post_purchase_care.RULE,
    return_care.RULE,
    referral_reward.RULE,
)
