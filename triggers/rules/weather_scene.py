"""Whose region is warned of weather for which they like to buy?

A weather alert is told once, `lead` before the weather begins, or when the alert comes if that is later; who comes to
the region while the alert lasts is told then. Whether there is an affinity is looked at at that moment: who shows it
later is in the shop already. Each alert (event id) counts by itself, also one that says the same again.
"""

from __future__ import annotations

from state import events
from state.audience import of_region
from state.calendar import Duration, iso
from state.folding import FoldParams
from state.scenes import HeardAlert
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import nearest, so, when

NAME = "weather_scene"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`conditions`: which categories each is good for; others are passed over.

    `min_affinity`: views, adds and orders in such a category.
    """

    lead: Duration
    conditions: dict[str, tuple[str, ...]]
    min_affinity: int


def audience(alert: events.WeatherAlert, params: Params) -> str | None:
    is_over = alert.ends_at <= max(alert.ts, alert.starts_at)
    return None if is_over or not params.conditions.get(alert.condition) else of_region(alert.region)


def reaches(user: User, alert: events.WeatherAlert, params: Params) -> bool:
    """An alert that is told at once concerns nobody without an affinity; of another one we shall see."""
    return alert.starts_at - params.lead > alert.ts or bool(_liked(user, alert.condition, params))


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, scenes = asked.user, asked.user.own_scenes
    if scenes is None:
        return None
    for alert in sorted(scenes.alerts, key=lambda alert: (_due(alert, params), alert.id)):
        due = _due(alert, params)
        if alert.settled or not (due <= alert.at or asked.passed(due)):
            continue
        alert.settled = True
        liked = _liked(user, alert.condition, params)
        if liked and user.contact.region == alert.region:
            return Candidate(
                rule=NAME,
                version=RULE.version,
                user_id=user.user_id,
                step=1,
                anchor=alert.id,
                at=due,
                reason=f"weather alert for the region: {alert.condition}",
                fields={
                    "condition": alert.condition,
                    "region": alert.region,
                    "categories": liked,
                    "starts_at": iso(alert.starts_at),
                    "ends_at": iso(alert.ends_at),
                },
                offer=params.offer,
            )
    return None


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    scenes = user.own_scenes
    if scenes is None:
        return None
    return min((_due(alert, params) for alert in scenes.alerts if not alert.settled), default=None)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    """Until the alert is over, and while the user stays in the region."""
    alert = next((each for each in asked.user.scenes.alerts if each.id == candidate.anchor), None)
    stays = alert is not None and asked.user.contact.region == alert.region
    return None if stays and alert is not None and asked.now < alert.ends_at else Reason.STALE


def _due(alert: HeardAlert, params: Params) -> int:
    return max(alert.at, alert.starts_at - params.lead)


def _liked(user: User, condition: str, params: Params) -> list[str]:
    """Categories for this weather to which the user has an affinity, the strongest first."""
    times = user.activity.categories
    found = [
        each for each in params.conditions.get(condition, ()) if times.get(each, 0) >= params.min_affinity
    ]
    return sorted(found, key=lambda category: (-times[category], category))


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, scenes = asked.user, asked.user.own_scenes
    region = user.contact.region
    groups = []
    for alert in [] if scenes is None else [each for each in scenes.alerts if not each.settled]:
        due, liked = _due(alert, params), _liked(user, alert.condition, params)
        goods = ", ".join(params.conditions.get(alert.condition, ())) or "nothing"
        groups.append(
            [
                so(
                    True,
                    f"an alert has come: {alert.condition} in {alert.region} from {when(alert.starts_at)}",
                ),
                so(region == alert.region, f"she lives there: in {region or 'no region that is known'}"),
                so(
                    bool(liked),
                    f"she likes what it is good for ({goods}): {', '.join(liked) or 'none of it'}",
                ),
                so(due <= alert.at or asked.passed(due), "its moment has come", due),
            ]
        )
    where = "her region, which is not known" if region is None else f"her region, {region}"
    return nearest(groups, f"weather is announced for {where}")


RULE = Rule(
    name=NAME,
    version=1,
    question="Whose region is warned of weather for which they like to buy?",
    params=Params,
    on=(events.WeatherAlert,),
    audience=audience,
    reaches=reaches,
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    swayed_by=(events.ProductViewed, events.CategoryViewed, events.CartItemAdded, events.OrderPlaced),
    fields={
        "condition": "as in the alert",
        "region": "as in the alert, the user's",
        "categories": "categories for this weather that the user likes, the strongest affinity first",
        "starts_at": "RFC 3339, when the weather begins",
        "ends_at": "RFC 3339, when the alert is over",
    },
)
