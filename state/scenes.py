"""Which calls to many at once (weather, campaigns) has this user heard, and in which audiences is the user?

A call that is over makes room when a later one is heard; of those that are not, the latest heard stay.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from state import marks
from state.calendar import DAY
from state.marks import mark_of

ALERTS_LIMIT = 8
STAGES_LIMIT = 8
MADE_ROOM_LIMIT = 64
STAGES_KEPT = 30 * DAY  # a stage that is over, as the campaign's next one asks when the campaign began


class HeardAlert(Struct, array_like=True, gc=False):
    """A weather alert, heard `at`. `settled`: its moment has come, and the user was told or had no affinity."""

    id: str
    at: int
    condition: str
    region: str
    starts_at: int
    ends_at: int
    settled: bool = False

    @property
    def done(self) -> bool:
        return self.settled

    @property
    def mark(self) -> bytes:
        return mark_of(self.id)


class HeardStage(Struct, array_like=True, gc=False):
    """A campaign's stage, heard `at`.

    `begun`: its start has been acted upon. `told`: what the user was told (`reminder`, `coupon`, `gift`), else empty.
    """

    campaign: str
    stage: str
    at: int
    starts_at: int
    ends_at: int
    audience: str | None = None
    begun: bool = False
    told: str = ""

    @property
    def name(self) -> tuple[str, str, int]:
        return self.campaign, self.stage, self.starts_at

    @property
    def done(self) -> bool:
        return bool(self.told)

    @property
    def mark(self) -> bytes:
        return mark_of(f"{self.starts_at} {self.stage} {self.campaign}")


class Scenes(Struct, array_like=True, gc=False):
    """`region` and `interested`: the audiences in which the user is listed (state/audience.py).

    `called_to`: the number of the latest call of the shard that reached the user before the walk through the audience.
    `made_room`: marks (state/marks.py) of alerts and stages that were done with, but not over as they made room.
    """

    alerts: list[HeardAlert] = []
    stages: list[HeardStage] = []
    region: str | None = None
    interested: bool = False
    called_to: int = -1
    made_room: bytes = b""

    def hear_alert(self, heard: HeardAlert) -> bool:
        """False if it is known, or over."""
        if heard.ends_at <= heard.at or any(alert.id == heard.id for alert in self.alerts):
            return False
        if self._made_room(heard):
            return False
        known = [*self.alerts, heard]
        self.alerts = _alerts(known)
        self._note_gone(known, self.alerts)
        return True

    def hear_stage(self, heard: HeardStage) -> bool:
        """Said again, only its end and whom it is for can be new; False if all is known, or it is over."""
        for known in self.stages:
            if known.name == heard.name:
                is_new = (known.ends_at, known.audience) != (heard.ends_at, heard.audience)
                known.ends_at, known.audience = heard.ends_at, heard.audience
                return is_new
        if heard.ends_at <= heard.at or self._made_room(heard):
            return False
        stages = [*self.stages, heard]
        self.stages = _stages(stages)
        self._note_gone(stages, self.stages)
        return True

    def stage(self, campaign: str, stage: str, starts_at: int) -> HeardStage | None:
        name = campaign, stage, starts_at
        return next((known for known in self.stages if known.name == name), None)

    def began(self, campaign: str, by: int) -> int | None:
        """When the campaign began, of which a stage starts at `by`; None where no earlier stage was heard."""
        starts = [
            known.starts_at for known in self.stages if known.campaign == campaign and known.starts_at < by
        ]
        return min((at for at in starts if at >= by - STAGES_KEPT), default=None)

    def unite(self, other: Scenes) -> None:
        """Two ids are one person: what either was told was told. In which audiences she is, is asked anew."""
        alerts = {alert.id: alert for alert in self.alerts}
        for alert in other.alerts:
            own = alerts.setdefault(alert.id, alert)
            own.at, own.settled = min(own.at, alert.at), own.settled or alert.settled
        self.made_room = marks.unite(self.made_room, other.made_room, MADE_ROOM_LIMIT)
        known_alerts = [alert for alert in alerts.values() if alert.done or not self._made_room(alert)]
        self.alerts = _alerts(known_alerts)
        self._note_gone(known_alerts, self.alerts)
        stages = {stage.name: stage for stage in self.stages}
        for stage in other.stages:
            known = stages.setdefault(stage.name, stage)
            if known is not stage:
                last = max(known, stage, key=lambda each: (each.at, each.ends_at))
                known.ends_at, known.audience = last.ends_at, last.audience
                known.at, known.begun = min(known.at, stage.at), known.begun or stage.begun
                known.told = known.told or stage.told
        known_stages = [stage for stage in stages.values() if stage.done or not self._made_room(stage)]
        self.stages = _stages(known_stages)
        self._note_gone(known_stages, self.stages)

    def _made_room(self, heard: HeardAlert | HeardStage) -> bool:
        return bool(self.made_room) and heard.mark in marks.each(self.made_room)

    def _note_gone(
        self, known: Sequence[HeardAlert | HeardStage], kept: Sequence[HeardAlert | HeardStage]
    ) -> None:
        """What was told, has no room, and might be heard again: its end put off, or the user back in the audience."""
        latest = max((heard.at for heard in known), default=0)
        for heard in known:
            if heard.done and heard not in kept and heard.ends_at > latest:
                self.made_room = marks.note(self.made_room, heard.mark, MADE_ROOM_LIMIT)


def _alerts(known: list[HeardAlert]) -> list[HeardAlert]:
    latest = max((alert.at for alert in known), default=0)
    kept = [alert for alert in known if alert.ends_at > latest]
    return sorted(kept, key=lambda alert: (alert.at, alert.id))[-ALERTS_LIMIT:]


def _stages(known: list[HeardStage]) -> list[HeardStage]:
    latest = max((stage.at for stage in known), default=0)
    kept = [stage for stage in known if stage.ends_at + STAGES_KEPT > latest]
    return sorted(kept, key=lambda stage: (stage.at, stage.name))[-STAGES_LIMIT:]
