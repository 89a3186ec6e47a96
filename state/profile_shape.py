"""What is in a profile? The types of what `state/profile.py` answers, of which docs/openapi.json is made.

A docstring is what readers of that document are told. What beckon does not know is there and null.
"""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from msgspec import Meta

Time = Annotated[str, Meta(description="RFC 3339, UTC", extra_json_schema={"format": "date-time"})]
Money = Annotated[int, Meta(description="minor units of the configured currency")]
Count = Annotated[int, Meta(ge=0)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Score = Annotated[int, Meta(ge=1, le=5)]


class Window(TypedDict):
    """Orders that count, and their net amount, in the last so many days."""

    orders: int
    net_amount: Money


class Scores(TypedDict):
    """1 to 5, 5 is best; null while segments go by thresholds, and before the first order."""

    r: Score | None
    f: Score | None
    m: Score | None


class RfmProfile(TypedDict):
    """Recency, frequency, money. `flags`: R, F and M as three digits, 1 for good; `cuts_version`: the cut points."""

    last_order_at: Time | None
    orders: int
    net_amount: Money
    windows: dict[str, Window]
    scores: Scores
    cuts_version: str | None
    flags: Annotated[str, Meta(pattern="^[01]{3}$")] | None
    segment: str | None
    group: str | None


class ActivityProfile(TypedDict):
    """Views and sessions by day numbers (48h: by hours)."""

    views_7d: Count
    views_30d: Count
    sessions_7d: Count
    sessions_30d: Count
    views_48h: Count


class LineProfile(TypedDict):
    sku: str
    quantity: Count
    price: Money | None
    added_at: Time


class CartProfile(TypedDict):
    changed_at: Time | None
    lines: list[LineProfile]


class StageProfile(TypedDict):
    """The stage of now; `since` is known of one that stage_changed has found."""

    stage: str | None
    since: Time | None


class MembershipProfile(TypedDict):
    """The tier of now, and points not spent nor expired."""

    tier: str | None
    points: int | None


class PredictionsProfile(TypedDict):
    """Null without a fitted model.

    `expected_value`: of an order to come; `next_order_at`: by then one is as probable as none.
    """

    p_no_purchase_8w: Probability | None
    p_alive: Probability | None
    expected_orders_26w: float | None
    expected_value: Money | None
    next_order_at: Time | None
    lifetime_value_52w: Money | None


class SentProfile(TypedDict):
    """What was sent. `opened`, `clicked`: null where nothing was heard of it."""

    id: str
    rule: str
    at: Time
    channel: str | None
    opened: bool | None
    clicked: bool | None


class Profile(TypedDict):
    """What is known about one user (interface.md section 7)."""

    user_id: str
    as_of: Time
    first_seen_at: Time | None
    last_seen_at: Time | None
    rfm: RfmProfile
    activity: ActivityProfile
    cart: CartProfile
    lifecycle: StageProfile
    membership: MembershipProfile
    tags: dict[str, Any]
    predictions: PredictionsProfile
    consent: dict[str, bool]
    recent_triggers: list[SentProfile]
    aliases: list[str]
