"""What do we know about one person? User: everything rolling, every collection bounded.

The Struct is array-like: on the wire it is a MessagePack array that begins with the layout version,
documented in docs/state.md and readable with the `msgpack` package alone. Append fields, never reorder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from state.activity import Activity
from state.browsing import Browsing
from state.cart import Cart
from state.community import Community
from state.contact import Contact, Pending
from state.favourites import Favourites
from state.history import History
from state.identity import Ties
from state.lifecycle import Lifecycle
from state.membership import Membership
from state.migrations import migrated
from state.orders import Orders
from state.patterns import Patterns
from state.population import Place
from state.purchases import Purchases
from state.replies import Replies
from state.rfm import Rfm
from state.scenes import Scenes
from state.service import Service
from state.standing import Standing

LAYOUT = 2  # raised with a step in migrations.py
MARK_BYTES = 8  # the hash of an event id
SEEN_BYTES = MARK_BYTES * 64  # the last 64 events of this user: among them a duplicate is noticed


class User(Struct, array_like=True, gc=False):
    layout: Annotated[int, Meta(ge=LAYOUT, le=LAYOUT)]  # so that another one does not decode
    user_id: str
    first_seen_at: int | None = None
    last_seen_at: int | None = None
    registered_at: int | None = None
    registered_event: str | None = None
    erased_at: int | None = None
    decided_at: int = -1
    due: int | None = None
    seen: bytes = b""
    activity: Activity = msgspec.field(default_factory=Activity)
    own_lifecycle: Lifecycle | None = None
    own_rfm: Rfm | None = None
    own_orders: Orders | None = None
    own_cart: Cart | None = None
    own_favourites: Favourites | None = None
    own_contact: Contact | None = None
    own_wakes: dict[str, int] | None = None
    own_ties: Ties | None = None
    own_browsing: Browsing | None = None
    own_membership: Membership | None = None
    own_purchases: Purchases | None = None
    own_service: Service | None = None
    own_community: Community | None = None
    own_scenes: Scenes | None = None
    own_patterns: Patterns | None = None
    own_standing: Standing | None = None
    own_stanzas: dict[str, int] | None = None
    own_replies: Replies | None = None
    own_history: History | None = None
    own_place: Place | None = None  # only flows/buyers.py changes it

    # Most people look around and no more: a part that nobody has asked for costs nothing, in memory or in
    # Redis (nil). It comes into being when first asked for; the `own_` names look without asking.

    @property
    def lifecycle(self) -> Lifecycle:
        if self.own_lifecycle is None:
            self.own_lifecycle = Lifecycle()
        return self.own_lifecycle

    @property
    def rfm(self) -> Rfm:
        if self.own_rfm is None:
            self.own_rfm = Rfm()
        return self.own_rfm

    @property
    def orders(self) -> Orders:
        if self.own_orders is None:
            self.own_orders = Orders()
        return self.own_orders

    @property
    def cart(self) -> Cart:
        if self.own_cart is None:
            self.own_cart = Cart()
        return self.own_cart

    @property
    def favourites(self) -> Favourites:
        if self.own_favourites is None:
            self.own_favourites = Favourites()
        return self.own_favourites

    @property
    def contact(self) -> Contact:
        if self.own_contact is None:
            self.own_contact = Contact()
        return self.own_contact

    @property
    def wakes(self) -> dict[str, int]:
        """When to ask which rule again, by rule name."""
        if self.own_wakes is None:
            self.own_wakes = {}
        return self.own_wakes

    @property
    def ties(self) -> Ties:
        if self.own_ties is None:
            self.own_ties = Ties()
        return self.own_ties

    @property
    def browsing(self) -> Browsing:
        if self.own_browsing is None:
            self.own_browsing = Browsing()
        return self.own_browsing

    @property
    def membership(self) -> Membership:
        if self.own_membership is None:
            self.own_membership = Membership()
        return self.own_membership

    @property
    def purchases(self) -> Purchases:
        if self.own_purchases is None:
            self.own_purchases = Purchases()
        return self.own_purchases

    @property
    def service(self) -> Service:
        if self.own_service is None:
            self.own_service = Service()
        return self.own_service

    @property
    def community(self) -> Community:
        if self.own_community is None:
            self.own_community = Community()
        return self.own_community

    @property
    def scenes(self) -> Scenes:
        if self.own_scenes is None:
            self.own_scenes = Scenes()
        return self.own_scenes

    @property
    def patterns(self) -> Patterns:
        if self.own_patterns is None:
            self.own_patterns = Patterns()
        return self.own_patterns

    @property
    def standing(self) -> Standing:
        if self.own_standing is None:
            self.own_standing = Standing()
        return self.own_standing

    def note_stanza(self, rule: str, number: int) -> None:
        """By which of its stanzas what the rule waits for (`wakes`) began; of the first, 0, nothing is written."""
        if number:
            if self.own_stanzas is None:
                self.own_stanzas = {}
            self.own_stanzas[rule] = number
        elif self.own_stanzas is not None:
            self.own_stanzas.pop(rule, None)
            self.own_stanzas = self.own_stanzas or None

    def stanza_of(self, rule: str) -> int:
        return 0 if self.own_stanzas is None else self.own_stanzas.get(rule, 0)

    @property
    def replies(self) -> Replies:
        if self.own_replies is None:
            self.own_replies = Replies()
        return self.own_replies

    @property
    def history(self) -> History:
        if self.own_history is None:
            self.own_history = History()
        return self.own_history

    @property
    def alias_of(self) -> str | None:
        """Where to go on, if this is no user any more."""
        return None if self.own_ties is None else self.own_ties.alias_of

    @property
    def pending(self) -> Sequence[Pending]:
        """What waits to be said."""
        return () if self.own_contact is None else self.own_contact.pending

    @property
    def has_ordered(self) -> bool:
        return self.own_rfm is not None and self.own_rfm.orders > 0

    @classmethod
    def new(cls, user_id: str) -> User:
        return cls(LAYOUT, user_id)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(User)


def pack(user: User) -> bytes:
    return _encoder.encode(user)


def unpack(blob: bytes) -> User:
    """Also of an older layout, of which a current one pays nothing: it does not decode, and is then migrated."""
    try:
        return _decoder.decode(blob)
    except msgspec.ValidationError:
        current = migrated(blob, LAYOUT)
        if current is None:
            raise
    return _decoder.decode(current)
