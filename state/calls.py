"""What is said to many at once? Context events, on their way to every shard, and how far a shard has come with one.

A call is for an audience: the users of a region, or those who have shown interest in something. A shard walks its
audience by user id, some at a time; how far it has come is in its ledger, with what the users were told.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, msgpack

from state.event import Event
from state.values import Id, Millis


class WeatherAlert(Event, frozen=True, gc=False, kw_only=True):
    region: Id
    condition: Id
    starts_at: Millis
    ends_at: Millis


class CampaignStage(Event, frozen=True, gc=False, kw_only=True):
    campaign: Id
    stage: Literal["warmup", "burst", "encore"]
    starts_at: Millis
    ends_at: Millis
    audience: Id | None = None


Context = WeatherAlert | CampaignStage


class Call(Event, frozen=True, gc=False, kw_only=True):
    """To a shard: what many of its users may have to hear of."""

    about: Context


class Calling(Struct, array_like=True, gc=False):
    """A call on one shard until it is over: who comes to the audience meanwhile is told too.

    `number` grows from call to call of a shard. Users up to `after` have been told in the order of ids, `told` of them
    so far; `done`: all.
    """

    audience: str
    number: int
    content: Context
    after: str = ""
    told: int = 0
    done: bool = False


pack_call = msgpack.Encoder().encode
unpack_call = msgpack.Decoder(Calling).decode
