"""Which triggers are there? The explicit list; rules asked at one moment are asked in this order."""

from __future__ import annotations

from triggers.rules import (
    back_in_stock,
    campaign_stage,
    cart_abandoned,
    churn_risk,
    first_order_nudge,
    low_stock,
    payment_pending,
    stage_changed,
    weather_scene,
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
    weather_scene.RULE,
    campaign_stage.RULE,
)
