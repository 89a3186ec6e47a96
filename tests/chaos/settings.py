"""With which settings does beckon run in a chaos run? The rules of the stories, with delays of seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.chaos.stories import DELAYS
from tests.other_rules import others

_OFF = others("cart_abandoned", "payment_pending", "first_order_nudge", "welcome_pack", "low_stock")


def seconds(name: str) -> str:
    return f"{round(DELAYS[name] * 1000)}ms"


SETTINGS: Mapping[str, Any] = {
    "policy": {"enabled": False},
    "http": {"enabled": False},
    "logs": {"format": "json"},
    "input": {"bad_share": 1},
    "time": {"out_of_orderness": "500ms", "idle_after": "1s"},
    "rules": {
        "cart_abandoned": {
            "delay": seconds("cart_abandoned_1"),
            "second_delay": seconds("cart_abandoned_2"),
        },
        "payment_pending": {"delay": seconds("payment_pending")},
        "first_order_nudge": {"delay": seconds("first_order_nudge")},
        "welcome_pack": {"reminder_after": seconds("welcome_pack")},
        "low_stock": {
            "reach_per_unit": 100_000,  # a claim that binds would make who is told a matter of speed
            "waves": {name: seconds(f"low_stock_{name}") for name in ("cart", "favourite", "viewed")},
        },
        **{rule: {"enabled": False} for rule in _OFF},
    },
}
