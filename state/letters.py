"""What do shards tell each other, beside the events a shop sends? The contents of letters."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from msgspec.json import Encoder
from xxhash import xxh3_128_hexdigest

from state.event import Event
from state.population import Totals
from state.scores import Cuts
from state.values import Count, Id, Millis, Money

PRICES_LIMIT = 16


class StockEdge(Event, frozen=True, gc=False, kw_only=True):
    """Stock of a SKU fell to the threshold (`low`) or came back from nothing (`back`), out `since` then."""

    sku: Id
    edge: Literal["low", "back"]
    available: Count
    since: Millis = 0


class PriceEdge(Event, frozen=True, gc=False, kw_only=True):
    """The price of a SKU fell, or became known. `prices`: what it was since when (epoch ms), this one the last."""

    sku: Id
    price: Money
    prices: Annotated[tuple[tuple[int, Money], ...], Meta(max_length=PRICES_LIMIT)]


class LinkAsked(Event, frozen=True, gc=False, kw_only=True):
    """To a user: you are `to_id`, go there."""

    to_id: Id


class UserMoved(Event, frozen=True, gc=False, kw_only=True):
    """To a user: all that `from_id` was, which is an alias of yours from now on. `state` is a packed User."""

    from_id: Id
    state: bytes


class Referred(Event, frozen=True, gc=False, kw_only=True):
    """To a referee: who brought you."""

    referrer: Id


class ReferralPaid(Event, frozen=True, gc=False, kw_only=True):
    """To a referrer: the first order of somebody you brought has counted; `ts` is when."""

    referee_id: Id


class ReferralUndone(Event, frozen=True, gc=False, kw_only=True):
    """To a referrer: that first order was cancelled or refunded; `ts` is when."""

    referee_id: Id


class Counted(Event, frozen=True, gc=False, kw_only=True):
    """To the shard that gathers: in which buckets the buyers of `shard` are, as of `ts`."""

    shard: Count
    totals: Totals


class CutsFound(Event, frozen=True, gc=False, kw_only=True):
    """To all shards: by which cut points to score from event time `since` on; null: there are too few buyers."""

    since: Millis
    cuts: Cuts | None


def id_of(*cause: str) -> str:
    """The id of what follows from a cause: the same after any replay, another one for anything else."""
    return xxh3_128_hexdigest(_encode(cause))


# A JSON array, because ids may hold any separator that a join would use.
_encode = Encoder().encode
