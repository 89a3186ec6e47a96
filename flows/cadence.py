"""How often is what has happened committed, and said?"""

from __future__ import annotations

from msgspec import Struct


class Cadence(Struct, frozen=True):
    """When to commit: live at once but at most every `interval_seconds`, in a backlog when `age_seconds` old.

    `journal_seconds`: a shard with nothing to publish writes into the journal so often, that a scan stays short.
    """

    interval_seconds: float
    age_seconds: float
    heartbeat_seconds: float
    journal_seconds: float
