"""Which faults come together? Each schedule takes some kinds and leaves others: swarms find more than all at once."""

from __future__ import annotations

import random

from tests.simulation.world import Faults

_RATES = {
    "lost_reply": 0.01,
    "lost_commit": 0.01,
    "lost_request": 0.01,
    "late_request": 0.01,
    "crash": 0.003,
    "stop": 0.003,
    "rollback": 0.003,
    "churn": 0.002,
}


def weather(seed: int, *always: str) -> Faults:
    """Half of the kinds, drawn by the seed, and those that are asked for."""
    rng = random.Random(f"weather {seed}")
    rates = {kind: rate * rng.choice((1, 1, 3)) for kind, rate in _RATES.items() if rng.random() < 0.5}
    return Faults(**rates, **{kind: 3 * _RATES[kind] for kind in always if kind not in rates})


def only(seed: int, *kinds: str) -> Faults:
    rng = random.Random(f"weather {seed}")
    return Faults(**{kind: _RATES[kind] * rng.choice((1, 1, 3)) for kind in kinds})
