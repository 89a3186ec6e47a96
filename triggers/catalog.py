"""Which triggers are there? The explicit list; rules asked at one moment are asked in this order."""

from __future__ import annotations

from triggers.rules import (
    back_in_stock,
    cart_abandoned,
    churn_risk,
    cross_sell,
    first_order_nudge,
    low_stock,
    pattern,
    payment_pending,
    points_expiring,
    post_purchase_care,
    referral_reward,
    replenishment,
    return_care,
    spend_milestone,
    stage_changed,
    tier_changed,
    tier_near,
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
    tier_changed.RULE,
    tier_near.RULE,
    points_expiring.RULE,
    spend_milestone.RULE,
    pattern.RULE,
    replenishment.RULE,
    cross_sell.RULE,
    post_purchase_care.RULE,
    return_care.RULE,
    referral_reward.RULE,
)
