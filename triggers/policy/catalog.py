"""Which gates are there, and in which order are they asked? The first refusal wins."""

from __future__ import annotations

from triggers.policy import consent, frequency_cap, quiet_hours, stop_list
from triggers.policy.gate import Gate

GATES: tuple[Gate, ...] = (consent.GATE, stop_list.GATE, quiet_hours.GATE, frequency_cap.GATE)
