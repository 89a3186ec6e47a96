"""What does a call to many leave with one of them? A note, on which the rules act when its time has come."""

from __future__ import annotations

from state import events
from state.folding import DUPLICATE, Applied, FoldParams, Folds
from state.scenes import HeardAlert, HeardStage
from state.user import User


def _weather_alert(user: User, e: events.WeatherAlert, params: FoldParams) -> Applied | None:
    heard = HeardAlert(e.event_id, e.ts, e.condition, e.region, e.starts_at, e.ends_at)
    return None if user.scenes.hear_alert(heard) else DUPLICATE


def _campaign_stage(user: User, e: events.CampaignStage, params: FoldParams) -> Applied | None:
    heard = HeardStage(e.campaign, e.stage, e.ts, e.starts_at, e.ends_at, e.audience)
    return None if user.scenes.hear_stage(heard) else DUPLICATE


FOLDS: Folds = {
    events.WeatherAlert: _weather_alert,
    events.CampaignStage: _campaign_stage,
}
