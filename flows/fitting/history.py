"""Who bought when? A history as buyers, each with all that was known of her purchases at any moment.

From the orders topic, in Kafka or in files, folded as the service folds it (what counts, cancelled orders and refunds
are as in the profile), or from a CSV file of customer, date, amount.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from config.load import fold_of
from config.settings import Settings
from connectors.codec import Rejected
from connectors.files import FileReader, FileTopic
from connectors.whole_topic import read_whole
from flows.assemble import LINE_LIMIT, decoders_of
from flows.fitting.again import Held, Sold, note
from state.calendar import DAY, Days, millis
from state.fold import apply
from state.predict import Rhythm, rhythm_of
from state.rfm import Rfm
from state.user import User

_EPOCH = date(1970, 1, 1)


class CannotFit(Exception):
    """No parameters can be had from this history, for a reason that an operator understands."""


class Buyer(Struct, frozen=True):
    """Since `times[i]` (epoch ms, ascending) `known[i]` was known; None: nothing that counts."""

    times: list[int]
    known: list[tuple[Rhythm, float | None] | None]

    def at(self, moment: int) -> tuple[Rhythm, float | None] | None:
        """Purchase times, and the mean spend of the repeat purchase days, as known then."""
        place = bisect_right(self.times, moment)
        return self.known[place - 1] if place else None

    def bought(self, after: int, until: int) -> bool:
        known = self.at(until)
        return known is not None and known[0].last_at > after


class History(Struct, frozen=True):
    """`begins`, `ends`: the first purchase and the last moment that it tells of, epoch ms.

    `sold`: what was bought how often, up to its end; a table of amounts tells nothing of it.
    """

    buyers: list[Buyer]
    begins: int
    ends: int
    unreadable: int = 0
    sold: dict[str, Sold] = {}


def read_history(path: Path | None, settings: Settings, until: int | None = None) -> History:
    """Of a file log or a table, None: of the topic in Kafka. Up to `until` (epoch ms), else to its last record.

    Raise CannotFit when it says nothing.
    """
    sold: dict[str, Sold] = {}
    if path is None or path.is_dir():
        topic, bad = settings.kafka.topics.orders, [0]
        batches = _of_kafka(settings) if path is None else _of_files(path, settings)
        told = list(_events(batches, settings, bad))
        last = max((event.ts for event in told), default=0)
        buyers = list(_of_events(told, settings, until, sold))
        if bad[0] > settings.input.bad_share * (len(told) + bad[0]):
            raise CannotFit(f"{bad[0]} of {len(told) + bad[0]} records of topic {topic} cannot be read")
    else:
        bad, rows = [0], list(_rows(path, fold_of(settings).days))
        last = max((ts for _, ts, _ in rows), default=0)
        buyers = list(_of_rows(rows, fold_of(settings).days, until))
    buyers = [buyer for buyer in buyers if any(buyer.known)]
    if not buyers:
        raise CannotFit(f"{path or f'topic {settings.kafka.topics.orders}'} holds no order that counts")
    begins = min(known[0].first_at for buyer in buyers for known in buyer.known if known is not None)
    return History(buyers, begins, last if until is None else until, bad[0], sold)


def _of_kafka(settings: Settings) -> Iterator[list[bytes | None]]:
    kafka = settings.kafka
    return read_whole(
        kafka.topics.orders,
        kafka.bootstrap_servers,
        kafka.options,
        settings.engine.batch_records,
        group_id=kafka.group_id,
    )


def _of_files(directory: Path, settings: Settings) -> Iterator[list[bytes]]:
    name = settings.kafka.topics.orders
    files = FileTopic(directory, name).existing()
    if not files:
        raise CannotFit(f"{directory} has no topic {name}: it is to be {name}.jsonl, or a folder {name}/")
    for part in sorted(files):
        reader = FileReader(files[part], max_bytes=LINE_LIMIT, closed=True)
        while lines := reader.read(settings.engine.batch_records):
            yield lines
        reader.close()


def _events(batches: Iterable[Sequence[bytes | None]], settings: Settings, bad: list[int]) -> Iterator[Any]:
    decoder = decoders_of(settings)["orders"]
    for values in batches:
        for event in decoder.decode(values, None):
            if isinstance(event, Rejected):
                bad[0] += 1
            else:
                yield event


def _of_events(
    told: Iterable[Any], settings: Settings, until: int | None, sold: dict[str, Sold]
) -> Iterator[Buyer]:
    fold, by_user = fold_of(settings), dict[str, list[Any]]()
    for event in told:
        if event.user_id and (until is None or event.ts <= until):
            by_user.setdefault(event.user_id, []).append(event)
    for user_id in sorted(by_user):
        user, buyer, orders = User.new(user_id), Buyer([], []), dict[str, Held]()
        for event in sorted(by_user[user_id], key=lambda e: e.ts):
            apply(user, event, fold)
            _note(buyer, event.ts, user)
            order = user.orders.by_id.get(getattr(event, "order_id", ""))
            if order is not None:  # it may make room later
                orders[event.order_id] = (fold.days.of(order.counted_at or 0), order.kept())
        note(sold, orders.values())
        yield buyer


def _rows(path: Path, days: Days) -> Iterator[tuple[str, int, int]]:
    packed = path.suffix == ".gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") if packed else path.open(newline="") as file:
        reader = csv.DictReader(file)
        if not {"customer", "date", "amount"} <= {*(reader.fieldnames or ())}:
            raise CannotFit(f"{path.name} is no history: its first line is to be customer,date,amount")
        for row in reader:
            place = f"{path.name}, line {reader.line_num}"
            try:
                yield row["customer"], _ts(row["date"], days), int(row["amount"])
            except (ValueError, TypeError):
                raise CannotFit(
                    f"{place}: write a date as 2026-09-21 (or RFC 3339 with its zone) and an amount in whole "
                    "minor units, as 2933 for 29.33"
                ) from None


def _ts(text: str, days: Days) -> int:
    if len(text) == len("2026-09-21"):
        return days.start((date.fromisoformat(text) - _EPOCH).days)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return millis(moment)


def _of_rows(rows: Iterable[tuple[str, int, int]], days: Days, until: int | None) -> Iterator[Buyer]:
    by_customer: dict[str, list[tuple[int, int]]] = {}
    for customer, ts, amount in rows:
        if until is None or ts <= until:
            by_customer.setdefault(customer, []).append((ts, amount))
    for customer in sorted(by_customer):
        user, buyer = User.new(customer), Buyer([], [])
        user.own_rfm = rfm = Rfm()
        for ts, amount in sorted(by_customer[customer]):
            rfm.add_order(ts, amount, days)
            _note(buyer, ts, user)
        yield buyer


def _note(buyer: Buyer, ts: int, user: User) -> None:
    rhythm = rhythm_of(user)
    known = None if rhythm is None else (rhythm, user.rfm.mean_repeat())
    if not buyer.known or buyer.known[-1] != known:
        buyer.times.append(ts)
        buyer.known.append(known)


def share_of(history: History, share: float) -> int:
    """The moment after this share of the history; of whole days, so that a day's orders stay together."""
    return history.begins + round((history.ends - history.begins) * share / DAY) * DAY
