"""What would a small, lively shop write? An endless, deterministic stream of records, bad ones included.

It begins with the past of its older shoppers, goes through a first day from `start_ts` on which every rule
has its occasion, and lives on without end. demo_pace.py says when each record is due.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.demo_occasions import Occasions
from connectors.demo_script import Script, Stage, Written
from connectors.demo_shelves import Product, Shelves
from connectors.demo_shoppers import Shoppers
from state.calendar import MINUTE, SECOND

PAST_RATE = 0.03  # passers-by events/s before `live_at`: enough to look alive, few enough to catch up soon
EVENTS_OF_A_PASSER_BY = 3.5
STEPS_OF_A_SECOND = (
    200  # a load test has more passers-by a second than its clock has milliseconds: several come together
)
BAD_EVERY = 20 * MINUTE

BAD = (
    ("clickstream", b"GET /cart HTTP/1.1"),
    ("clickstream", b'{"event_id":"bad-2","type":"product_viewed","ts":'),
    ("clickstream", b'{"event_id":"bad-3","type":"mouse_moved","ts":1790000000000,"user_id":"shopper-0001"}'),
    ("orders", b'{"event_id":"bad-4","type":"order_paid","ts":1790000000000,"order_id":"order-4"}'),
    ("orders", b'{"event_id":"bad-5","type":"order_paid","ts":"yesterday","user_id":"u","order_id":"o"}'),
    ("inventory", b'{"event_id":"bad-6","type":"stock_changed","ts":1790000000000,"sku":"k","available":-1}'),
    ("customers", b'{"event_id":"bad-7","type":"registered","ts":1790000000000,"user_id":"Ren\xe9"}'),
    ("inventory", b'{"event_id":"bad-8","type":"price_changed","ts":1,"sku":"k","price":5,"currency":"XXX"}'),
)
"""One record for (nearly) each reason to reject; none is ahead of time, as a replay would believe it."""


class DemoShop:
    """`shoppers` people; `live_at` and `rate`: from that moment on, about so many events/s in all, made up
    by anonymous passers-by. Without `history` the shop is taken up again where an earlier one stopped:
    its shoppers are known and nothing happened before `start_ts`.
    """

    def __init__(
        self,
        seed: int,
        shoppers: int,
        start_ts: int,
        *,
        live_at: int | None = None,
        rate: float = 1.0,
        history: bool = True,
    ) -> None:
        self._stage = Stage(seed, start_ts)
        self._live_at = start_ts if live_at is None else live_at
        self._rate = rate
        self._shelves = Shelves(self._stage)
        Shoppers(self._stage, self._shelves, shoppers, history=history)
        if history:
            Occasions(self._stage)
        self._stage.cue(start_ts, self._street())
        self._stage.cue(start_ts, self._blunders())

    def events(self) -> Iterator[Written]:
        """The records in the order of writing, dated then but for a few stragglers and repeats."""
        return self._stage.play()

    def _street(self) -> Script:
        stage, number = self._stage, 0
        while True:
            rate = PAST_RATE if stage.now < self._live_at else self._rate
            together = max(1, round(rate / STEPS_OF_A_SECOND / EVENTS_OF_A_PASSER_BY))
            wait = stage.about(SECOND * EVENTS_OF_A_PASSER_BY * together / rate)
            yield wait if stage.now >= self._live_at else min(wait, self._live_at - stage.now)
            for _ in range(together):
                number += 1
                stage.cue(stage.now, self._passer_by(f"visitor-{stage.ids}-{number}"))

    def _passer_by(self, name: str) -> Script:
        """Looks in, looks around, leaves; nobody knows the name."""
        stage = self._stage
        stage.tell("session_started", name, anonymous_id=name, platform="web")
        for _ in range(stage.between(1, 4)):
            yield stage.between(5 * SECOND, 40 * SECOND)
            product: Product = self._shelves.pick()
            fields = {"sku": product.sku, "category": product.category, "price": product.price}
            stage.tell("product_viewed", name, anonymous_id=name, platform="web", **fields)

    def _blunders(self) -> Script:
        """Somebody's broken client, every now and then."""
        while True:
            for number, (topic, value) in enumerate(BAD):
                yield self._stage.about(BAD_EVERY)
                self._stage.write(topic, f"client-{number}", value)
