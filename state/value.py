"""What is a buyer's next order worth, and what are all to come?

Gamma-Gamma (Fader and Hardie, note 025): the spend of a purchase day varies around a mean of the buyer's own, and those
means vary between buyers. Few repeat purchases say little of her, so her mean is drawn towards everybody's.
"""

from __future__ import annotations

from msgspec import Struct

from state.btyd import Fit, expected_orders


class SpendParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gamma-Gamma, fitted to the repeat purchase days. `gamma` is in the unit of money: minor units in settings."""

    p: float
    q: float
    gamma: float


class Worth(Struct, frozen=True):
    """How future orders are counted: `steps` of `step_weeks`, `discount` a step, `margin` of an order's value."""

    step_weeks: float
    steps: int
    discount: float
    margin: float


def expected_spend(spend: SpendParams, x: int, mean: float) -> float:
    """Of a purchase day to come, after `x` repeat ones with this `mean`; without any, everybody's."""
    return spend.p * (spend.gamma + x * mean) / (spend.p * x + spend.q - 1)


def lifetime_value(fit: Fit, x: int, last: float, now: float, each: float, worth: Worth) -> float:
    """The margin of all orders within the steps, at `each` an order, discounted to `now`; unit of money."""
    total = before = 0.0
    for step in range(1, worth.steps + 1):
        orders = expected_orders(fit, x, last, now, step * worth.step_weeks)
        total += (orders - before) / (1 + worth.discount) ** step
        before = orders
    return total * each * worth.margin
