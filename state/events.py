"""What can happen? The event union: one frozen Struct per kind, tagged by `type`.

Field names and types are the contract of docs/events.md. `ts` may arrive as RFC 3339 text; the codec turns
it into an integer before anyone else sees the event.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from state.calls import Call as Call  # noqa: PLC0414 # a word of this module too
from state.calls import CampaignStage as CampaignStage  # noqa: PLC0414 # the same
from state.calls import Context as Context  # noqa: PLC0414 # the same
from state.calls import WeatherAlert as WeatherAlert  # noqa: PLC0414 # the same
from state.event import Event as Event  # noqa: PLC0414 # the same
from state.event import UserEvent as UserEvent  # noqa: PLC0414 # the same
from state.identity import Walk
from state.letters import Counted, CutsFound, LinkAsked, ReferralPaid, ReferralUndone, Referred, UserMoved
from state.letters import PriceEdge as PriceEdge  # noqa: PLC0414 # the same
from state.letters import StockEdge as StockEdge  # noqa: PLC0414 # the same
from state.values import MAX_LINES, Birthday, Count, Currency, Id, Millis, Money, PersonId, Quantity, Text


class Line(Struct, frozen=True, gc=False, kw_only=True):
    sku: Id
    quantity: Quantity
    price: Money = 0
    category: Id | None = None


# clickstream


class SessionStarted(UserEvent, frozen=True, gc=False):
    pass


class ProductViewed(UserEvent, frozen=True, gc=False, kw_only=True):
    sku: Id
    category: Id | None = None
    price: Money | None = None


class CategoryViewed(UserEvent, frozen=True, gc=False, kw_only=True):
    category: Id


class Searched(UserEvent, frozen=True, gc=False, kw_only=True):
    query: Text


class CartItemAdded(UserEvent, frozen=True, gc=False, kw_only=True):
    sku: Id
    quantity: Quantity
    price: Money
    category: Id | None = None
    currency: Currency | None = None


class CartItemRemoved(UserEvent, frozen=True, gc=False, kw_only=True):
    """Without `quantity` the whole line goes."""

    sku: Id
    quantity: Quantity | None = None


class CartCleared(UserEvent, frozen=True, gc=False):
    pass


class Favorited(UserEvent, frozen=True, gc=False, kw_only=True):
    sku: Id


class Unfavorited(UserEvent, frozen=True, gc=False, kw_only=True):
    sku: Id


class StoreFollowed(UserEvent, frozen=True, gc=False):
    pass


class StoreUnfollowed(UserEvent, frozen=True, gc=False):
    pass


class CheckedIn(UserEvent, frozen=True, gc=False):
    pass


class ContentShared(UserEvent, frozen=True, gc=False, kw_only=True):
    target: Id
    likes: Count | None = None


# orders


class OrderPlaced(UserEvent, frozen=True, gc=False, kw_only=True):
    order_id: Id
    lines: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=MAX_LINES)]
    total: Money
    currency: Currency | None = None
    coupon: Id | None = None
    trigger_id: Id | None = None


class OrderPaid(UserEvent, frozen=True, gc=False, kw_only=True):
    order_id: Id


class OrderCancelled(UserEvent, frozen=True, gc=False, kw_only=True):
    order_id: Id


class OrderDelivered(UserEvent, frozen=True, gc=False, kw_only=True):
    order_id: Id


class RefundIssued(UserEvent, frozen=True, gc=False, kw_only=True):
    order_id: Id
    amount: Money
    lines: Annotated[tuple[Line, ...], Meta(max_length=MAX_LINES)] | None = None
    reason: Text | None = None
    currency: Currency | None = None


class ReturnRequested(UserEvent, frozen=True, gc=False, kw_only=True):
    order_id: Id
    reason: Text
    lines: Annotated[tuple[Line, ...], Meta(max_length=MAX_LINES)] | None = None


# inventory: keyed by SKU, no user


class StockChanged(Event, frozen=True, gc=False, kw_only=True):
    sku: Id
    available: Count
    category: Id | None = None


class PriceChanged(Event, frozen=True, gc=False, kw_only=True):
    sku: Id
    price: Money
    currency: Currency | None = None


# customers


class Registered(UserEvent, frozen=True, gc=False):
    pass


class ProfileUpdated(UserEvent, frozen=True, gc=False, kw_only=True):
    birthday: Birthday | None = None
    child_birthdays: Annotated[tuple[Birthday, ...], Meta(max_length=10)] | None = None
    region: Id | None = None
    timezone: Id | None = None
    locale: Id | None = None
    preferred_channels: Annotated[tuple[Id, ...], Meta(max_length=10)] | None = None


class ConsentChanged(UserEvent, frozen=True, gc=False, kw_only=True):
    channel: Id
    granted: bool


class IdentityLinked(UserEvent, frozen=True, gc=False, kw_only=True):
    from_id: PersonId
    to_id: PersonId


class PointsGranted(UserEvent, frozen=True, gc=False, kw_only=True):
    lot_id: Id
    points: Quantity
    expires_at: Millis


class PointsSpent(UserEvent, frozen=True, gc=False, kw_only=True):
    points: Quantity


class ReferralCompleted(UserEvent, frozen=True, gc=False, kw_only=True):
    referee_id: PersonId


class ComplaintOpened(UserEvent, frozen=True, gc=False, kw_only=True):
    id: Id
    topic: Text


class ComplaintClosed(UserEvent, frozen=True, gc=False, kw_only=True):
    id: Id


class ReviewPosted(UserEvent, frozen=True, gc=False, kw_only=True):
    sku: Id
    rating: Annotated[int, Meta(ge=0, le=5)]


class EraseRequested(UserEvent, frozen=True, gc=False):
    pass


# engagement


class Engagement(UserEvent, frozen=True, gc=False, kw_only=True):
    trigger_id: Id
    channel: Id


class MessageDelivered(Engagement, frozen=True, gc=False):
    pass


class MessageOpened(Engagement, frozen=True, gc=False):
    pass


class MessageClicked(Engagement, frozen=True, gc=False):
    pass


class MessageBounced(Engagement, frozen=True, gc=False):
    pass


class Unsubscribed(Engagement, frozen=True, gc=False):
    pass


Clickstream = (
    SessionStarted | ProductViewed | CategoryViewed | Searched | CartItemAdded | CartItemRemoved | CartCleared
    | Favorited | Unfavorited | StoreFollowed | StoreUnfollowed | CheckedIn | ContentShared
)  # fmt: skip
Orders = OrderPlaced | OrderPaid | OrderCancelled | OrderDelivered | RefundIssued | ReturnRequested
Inventory = StockChanged | PriceChanged
Customers = (
    Registered | ProfileUpdated | ConsentChanged | IdentityLinked | PointsGranted | PointsSpent | ReferralCompleted
    | ComplaintOpened | ComplaintClosed | ReviewPosted | EraseRequested
)  # fmt: skip
Engagements = MessageDelivered | MessageOpened | MessageClicked | MessageBounced | Unsubscribed


# letters: written by shards for shards, never by a shop (design: "everything that crosses shards")

Content = (
    Clickstream | Orders | Customers | Engagements | StockEdge | PriceEdge | LinkAsked | UserMoved | Referred
    | ReferralPaid | ReferralUndone
)  # fmt: skip


class Letter(Event, frozen=True, gc=False, kw_only=True):
    """Something for one user, wherever that one lives: an event of one of its aliases, or a word between users.

    `to` is the id it goes to next, `origin` the first one; `late` by the clock of the shard that wrote it.
    """

    to: Id
    origin: Id
    content: Content
    late: bool = False
    walk: Walk = Walk()


ItemEdge = StockEdge | PriceEdge
AmongCounters = Counted | CutsFound
Letters = StockEdge | PriceEdge | Letter | Call | Counted | CutsFound

# Canonical topic order: also the order in which events of one instant are applied.
TOPICS: dict[str, object] = {
    "clickstream": Clickstream,
    "orders": Orders,
    "inventory": Inventory,
    "customers": Customers,
    "engagement": Engagements,
    "context": Context,
    "letters": Letters,
}
