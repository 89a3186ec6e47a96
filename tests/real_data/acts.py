"""What follows from what people did in a shop? Straight from a table of it, without beckon.

A row of `acts` is one act: `user`, `kind` (view, cart, remove, favourite, order), `sku`, `price` (minor units), `at`
(epoch ms). A cart holds one piece more of a SKU after each `cart`; `remove` and `order` take its whole line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import pandas as pd
from msgspec import Struct

MINUTE = 60_000

Cart = dict[str, tuple[int, int]]
"""Quantity and price by SKU."""
Act = tuple[int, str, str, int]
"""When, kind, SKU, price."""


class Told(Struct, frozen=True, order=True):
    """Who should hear of what, and when (epoch ms); a line is SKU, quantity and price, where the user's cart has it."""

    user_id: str
    due: int
    step: int
    lines: tuple[tuple[str, int | None, int | None], ...] = ()


class Known(Struct):
    """What should be known of somebody in the end; `net_amount` is minor units, moments are epoch ms."""

    first_seen_at: int
    last_seen_at: int
    views: int
    orders: int
    net_amount: int
    last_order_at: int | None
    cart: Cart


def in_order(acts: pd.DataFrame) -> pd.DataFrame:
    """As beckon takes them: by time; of one instant what was clicked before what was ordered, else line by line."""
    ordered = acts.assign(last=acts["kind"] == "order").sort_values(["at", "last"], kind="stable")
    return ordered.drop(columns="last")


def known(acts: pd.DataFrame) -> dict[str, Known]:
    seen = acts.groupby("user")["at"].agg(["min", "max"])
    views = acts[acts["kind"] == "view"].groupby("user").size()
    bought = acts[acts["kind"] == "order"].groupby("user").agg(
        orders=("at", "size"), net=("price", "sum"), last=("at", "max")
    )  # fmt: skip
    orders = {user: (count, net, last) for user, count, net, last in bought.itertuples(name=None)}
    carts = {user: cart_after(mine) for user, mine in by_user(acts)}
    return {
        user: Known(
            first, last, int(views.get(user, 0)), *orders.get(user, (0, 0, None)), carts.get(user, {})
        )
        for user, first, last in seen.itertuples(name=None)
    }


def first_orders(acts: pd.DataFrame) -> list[Told]:
    """When everybody who ever bought bought first."""
    first = acts[acts["kind"] == "order"].groupby("user")["at"].min()
    return sorted(Told(str(user), int(at), 1) for user, at in first.items())


def cart_reminders(acts: pd.DataFrame, delays: Sequence[int]) -> list[Told]:
    """Every cart that nobody changed for each of `delays` (ms), a step each, as far as the acts reach in time.

    What happens at exactly the due time counts as before it.
    """
    last = int(acts["at"].max())
    return sorted(told for user, mine in by_user(acts) for told in _reminders(user, mine, delays, last))


def by_user(acts: pd.DataFrame) -> Iterator[tuple[str, list[Act]]]:
    """What each did that may change a cart, in order; those who did no such thing are left out."""
    mine: dict[str, list[Act]] = {}
    touching = acts[acts["kind"].isin(["cart", "remove", "order"])]
    for user, *act in touching[["user", "at", "kind", "sku", "price"]].itertuples(index=False, name=None):
        mine.setdefault(user, []).append((act[0], act[1], act[2], act[3]))
    yield from mine.items()


def cart_after(acts: Iterable[Act]) -> Cart:
    cart: Cart = {}
    for act in acts:
        change(cart, act)
    return cart


def change(cart: Cart, act: Act) -> bool:
    """Do this to the cart; did it change?"""
    _, kind, sku, price = act
    if kind == "cart":
        cart[sku] = (cart.get(sku, (0, 0))[0] + 1, price)
        return True
    return cart.pop(sku, None) is not None


def _reminders(user: str, acts: list[Act], delays: Sequence[int], last: int) -> Iterator[Told]:
    """Each stretch of time in which the cart stayed as it was, up to the next change or the end of all."""
    cart: Cart = {}
    states = [(act[0], dict(cart)) for act in acts if change(cart, act)]
    for (since, lines), (until, _) in pairwise([*states, (last + 1, {})]):
        for step, delay in enumerate(delays, start=1):
            if lines and since + delay < until:
                told = tuple(sorted((sku, quantity, price) for sku, (quantity, price) in lines.items()))
                yield Told(user, since + delay, step, told)
