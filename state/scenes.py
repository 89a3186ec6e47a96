"""Which calls to many at once (weather, campaigns) has this user heard, and in which audiences is the user?

A call that is over makes room when a later one is heard; of those that are not, the latest heard stay.
"""

from __future__ import annotations

from msgspec import Struct

from state.calendar import DAY

ALERTS_LIMIT = 8
STAGES_LIMIT = 8
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


class Scenes(Struct, array_like=True, gc=False):
    """`region` and `interested`: the audiences in which the user is listed (state/audience.py).

    `called_to`: the number of the latest call of the shard that reached the user before the walk through the audience.
    """

    alerts: list[HeardAlert] = []
    stages: list[HeardStage] = []
    region: str | None = None
    interested: bool = False
    called_to: int = -1

    def hear_alert(self, heard: HeardAlert) -> bool:
        """False if it is known, or over."""
        if heard.ends_at <= heard.at or any(alert.id == heard.id for alert in self.alerts):
            return False
        self.alerts = _alerts([*self.alerts, heard])
        return True

    def hear_stage(self, heard: HeardStage) -> bool:
        """Said again, only its end and whom it is for can be new; False if all is known, or it is over."""
        for known in self.stages:
            if known.name == heard.name:
                is_new = (known.ends_at, known.audience) != (heard.ends_at, heard.audience)
                known.ends_at, known.audience = heard.ends_at, heard.audience
                return is_new
        if heard.ends_at <= heard.at:
            return False
        self.stages = _stages([*self.stages, heard])
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
        self.alerts = _alerts([*alerts.values()])
        stages = {stage.name: stage for stage in self.stages}
        for stage in other.stages:
            known = stages.setdefault(stage.name, stage)
            if known is not stage:
                last = max(known, stage, key=lambda each: (each.at, each.ends_at))
                known.ends_at, known.audience = last.ends_at, last.audience
                known.at, known.begun = min(known.at, stage.at), known.begun or stage.begun
                known.told = known.told or stage.told
        self.stages = _stages([*stages.values()])


def _alerts(known: list[HeardAlert]) -> list[HeardAlert]:
    latest = max((alert.at for alert in known), default=0)
    kept = [alert for alert in known if alert.ends_at > latest]
    return sorted(kept, key=lambda alert: (alert.at, alert.id))[-ALERTS_LIMIT:]


def _stages(known: list[HeardStage]) -> list[HeardStage]:
    latest = max((stage.at for stage in known), default=0)
    kept = [stage for stage in known if stage.ends_at + STAGES_KEPT > latest]
    return sorted(kept, key=lambda stage: (stage.at, stage.name))[-STAGES_LIMIT:]
