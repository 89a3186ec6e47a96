"""What do we know about one person? User: everything rolling, every collection bounded.

The Struct is array-like: on the wire it is a MessagePack array that begins with the layout version,
documented in docs/state.md and readable with the `msgpack` package alone. Append fields, never reorder.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from state.activity import Activity
from state.cart import Cart
from state.contact import Contact
from state.lifecycle import Lifecycle
from state.orders import Orders
from state.rfm import Rfm

LAYOUT = 1
SEEN_BYTES = 8 * 64  # 64 hashes of 8 bytes: the events of this user among which a duplicate is noticed
FAVOURITES_LIMIT = 50


class User(Struct, array_like=True, gc=False):
    layout: int
    user_id: str
    first_seen_at: int | None = None
    last_seen_at: int | None = None
    registered_at: int | None = None
    registered_event: str | None = None
    erased_at: int | None = None
    decided_at: int = -1
    due: int | None = None
    wakes: dict[str, int] = {}
    seen: bytes = b""
    rfm: Rfm = msgspec.field(default_factory=Rfm)
    orders: Orders = msgspec.field(default_factory=Orders)
    activity: Activity = msgspec.field(default_factory=Activity)
    cart: Cart = msgspec.field(default_factory=Cart)
    favourites: dict[str, int] = {}
    unfavoured: dict[str, int] = {}
    lifecycle: Lifecycle = msgspec.field(default_factory=Lifecycle)
    contact: Contact = msgspec.field(default_factory=Contact)

    @classmethod
    def new(cls, user_id: str) -> User:
        return cls(LAYOUT, user_id)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(User)


def pack(user: User) -> bytes:
    return _encoder.encode(user)


def unpack(blob: bytes) -> User:
    return _decoder.decode(blob)
