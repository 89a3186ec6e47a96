"""How many customers are there, of which kind, and how full is the store? Asked of Redis now and then, beside the flow.

SCAN goes through the keys in the order of a hash that is secret to the server, so the first of them are a random
sample of all, the same from one look to the next: a curve shows changes of the shop, not of the sample. A process
counts the users of its own shards only; the sum over the processes is the shop.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from types import TracebackType
from typing import Any, Self, cast, get_args

import redis
import structlog
from prometheus_client import Gauge

from connectors import metrics
from flows.buyers import HEAD, unpack_head
from state.calendar import DAY
from state.folding import FoldParams
from state.ledger import LedgerError
from state.lifecycle import Stage, stage_of
from state.segments import SEGMENTS, flags_of, segment_name
from state.user import User, unpack

log = structlog.get_logger("census")

WITHIN = {"day": DAY, "week": 7 * DAY, "month": 30 * DAY}
STAGES = ("visitor", *get_args(Stage))
SEGMENT_NAMES = ("none", *SEGMENTS.values())
_KEYS_AT_ONCE = 100  # at most a millisecond of users; after it the flow has its turn
_PAUSE_SECONDS = 0.05
_FIRST_SECONDS = 5.0  # who has just started it wants to see something


class Census:
    """Runs on a thread of its own between enter and exit. `shards` are those that this process works on now."""

    def __init__(
        self,
        client: redis.Redis,
        app: str,
        shards: Callable[[], Collection[int]],
        fold: FoldParams,
        *,
        wall_ms: Callable[[], int],
        every_seconds: float,
        keys: int,
    ) -> None:
        self._client = client
        self._app = app
        self._shards = shards
        self._fold = fold
        self._wall_ms = wall_ms
        self._every = every_seconds
        self._keys = keys
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="census", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10.0)
        self._client.close()

    def look(self) -> None:
        """Set the gauges; OSError or redis.RedisError where Redis does not answer, and they stay as they are."""
        prefixes = [f"{{{self._app}:s{shard:02d}}}:" for shard in self._shards()]
        self._look_at_store(prefixes)
        tally = Tally(self._wall_ms(), self._fold_now(prefixes))
        seen = cursor = 0
        while seen < self._keys and not self._over.is_set():
            cursor, keys = cast("tuple[int, list[bytes]]", self._client.scan(cursor, count=_KEYS_AT_ONCE))
            seen += len(keys)
            self._count(keys, tuple(f"{prefix}u:".encode() for prefix in prefixes), tally)
            if cursor == 0:
                break
            self._over.wait(_PAUSE_SECONDS)
        everything = self._client.dbsize()
        tally.show(1.0 if cursor == 0 or not seen else min(1.0, seen / max(everything, 1)))

    def _fold_now(self, prefixes: Sequence[str]) -> FoldParams:
        """With the cut points that the first shard knows: all know the same, or will in a moment."""
        if not prefixes or self._fold.segments.by != "quintiles":
            return self._fold
        head = cast("bytes | None", self._client.hget(f"{prefixes[0]}buyers", HEAD))
        return self._fold if head is None else self._fold.under(unpack_head(head).published)

    def _count(self, keys: Iterable[bytes], prefixes: tuple[bytes, ...], tally: Tally) -> None:
        wanted = [key for key in keys if key.startswith(prefixes)] if prefixes else []
        for blob in cast("list[bytes | None]", self._client.mget(wanted)) if wanted else []:
            if blob is not None:
                tally.add(unpack(blob))

    def _look_at_store(self, prefixes: Iterable[str]) -> None:
        told: dict[str, Any] = self._client.info("memory")
        metrics.STATE_BYTES.set(told["used_memory"])
        metrics.STATE_LIMIT_BYTES.set(told.get("maxmemory") or told.get("total_system_memory") or 0)
        pipe = self._client.pipeline(transaction=False)
        for prefix in prefixes:
            pipe.zcard(f"{prefix}timers")
        metrics.TIMERS_PENDING.set(sum(pipe.execute()))

    def _work(self) -> None:
        trouble, pause = "", min(self._every, _FIRST_SECONDS)
        while not self._over.wait(pause):
            pause = self._every
            try:
                self.look()
                trouble = ""
            except (OSError, redis.RedisError, LedgerError) as error:
                kind = type(error).__name__
                if kind != trouble:  # once, not every minute: the flow says it, too
                    log.warning("no census, the gauges about customers are old", why=kind)
                trouble = kind


class Tally:
    """Users counted by what they are at `now` (epoch ms)."""

    def __init__(self, now: int, fold: FoldParams) -> None:
        self._now = now
        self._fold = fold
        self._users = 0
        self._active: Counter[str] = Counter()
        self._stages: Counter[str] = Counter()
        self._segments: Counter[str] = Counter()

    def add(self, user: User) -> None:
        if user.alias_of is not None or user.erased_at is not None:
            return
        now, fold = self._now, self._fold
        self._users += 1
        if user.last_seen_at is not None:
            quiet = now - user.last_seen_at
            self._active.update(name for name, width in WITHIN.items() if quiet < width)
        self._stages[stage_of(user, now, fold.lifecycle) or "visitor"] += 1
        self._segments[segment_name(flags_of(user, now, fold.segments, fold.days)) or "none"] += 1

    def show(self, share: float) -> None:
        """Set the gauges, given that this is such a share of all."""
        metrics.CENSUS_SHARE.set(share)
        metrics.USERS.set(round(self._users / share))
        for gauge, label, names, counts in (
            (metrics.ACTIVE_USERS, "within", WITHIN, self._active),
            (metrics.USERS_BY_STAGE, "stage", STAGES, self._stages),
            (metrics.USERS_BY_SEGMENT, "segment", SEGMENT_NAMES, self._segments),
        ):
            _set_all(gauge, label, names, counts, share)


def _set_all(gauge: Gauge, label: str, names: Iterable[str], counts: Counter[str], share: float) -> None:
    for name in names:
        gauge.labels(**{label: name}).set(round(counts[name] / share))
