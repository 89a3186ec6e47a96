"""What may happen around a shelf, and who must hear of its edges? The world of the two stock oracles."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from state import events
from state.calendar import DAY, HOUR, MINUTE
from tests.oracles.kit import Arrival, Told
from tests.state.history import START

USERS, SKUS = ("u1", "u2", "u3"), ("k1", "k2")
WATCHED_FOR = DAY
WAVE = {"cart": 0, "favourite": 20 * MINUTE, "viewed": 40 * MINUTE}
PARAMS: dict[str, Any] = {
    "watched_for": "1d",
    "waves": {"cart": "0s", "favourite": "20m", "viewed": "40m"},
    "reach_per_unit": None,
}


class Edge(NamedTuple):
    event: Any
    out_since: int = -1


class Alert(NamedTuple):
    due: int
    user: str
    sku: str
    edge: Edge
    interest: str
    seen_at: int


def history(chance: Random) -> list[Any]:
    """No two events of one time; minutes and hours apart, so that waves are crossed."""
    ts, made, orders = START, list[Any](), list[tuple[str, str]]()
    for number in range(chance.randrange(5, 60)):
        ts += chance.choice((1, MINUTE, 10 * MINUTE, 20 * MINUTE, HOUR, 9 * HOUR))
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts}
        sku = chance.choice(SKUS)
        kind = chance.choice("sssssssvvfuaaroc")
        if kind == "s":
            made.append(events.StockChanged(**about, sku=sku, available=chance.choice((0, 0, 1, 2, 3, 4, 9))))
            continue
        about["user_id"] = chance.choice(USERS)
        if kind == "a":
            made.append(events.CartItemAdded(**about, sku=sku, quantity=1, price=1))
        elif kind == "o":
            orders.append((f"o{number}", about["user_id"]))
            lines = (events.Line(sku=sku, quantity=1),)
            made.append(events.OrderPlaced(**about, order_id=f"o{number}", lines=lines, total=1))
        elif kind == "c":
            if orders:
                about["order_id"], about["user_id"] = chance.choice(orders)
                made.append(events.OrderCancelled(**about))
        else:
            kinds = {
                "v": events.ProductViewed,
                "f": events.Favorited,
                "u": events.Unfavorited,
                "r": events.CartItemRemoved,
            }
            made.append(kinds[kind](**about, sku=sku))
    return made


class Shelf:
    """Reads arrivals in order. `edge_of(levels, event)` says whether the last level is an edge; `still(level)`, whether

    there is still something to say at that level.
    """

    def __init__(
        self,
        edge_of: Callable[[list[tuple[int, int]], Any], Edge | None],
        still: Callable[[int], bool],
    ) -> None:
        self._edge_of = edge_of
        self._still = still
        self._read: list[Any] = []
        self._levels: dict[str, list[tuple[int, int]]] = {sku: [] for sku in SKUS}
        self._alerts: list[Alert] = []
        self.told: list[Told] = []

    def play(self, arrivals: list[Arrival]) -> list[Told]:
        for arrival in arrivals:
            self._pass_time(arrival.at)
            if all(known.event_id != arrival.event.event_id for known in self._read):
                self._read.append(arrival.event)
                if isinstance(arrival.event, events.StockChanged):
                    self._restock(arrival.event)
        self._pass_time(1 << 60)
        return self.told

    def _restock(self, event: Any) -> None:
        levels = self._levels[event.sku]
        if levels and event.ts < levels[-1][0]:
            return
        levels.append((event.ts, event.available))
        edge = self._edge_of(levels, event)
        if edge is None:
            return
        for user in USERS:
            found = self._interest(user, event.sku)
            if found is not None:
                # The next edge means that the one before is over.
                self._alerts = [a for a in self._alerts if (a.user, a.sku) != (user, event.sku)]
                alert = Alert(event.ts + WAVE[found[0]], user, event.sku, edge, *found)
                if WAVE[found[0]] == 0:
                    self._send(alert)
                else:
                    self._alerts.append(alert)

    def _pass_time(self, until: int) -> None:
        for alert in sorted(a for a in self._alerts if a.due < until):
            self._alerts.remove(alert)
            self._send(alert)

    def _send(self, alert: Alert) -> None:
        at, seen_at = alert.edge.event.ts, alert.seen_at
        if alert.interest == "viewed" and (at - seen_at > WATCHED_FOR or seen_at < alert.edge.out_since):
            return
        if not self._still(self._levels[alert.sku][-1][1]):
            return
        if self._interest(alert.user, alert.sku) is None or self._bought(alert.user, alert.sku) >= at:
            return
        anchor = f"{alert.sku}:{alert.edge.event.event_id}"
        self.told.append(Told(alert.user, 1, anchor, alert.due, (alert.sku,)))

    def _interest(self, user: str, sku: str) -> tuple[str, int] | None:
        mine = [e for e in self._read if getattr(e, "user_id", None) == user]
        orders = [e.ts for e in mine if isinstance(e, events.OrderPlaced) and e.lines[0].sku == sku]
        of_sku = [e for e in mine if getattr(e, "sku", None) == sku]

        def last(kind: Any) -> int:
            return max((e.ts for e in of_sku if isinstance(e, kind)), default=-1)

        bought = self._bought(user, sku)
        if last(events.CartItemAdded) > max([last(events.CartItemRemoved), *orders]):
            return "cart", last(events.CartItemAdded)
        if last(events.Favorited) > max(last(events.Unfavorited), bought):
            return "favourite", last(events.Favorited)
        return ("viewed", last(events.ProductViewed)) if last(events.ProductViewed) > bought else None

    def _bought(self, user: str, sku: str) -> int:
        cancelled = {e.order_id for e in self._read if isinstance(e, events.OrderCancelled)}
        placed = [e for e in self._read if isinstance(e, events.OrderPlaced) and e.user_id == user]
        kept = [e.ts for e in placed if e.order_id not in cancelled and e.lines[0].sku == sku]
        return max(kept, default=-1)
