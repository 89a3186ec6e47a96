"""Which triggers are there? The explicit list; rules asked at one moment are asked in this order."""

from __future__ import annotations

from triggers.rules import (
    back_in_stock,
    cart_abandoned,
    checkin_streak,
    churn_risk,
    complaint_care,
    first_order_nudge,
    low_stock,
    payment_pending,
    share_reward,
    stage_changed,
    unfollow_retention,
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
    unfollow_retention.RULE,
    complaint_care.RULE,
    checkin_streak.RULE,
    share_reward.RULE,
)
