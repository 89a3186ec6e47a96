"""What does the demo shop sell, and how many are left?

A few hot SKUs sell out every few hours, also through outlets that are not online, and come back; the
shop tells every change of stock and price.
"""

from __future__ import annotations

from msgspec import Struct

from connectors.demo_script import Script, Stage
from state.calendar import HOUR, MINUTE

CATEGORIES = ("tea", "snacks", "baby-care", "skin-care", "kitchen", "sports")
SKUS = 60
HOT = 4
HOT_SHARE = 0.25  # of all interest
HOT_STOCK = (8, 14)
STOCK = (60, 140)
HOT_SALE_EVERY = 30 * MINUTE  # the outlets', on average
SALE_EVERY = 6 * HOUR
BACK_AFTER = (25 * MINUTE, 60 * MINUTE)
REPRICED = 0.03  # of the moments at which an outlet sells


class Product(Struct):
    sku: str
    category: str
    price: int
    hot: bool
    stock: int = 0


class Shelves:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.products = {
            sku: Product(sku, CATEGORIES[n % len(CATEGORIES)], 100 * stage.between(9, 300) - 1, n < HOT)
            for n, sku in enumerate(f"sku-{number:03}" for number in range(1, SKUS + 1))
        }
        self._hot = [p for p in self.products.values() if p.hot]
        self._others = [p for p in self.products.values() if not p.hot]
        for product in self.products.values():
            stage.cue(stage.opening_ts, self._life(product))

    def pick(self) -> Product:
        """Something that a shopper looks at."""
        stage = self._stage
        return stage.random.choice(self._hot if stage.chance(HOT_SHARE) else self._others)

    def sell(self, sku: str, quantity: int) -> None:
        """Online or not, what is sold is gone; before the opening nobody counts."""
        product = self.products[sku]
        if self._stage.now >= self._stage.opening_ts and product.stock > 0:
            self._restock(product, max(0, product.stock - quantity))

    def _life(self, product: Product) -> Script:
        stage = self._stage
        stage.tell("price_changed", product.sku, sku=product.sku, price=product.price)
        while True:
            self._restock(product, stage.between(*(HOT_STOCK if product.hot else STOCK)))
            while product.stock:
                yield stage.about(HOT_SALE_EVERY if product.hot else SALE_EVERY)
                self.sell(product.sku, stage.between(1, 2))
                if stage.chance(REPRICED):
                    product.price = max(99, product.price * stage.between(80, 120) // 100)
                    stage.tell("price_changed", product.sku, sku=product.sku, price=product.price)
            yield stage.between(*BACK_AFTER)

    def _restock(self, product: Product, available: int) -> None:
        product.stock = available
        fields = {"sku": product.sku, "available": available, "category": product.category}
        self._stage.tell("stock_changed", product.sku, **fields)
