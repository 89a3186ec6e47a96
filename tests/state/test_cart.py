"""Does the cart hold what a patient bookkeeper says, and does it mind the order of events?"""

from __future__ import annotations

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from state.cart import GONE_LIMIT, LINES_LIMIT, Cart

SKUS = ("k1", "k2", "k3")


Kind = Literal["add", "remove", "clear", "order"]
KINDS: tuple[Kind, ...] = ("add", "add", "remove", "clear", "order")


class Touch(Struct, frozen=True):
    """Something done to a cart at its own time; `quantity` None: the whole line."""

    kind: Kind
    ts: int
    skus: tuple[str, ...]
    quantity: int | None


def _do(cart: Cart, touch: Touch) -> None:
    name = f"e{touch.ts}"
    if touch.kind == "add":
        cart.add(touch.ts, name, touch.skus[0], touch.quantity or 1, touch.ts, None)
    elif touch.kind == "remove":
        cart.remove(touch.ts, name, touch.skus[0], touch.quantity)
    elif touch.kind == "clear":
        cart.clear(touch.ts, name)
    else:
        cart.order(touch.ts, name, list(touch.skus))


@st.composite
def touches(draw: st.DrawFn, *, whole_lines: bool) -> list[Touch]:
    times = draw(st.lists(st.integers(0, 1000), unique=True, max_size=14))
    kinds = st.sampled_from(KINDS)
    return [
        Touch(
            kind := draw(kinds),
            ts,
            tuple(draw(st.lists(st.sampled_from(SKUS), min_size=1, max_size=3))),
            None if kind == "remove" and whole_lines else draw(st.none() | st.integers(1, 3)),
        )
        for ts in sorted(times)
    ]


@given(touches(whole_lines=False))
def test_in_order_of_time_it_is_plain_bookkeeping(history: list[Touch]) -> None:
    cart, held, changed = Cart(), dict[str, int](), None
    for touch in history:
        _do(cart, touch)
        before = dict(held)
        if touch.kind == "add":
            held[touch.skus[0]] = held.get(touch.skus[0], 0) + (touch.quantity or 1)
        elif touch.kind == "remove" and touch.skus[0] in held:
            held[touch.skus[0]] -= held[touch.skus[0]] if touch.quantity is None else touch.quantity
        elif touch.kind == "clear":
            held.clear()
        elif touch.kind == "order":
            held = {sku: n for sku, n in held.items() if sku not in touch.skus}
        held = {sku: n for sku, n in held.items() if n > 0}
        if held != before:
            changed = touch.ts
    assert {sku: line.quantity for sku, line in cart.lines.items()} == held
    assert (cart.changed_at, cart.anchor) == (changed, None if changed is None else f"e{changed}")


@given(touches(whole_lines=True), st.data())
def test_in_any_order_a_sku_is_in_the_cart_if_its_last_add_is_later_than_all_that_took_it_out(
    history: list[Touch], data: st.DataObject
) -> None:
    cart = Cart()
    for touch in data.draw(st.permutations(history)):
        _do(cart, touch)
    latest: dict[str, int] = {}
    for touch in history:
        for sku in SKUS:
            if touch.kind == "clear" or sku in (touch.skus if touch.kind == "order" else touch.skus[:1]):
                latest.pop(sku, None)
                if touch.kind == "add":
                    latest[sku] = touch.ts
    assert {sku: (line.added_at, line.price) for sku, line in cart.lines.items()} == {
        sku: (ts, ts) for sku, ts in latest.items()
    }


def test_an_add_that_comes_after_its_order_is_no_change_and_neither_was_the_order() -> None:
    """What is in the cart does not mind the order of events, its clock does: see docs/state.md."""
    in_order, late = Cart(), Cart()
    in_order.add(1, "e1", "k1", 1, 100, None)
    for cart in (in_order, late):
        cart.order(2, "e2", ["k1"])
    late.add(1, "e1", "k1", 1, 100, None)
    assert late.lines == in_order.lines == {}
    assert late.gone == in_order.gone == {"k1": 2}
    assert (in_order.changed_at, in_order.anchor) == (2, "e2")
    assert (late.changed_at, late.anchor) == (None, None)


def test_an_overfull_cart_loses_its_oldest_line_and_says_so() -> None:
    cart = Cart()
    for n in range(LINES_LIMIT + 2):
        cart.add(n, f"e{n}", f"k{n}", 1, 100, None)
    assert len(cart.lines) == LINES_LIMIT
    assert "k1" not in cart.lines
    assert "k2" in cart.lines
    assert cart.overflowed == 2


def test_what_was_taken_out_is_remembered_within_bounds() -> None:
    cart = Cart()
    cart.order(5, "e", [f"k{n}" for n in range(500)])
    cart.remove(9, "e", "k-last", None)
    assert len(cart.gone) == GONE_LIMIT
    assert "k-last" in cart.gone


def test_at_one_moment_the_event_read_later_counts() -> None:
    cart = Cart()
    cart.add(5, "e1", "k1", 1, 100, None)
    cart.remove(5, "e2", "k1", None)
    assert cart.lines == {}
    cart.add(5, "e3", "k1", 1, 90, None)
    cart.add(5, "e4", "k1", 1, 80, None)
    assert (cart.lines["k1"].quantity, cart.lines["k1"].price, cart.anchor) == (2, 80, "e4")
    cart.clear(5, "e5")
    assert (cart.lines, cart.anchor) == ({}, "e5")
    cart.add(5, "e6", "k1", 1, 100, None)
    assert cart.anchor == "e6"
