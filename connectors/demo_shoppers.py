"""Who comes to the demo shop, and what do they do there?

Half of the shoppers have a past of up to 130 days, each with a habit that some rule is about; the others
register on the first day. A few fill a cart right after the opening and stay away for more than a day.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from connectors.demo_script import Script, Stage
from connectors.demo_shelves import Product, Shelves
from state.calendar import DAY, HOUR, MINUTE, SECOND

VETERANS_LIMIT = 150
SLEEPER_EVERY = 12  # every twelfth shopper fills a cart in the first hour and then sleeps
SLEEP = 30 * HOUR
ABSENT_EVERY = (
    5  # every fifth with a past stays away on the first day, on which a silence of so many days ends:
)
SILENCES_DAYS = (30, 60, 90, 120)
VISIT_EVERY = 7 * HOUR  # on average
PLATFORMS = ("app", "mini_program", "web")
ZONES = ("Asia/Shanghai", "Asia/Tokyo", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "UTC")
CONSENTS = (("app_push", 0.9), ("sms", 0.75), ("email", 0.6))


class Habit(Struct, frozen=True):
    """How somebody bought before the opening: (least, most) orders, days since the last one, days between."""

    orders: tuple[int, int]
    last: tuple[int, int]
    gap: tuple[int, int]


HABITS = (
    Habit(orders=(4, 8), last=(1, 14), gap=(8, 16)),  # loyal
    Habit(orders=(2, 4), last=(28, 59), gap=(10, 20)),  # slipping away
    Habit(orders=(2, 3), last=(85, 95), gap=(7, 14)),  # about to be dormant
    Habit(orders=(1, 1), last=(30, 100), gap=(1, 1)),  # bought once
    Habit(orders=(1, 1), last=(4, 6), gap=(1, 1)),  # has a welcome coupon
    Habit(orders=(2, 3), last=(91, 110), gap=(7, 10)),  # dormant, may return
    Habit(orders=(1, 2), last=(119, 123), gap=(4, 5)),  # for 120 days silent just before or after the opening
)


ABSENT = Habit(orders=(2, 3), last=(0, 0), gap=(2, 4))  # the last order is a silence before the first day


class Shopper(Struct):
    user_id: str
    platform: str
    buys: float
    """The share of visits with a filled cart that end in an order."""
    cart: dict[str, int] = {}


class Shoppers:
    def __init__(self, stage: Stage, shelves: Shelves, count: int, *, history: bool) -> None:
        self._stage = stage
        self._shelves = shelves
        self._orders = 0
        veterans = min(VETERANS_LIMIT, count // 2)
        for number in range(1, count + 1):
            shopper = Shopper(f"shopper-{number:04}", stage.random.choice(PLATFORMS), 0.4)
            sleeper = number % SLEEPER_EVERY == 0
            if not history:
                stage.cue(stage.opening_ts + stage.about(VISIT_EVERY), self._habit(shopper, sleeper=False))
            elif number <= veterans:
                absent = number % ABSENT_EVERY == 0
                habit = ABSENT if absent else HABITS[number % len(HABITS)]
                self._cue_veteran(shopper, habit, sleeper=sleeper and not absent, absent=absent)
            else:
                # Half come in the first 100 minutes: those among them who do not buy are nudged after 24 h.
                first_day = 100 * MINUTE if number % 2 else 26 * HOUR
                shopper.buys = 0.0 if number % 3 == 0 else 0.4
                begins = stage.opening_ts + stage.between(1, 30 * MINUTE if sleeper else first_day)
                stage.cue(begins, self._newcomer(shopper, sleeper=sleeper))

    def _cue_veteran(self, shopper: Shopper, habit: Habit, *, sleeper: bool, absent: bool) -> None:
        stage = self._stage
        orders = [stage.opening_ts - stage.between(*(days * DAY for days in habit.last))]
        if absent:
            orders = [stage.opening_ts - stage.random.choice(SILENCES_DAYS) * DAY + stage.between(0, DAY)]
        for _ in range(stage.between(*habit.orders) - 1):
            orders.append(orders[-1] - stage.between(*(days * DAY for days in habit.gap)))
        orders.reverse()
        registered = orders[0] - stage.between(HOUR, 3 * DAY)
        until_first = 30 * MINUTE if sleeper else VISIT_EVERY
        back = stage.opening_ts + (SLEEP if absent else 0) + stage.between(1, until_first)
        stage.cue(registered, self._veteran(shopper, orders, back, sleeper=sleeper))

    def _veteran(self, shopper: Shopper, orders: list[int], back: int, *, sleeper: bool) -> Script:
        yield from self._register(shopper)
        for ts in orders:
            yield max(1, ts - self._stage.now)
            self._tell("session_started", shopper)
            self._look(shopper, product := self._shelves.pick())
            yield MINUTE
            self._add(shopper, product)
            yield from self._check_out(shopper)
        yield back - self._stage.now
        yield from self._habit(shopper, sleeper=sleeper)

    def _newcomer(self, shopper: Shopper, *, sleeper: bool) -> Script:
        yield from self._register(shopper)
        yield 20 * SECOND
        yield from self._habit(shopper, sleeper=sleeper)

    def _register(self, shopper: Shopper) -> Script:
        stage = self._stage
        self._tell("registered", shopper)
        yield SECOND
        zone = stage.random.choice(ZONES)
        channels = [channel for channel, share in CONSENTS if stage.chance(share)]
        preferred = stage.random.sample(channels, len(channels))
        fields = {"timezone": zone, "region": zone.split("/")[-1], "preferred_channels": preferred}
        self._tell("profile_updated", shopper, **fields)
        for channel in channels:
            self._tell("consent_changed", shopper, channel=channel, granted=True)

    def _habit(self, shopper: Shopper, *, sleeper: bool) -> Script:
        """Visit after visit, without end."""
        if sleeper:
            self._tell("session_started", shopper)
            for _ in range(2):
                self._look(shopper, product := self._shelves.pick())
                yield MINUTE
                self._add(shopper, product)
            yield SLEEP
        while True:
            yield from self._visit(shopper)
            yield 20 * MINUTE + self._stage.about(VISIT_EVERY)

    def _visit(self, shopper: Shopper) -> Script:
        stage = self._stage
        self._tell("session_started", shopper)
        for _ in range(stage.between(1, 6)):
            yield stage.between(8 * SECOND, 90 * SECOND)
            product = self._shelves.pick()
            self._look(shopper, product)
            if stage.chance(0.15):
                yield stage.between(2 * SECOND, 20 * SECOND)
                self._tell("favorited", shopper, sku=product.sku)
            if product.stock and stage.chance(0.35):
                yield stage.between(5 * SECOND, 40 * SECOND)
                self._add(shopper, product)
            elif stage.chance(0.1):
                self._tell("searched", shopper, query=product.category)
        yield stage.between(10 * SECOND, MINUTE)
        if shopper.cart and stage.chance(shopper.buys):
            yield from self._check_out(shopper)
        elif shopper.cart and stage.chance(0.15):
            sku = stage.random.choice(list(shopper.cart))
            del shopper.cart[sku]
            self._tell("cart_item_removed", shopper, sku=sku)
        elif stage.chance(0.02):
            channel = stage.random.choice(CONSENTS)[0]
            self._tell("consent_changed", shopper, channel=channel, granted=stage.chance(0.3))
        elif stage.chance(0.01):
            self._tell("unsubscribed", shopper, trigger_id=f"{stage.ids}-newsletter", channel="sms")

    def _check_out(self, shopper: Shopper) -> Script:
        """An order; most are paid at once, some late, some never."""
        stage = self._stage
        yield stage.between(20 * SECOND, 2 * MINUTE)
        self._orders += 1
        order_id = f"order-{stage.ids}-{self._orders}"
        lines: list[dict[str, Any]] = []
        for sku, quantity in shopper.cart.items():
            product = self._shelves.products[sku]
            line = {"sku": sku, "quantity": quantity, "price": product.price, "category": product.category}
            lines.append(line)
            self._shelves.sell(sku, quantity)
        shopper.cart.clear()
        total = sum(line["quantity"] * line["price"] for line in lines)
        self._tell("order_placed", shopper, order_id=order_id, lines=lines, total=total)
        past = stage.now < stage.opening_ts
        stage.cue(stage.now, self._payment(shopper, order_id, 0.0 if past else stage.random.random()))

    def _payment(self, shopper: Shopper, order_id: str, fate: float) -> Script:
        stage = self._stage
        if fate < 0.8:
            yield stage.between(20 * SECOND, 4 * MINUTE)
        elif fate < 0.87:
            yield stage.between(35 * MINUTE, 90 * MINUTE)
        elif fate < 0.92:
            yield stage.between(5 * MINUTE, 20 * MINUTE)
            self._tell("order_cancelled", shopper, order_id=order_id)
            return
        else:
            return
        self._tell("order_paid", shopper, order_id=order_id)
        yield stage.between(30 * HOUR, 4 * DAY)
        self._tell("order_delivered", shopper, order_id=order_id)

    def _look(self, shopper: Shopper, product: Product) -> None:
        fields = {"sku": product.sku, "category": product.category, "price": product.price}
        self._tell("product_viewed", shopper, **fields)

    def _add(self, shopper: Shopper, product: Product) -> None:
        quantity = 1 + self._stage.chance(0.2)
        shopper.cart[product.sku] = shopper.cart.get(product.sku, 0) + quantity
        fields = {"sku": product.sku, "quantity": quantity, "price": product.price}
        self._tell("cart_item_added", shopper, **fields, category=product.category)

    def _tell(self, kind: str, shopper: Shopper, **fields: Any) -> None:
        user_id = shopper.user_id
        self._stage.tell(kind, user_id, user_id=user_id, platform=shopper.platform, **fields)
