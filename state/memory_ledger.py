"""Where does a shard's state live in a replay, and in tests? In dictionaries, without a server."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence

from msgspec import Struct

from state.ledger import Blob, Commit, Entry, Found, LedgerError, NewerLayout, Opened, Place, shape_problems


class _Shard(Struct):
    owner: str = ""
    version: int = 0
    layout: int = 0
    marks: dict[str, int] = {}
    clock: int = -1
    watermark: int = -1
    seq: int = 0
    trimmed_to: str = ""
    scan_from: int = -1
    publisher: str = ""
    users: dict[str, Blob] = {}
    items: dict[str, Blob] = {}
    due: dict[str, int] = {}
    timers: list[tuple[int, str]] = []
    watchers: dict[str, dict[str, int]] = {}
    audiences: dict[str, list[str]] = {}
    calls: dict[str, Blob] = {}
    buyers: dict[str, Blob] = {}
    outbox: list[Entry] = []
    claims: dict[str, set[str]] = {}


class MemoryLedger:
    """For replay and tests: what RedisLedger does, in dictionaries."""

    def __init__(self, watchers_per_sku: int, audience_users: int = 1_000_000) -> None:
        self._watchers_per_sku = watchers_per_sku
        self._audience_users = audience_users
        self._shards: dict[int, _Shard] = {}
        self._answers: list[bool] = []
        self._recorded: dict[str, str] = {}
        self._stanzas: dict[str, str] = {}
        self._layout = 0  # until `prepare`

    def dangers(self) -> list[str]:
        return []  # who chooses it knows that it forgets

    def recorded(self) -> dict[str, str]:
        return dict(self._recorded)

    def prepare(self, shards: int, layout: int) -> None:
        problems = shape_problems(self._recorded, shards, layout)
        if problems:
            raise LedgerError(f"the state in memory: {'; '.join(problems)}")
        self._layout = layout
        self._recorded |= {"shards": str(shards), "layout": str(layout)}

    def record(self, origin: Mapping[str, str]) -> None:
        self._recorded = {**origin, **self._recorded}

    def stanzas(self) -> dict[str, str]:
        return dict(self._stanzas)

    def keep_stanzas(self, new: Mapping[str, str], over: Sequence[str]) -> None:
        kept = {name: text for name, text in self._stanzas.items() if name not in over}
        self._stanzas = {**new, **kept}

    def peek(self, shard: int) -> Opened:
        kept = self._shard(shard)
        return Opened(kept.version, dict(kept.marks), watermark=kept.watermark, scan_from=kept.scan_from)

    def load_buyers(self, shard: int, field: str) -> Blob | None:
        return self._shard(shard).buyers.get(field)

    def in_use(self) -> set[int]:
        held = self._shards.items()
        return {number for number, s in held if s.marks or s.users or s.items or s.timers or s.outbox}

    def open(self, shard: int, owner: str, publisher: str = "") -> Opened:
        kept = self._shard(shard)
        if kept.layout > self._layout:
            raise NewerLayout(f"shard {shard}", kept.layout, self._layout)
        kept.layout = self._layout
        before, kept.publisher = kept.publisher, publisher
        kept.owner, kept.version = owner, kept.version + 1
        so_far = kept.clock, kept.watermark, kept.seq, kept.trimmed_to, kept.scan_from
        parts = [*kept.outbox], dict(kept.calls), dict(kept.buyers)
        return Opened(kept.version, dict(kept.marks), *so_far, before, *parts)

    def begin_commit(self, shard: int, commit: Commit) -> None:
        kept = self._shard(shard)
        if (kept.owner, kept.version) != (commit.owner, commit.version):
            self._answers.append(False)
            return
        kept.version += 1
        kept.marks.update(commit.marks)
        kept.clock, kept.watermark = commit.clock, commit.watermark
        kept.users.update(commit.users)
        kept.items.update(commit.items)
        for user_id, due in commit.timers.items():
            self._set_timer(kept, user_id, due)
        for sku, seen in commit.watchers.items():
            self._watch(kept.watchers.setdefault(sku, {}), seen)
        for sku, user_id in commit.unwatch:
            kept.watchers.get(sku, {}).pop(user_id, None)
        for audience, user_id in commit.joins:
            self._join(kept.audiences.setdefault(audience, []), user_id)
        for audience, user_id in commit.leaves:
            self._leave(kept.audiences.get(audience, []), user_id)
        self._change(kept.calls, commit.calls)
        self._change(kept.buyers, commit.buyers)
        del kept.outbox[: commit.trim]
        kept.outbox.extend(commit.outbox)
        kept.seq, kept.trimmed_to, kept.scan_from = commit.seq, commit.trimmed_to, commit.scan_from
        self._answers.append(True)

    def finish_commits(self) -> list[bool]:
        answers, self._answers = self._answers, []
        return answers

    def abandon_commits(self) -> None:
        self._answers = []

    def owners(self, shards: Sequence[int]) -> list[str]:
        return [self._shard(shard).owner for shard in shards]

    def look_up(
        self, users: Sequence[Place], watched: Sequence[Place], limit: int, shards: Sequence[int]
    ) -> Found:
        return Found(self.load_users(users), self.load_watchers(watched, limit), self.owners(shards))

    def load_users(self, asked: Sequence[tuple[int, str]]) -> list[Blob | None]:
        return [self._shard(shard).users.get(user_id) for shard, user_id in asked]

    def load_items(self, skus: Sequence[tuple[int, str]]) -> list[Blob | None]:
        return [self._shard(shard).items.get(sku) for shard, sku in skus]

    def load_timers(self, shard: int, after: int, limit: int) -> list[tuple[int, str]]:
        timers = self._shard(shard).timers
        first = bisect_left(timers, (after + 1, ""))
        last = first + limit
        while first < last < len(timers) and timers[last][0] == timers[last - 1][0]:
            last += 1
        return timers[first:last]

    def load_watchers(self, asked: Sequence[tuple[int, str]], limit: int) -> list[list[str]]:
        found = [self._shard(shard).watchers.get(sku, {}) for shard, sku in asked]
        return [sorted(seen, key=lambda user: (-seen[user], user))[:limit] for seen in found]

    def load_audience(self, shard: int, audience: str, after: str, limit: int) -> list[str]:
        members = self._shard(shard).audiences.get(audience, [])
        first = bisect_right(members, after)
        return members[first : first + limit]

    def claim(self, shard: int, key: str, claimant: str, limit: int) -> bool:
        places = self._shard(shard).claims.setdefault(key, set())
        if claimant not in places and len(places) < limit:
            places.add(claimant)
        return claimant in places

    def close(self) -> None:
        """Nothing is held."""

    def user_ids(self, shard: int) -> list[str]:
        """Every user known, sorted: for `replay`, which writes all profiles."""
        return sorted(self._shard(shard).users)

    def _shard(self, shard: int) -> _Shard:
        return self._shards.setdefault(shard, _Shard())

    @staticmethod
    def _change(kept: dict[str, Blob], changes: Mapping[str, Blob | None]) -> None:
        for name, blob in changes.items():
            if blob is None:
                kept.pop(name, None)
            else:
                kept[name] = blob

    @staticmethod
    def _set_timer(kept: _Shard, user_id: str, due: int | None) -> None:
        before = kept.due.pop(user_id, None)
        if before is not None:
            del kept.timers[bisect_left(kept.timers, (before, user_id))]
        if due is not None:
            kept.due[user_id] = due
            insort(kept.timers, (due, user_id))

    def _watch(self, watchers: dict[str, int], seen: Mapping[str, int]) -> None:
        for user_id, at in seen.items():
            watchers[user_id] = max(at, watchers.get(user_id, at))
        while len(watchers) > self._watchers_per_sku:
            del watchers[min(watchers, key=lambda user: (watchers[user], user))]

    def _join(self, members: list[str], user_id: str) -> None:
        place = bisect_left(members, user_id)
        if members[place : place + 1] != [user_id] and len(members) < self._audience_users:
            members.insert(place, user_id)

    @staticmethod
    def _leave(members: list[str], user_id: str) -> None:
        place = bisect_left(members, user_id)
        if members[place : place + 1] == [user_id]:
            del members[place]
