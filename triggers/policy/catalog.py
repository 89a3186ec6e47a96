"""Which gates are there, and in which order are they asked? The first refusal wins."""

from __future__ import annotations

from triggers.policy import (
    arbitration,
    consent,
    frequency_cap,
    holdout,
    offers,
    quiet_hours,
    stop_list,
    variants,
)
from triggers.policy.gate import Gate

# The hold-out is last: a ghost has passed everything that a message passes.
GATES: tuple[Gate, ...] = (
    consent.GATE,
    stop_list.GATE,
    quiet_hours.GATE,
    frequency_cap.GATE,
    arbitration.GATE,
    offers.GATE,
    variants.GATE,
    holdout.GATE,
)
