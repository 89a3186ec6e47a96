"""How does a shard's state live in Redis? One hash tag a shard, one script a commit.

Keys, all under `{<app>:s<NN>}:`, documented for readers in docs/state.md: `u:<user>` and `i:<sku>` packed
values, `meta`, `marks`, `timers`, `w:<sku>` watchers, `a:<audience>` its users, `calls`, `buyers`, `outbox`,
`claim:<key>`.
What one script wrote rolls back together, because a slot's AOF and replication are a prefix of its history.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import redis

from state.ledger import Blob, Commit, Entry, Found, LedgerError, NewerLayout, Opened, Place, shape_problems
from state.redis_change import change_of
from state.redis_guard import Guard, StoreUnavailable
from state.redis_rights import missing
from state.redis_safety import refused
from state.redis_trip import ask

__all__ = ["RedisLedger", "StoreUnavailable"]

_HERE = Path(__file__).parent
_SAFETY_SECONDS = 10.0  # so often a running process looks whether Redis is still safe

# Opening a shard writes the one, the first round the other; who is counted there is a user.
_WRITTEN_ALWAYS = ("meta", "buyers")

_unpack_entry = msgspec.msgpack.Decoder(Entry).decode


class RedisLedger:
    """`user_ttl_seconds` also bounds items; watchers and claims live for `watch_ttl_seconds`.

    `accepted_risks`: ways to lose state that the operator has accepted; any other is refused, also while running.
    """

    def __init__(
        self,
        client: redis.Redis,
        app: str,
        *,
        user_ttl_seconds: int,
        watch_ttl_seconds: int,
        watchers_per_sku: int,
        audience_users: int,
        accepted_risks: Collection[str] = (),
    ) -> None:
        self._client = client
        self._app = app
        self._ttl = user_ttl_seconds
        self._watch_ttl = watch_ttl_seconds
        self._watch_limit = watchers_per_sku
        self._audience_limit = audience_users
        self._accepted_risks = accepted_risks
        self._layout = 0  # until `prepare`
        self._safe_at = 0.0
        self._pipe: Any = None
        self._begun = 0
        self._commit_text = (_HERE / "commit.lua").read_text()
        self._open = client.register_script((_HERE / "open.lua").read_text())
        self._claim = client.register_script((_HERE / "claim.lua").read_text())
        self._say_shape = client.register_script((_HERE / "shape.lua").read_text())
        self._sha = ""

    def prefix(self, shard: int) -> str:
        return f"{{{self._app}:s{shard:02d}}}:"

    def dangers(self) -> list[str]:
        with Guard():
            denied = missing(self._client, self._app, "run")
            try:
                return denied + refused(self._client, self._accepted_risks)
            except LedgerError as error:
                return [*denied, str(error)]

    def recorded(self) -> dict[str, str]:
        with Guard():
            shape = cast("bytes | None", self._client.get(self._shape))
            origin = cast("dict[bytes, bytes]", self._client.hgetall(self._origin))
        return _told(shape) | {name.decode(): value.decode() for name, value in origin.items()}

    def prepare(self, shards: int, layout: int) -> None:
        said = 0
        with Guard():
            self._refuse_unsafe()
            while not said:  # again where another process has said something since
                shape = cast("bytes | None", self._client.get(self._shape))
                problems = shape_problems(_told(shape), shards, layout)
                if problems:
                    raise LedgerError(f"the state in Redis under app {self._app!r}: {'; '.join(problems)}")
                ours = f"shards={shards} layout={layout}"
                said = cast("int", self._say_shape(keys=[self._shape], args=[shape or b"", ours]))
        self._layout = layout

    def record(self, origin: Mapping[str, str]) -> None:
        with Guard():
            for name, value in origin.items():
                self._client.hsetnx(self._origin, name, value)

    def stanzas(self) -> dict[str, str]:
        with Guard():
            kept = cast("dict[bytes, bytes]", self._client.hgetall(self._stanzas))
        return {name.decode(): text.decode() for name, text in kept.items()}

    def keep_stanzas(self, new: Mapping[str, str], over: Sequence[str]) -> None:
        with Guard(), self._client.pipeline() as pipe:
            for name in over:
                pipe.hdel(self._stanzas, name)
            for name, text in new.items():
                pipe.hsetnx(self._stanzas, name, text)
            pipe.execute()

    def peek(self, shard: int) -> Opened:
        prefix = self.prefix(shard)
        with Guard():
            marks = cast("dict[bytes, bytes]", self._client.hgetall(prefix + "marks"))
            version, scan_from, watermark = cast(
                "list[bytes | None]",
                self._client.hmget(prefix + "meta", ["version", "scan_from", "watermark"]),
            )
        return Opened(
            int(version or 0),
            _offsets(marks),
            watermark=-1 if watermark is None else int(watermark),
            scan_from=int(scan_from or -1),
        )

    def in_use(self) -> set[int]:
        found = set()
        start = f"{{{self._app}:s"
        with Guard():
            for key in self._client.scan_iter(match=f"{start}*", count=1000):
                number, _, name = key.decode().removeprefix(start).partition("}:")
                if name not in _WRITTEN_ALWAYS:
                    found.add(int(number))
        return found

    def open(self, shard: int, owner: str, publisher: str = "") -> Opened:
        with Guard():
            self._refuse_unsafe()
            self._sha = self._client.script_load(self._commit_text)  # a restarted Redis has forgotten it
            keys = [self.prefix(shard) + "meta"]
            raw = cast("list[Any] | int", self._open(keys=keys, args=[owner, publisher, self._layout]))
        if isinstance(raw, int):
            raise NewerLayout(f"shard {shard}", raw, self._layout)
        version, clock, watermark, seq, trimmed_to, scan_from, before, marks, outbox, calls, buyers = raw
        return Opened(
            version=int(version),
            marks=_offsets(_pairs(marks)),
            clock=int(clock),
            watermark=int(watermark),
            seq=int(seq),
            trimmed_to=trimmed_to.decode(),
            scan_from=int(scan_from),
            publisher=before.decode(),
            outbox=[_unpack_entry(blob) for blob in outbox],
            calls=_by_name(_pairs(calls)),
            buyers=_by_name(_pairs(buyers)),
        )

    def begin_commit(self, shard: int, commit: Commit) -> None:
        args = (
            *(commit.owner, commit.version, commit.clock, commit.watermark, commit.seq, commit.trim),
            *(commit.trimmed_to, commit.scan_from),
            *(self._ttl, self._watch_ttl, self._watch_limit, self._audience_limit),
            *change_of(commit),
        )
        with Guard():
            if self._pipe is None:
                self._pipe = self._client.connection_pool.get_connection()
            packed = self._pipe.pack_command("EVALSHA", self._sha, 1, self.prefix(shard) + "meta", *args)
            self._pipe.send_packed_command(packed)
        self._begun += 1

    def finish_commits(self) -> list[bool]:
        answers = []
        begun, self._begun = self._begun, 0
        try:
            with Guard():
                for _ in range(begun):
                    answers.append(self._pipe.read_response() == 1)  # noqa: PERF401 - a failure must not lose the rest
                if time.monotonic() - self._safe_at >= _SAFETY_SECONDS:
                    self._refuse_unsafe()
        except StoreUnavailable:
            self._drop_pipe()
            raise
        return answers

    def abandon_commits(self) -> None:
        self._begun = 0
        self._drop_pipe()

    def owners(self, shards: Sequence[int]) -> list[str]:
        return self.look_up((), (), 0, shards).owners

    def look_up(
        self, users: Sequence[Place], watched: Sequence[Place], limit: int, shards: Sequence[int]
    ) -> Found:
        commands: list[tuple[Any, ...]] = [
            ("ZREVRANGE", f"{self.prefix(shard)}w:{sku}", 0, limit - 1) for shard, sku in watched
        ]
        commands += [("HGET", self.prefix(shard) + "meta", "owner") for shard in shards]
        if users:
            commands.insert(0, ("MGET", *self._user_keys(users)))
        answers = ask(self._client, commands)
        blobs = answers.pop(0) if users else []
        watchers = [[user.decode() for user in found] for found in answers[: len(watched)]]
        return Found(blobs, watchers, [(owner or b"").decode() for owner in answers[len(watched) :]])

    def load_users(self, asked: Sequence[tuple[int, str]]) -> list[Blob | None]:
        return self._mget(self._user_keys(asked))

    def load_items(self, skus: Sequence[tuple[int, str]]) -> list[Blob | None]:
        return self._mget([f"{self.prefix(shard)}i:{sku}" for shard, sku in skus])

    def load_timers(self, shard: int, after: int, limit: int) -> list[tuple[int, str]]:
        key = self.prefix(shard) + "timers"
        with Guard():
            found: Any = self._client.zrangebyscore(key, f"({after}", "+inf", 0, limit, withscores=True)
            if len(found) == limit:
                last = found[-1][1]
                ties = cast("Any", self._client.zrangebyscore(key, last, last, withscores=True))
                found = [timer for timer in found if timer[1] < last] + list(ties)
        return [(int(due), user.decode()) for user, due in found]

    def load_watchers(self, asked: Sequence[tuple[int, str]], limit: int) -> list[list[str]]:
        return self.look_up((), asked, limit, ()).watchers

    def load_audience(self, shard: int, audience: str, after: str, limit: int) -> list[str]:
        first = f"({after}" if after else "-"
        with Guard():
            found: Any = self._client.zrangebylex(f"{self.prefix(shard)}a:{audience}", first, "+", 0, limit)
        return [user.decode() for user in found]

    def load_buyers(self, shard: int, field: str) -> Blob | None:
        with Guard():
            return cast("Blob | None", self._client.hget(self.prefix(shard) + "buyers", field))

    def claim(self, shard: int, key: str, claimant: str, limit: int) -> bool:
        with Guard():
            name = f"{self.prefix(shard)}claim:{key}"
            return bool(self._claim(keys=[name], args=[claimant, limit, self._watch_ttl]))

    def close(self) -> None:
        self._drop_pipe()
        self._client.close()

    @property
    def _shape(self) -> str:
        return f"{{{self._app}}}:shape"

    @property
    def _origin(self) -> str:
        return f"{{{self._app}}}:origin"

    @property
    def _stanzas(self) -> str:
        return f"{{{self._app}}}:stanzas"

    def _refuse_unsafe(self) -> None:
        found = refused(self._client, self._accepted_risks)
        if found:
            raise LedgerError("; ".join(found))
        self._safe_at = time.monotonic()

    def _mget(self, keys: list[str]) -> list[Blob | None]:
        return ask(self._client, [("MGET", *keys)])[0] if keys else []

    def _user_keys(self, asked: Sequence[Place]) -> list[str]:
        return [f"{self.prefix(shard)}u:{user_id}" for shard, user_id in asked]

    def _drop_pipe(self) -> None:
        if self._pipe is not None:
            self._pipe.disconnect()
            self._client.connection_pool.release(self._pipe)
            self._pipe = None


def _told(shape: bytes | None) -> dict[str, str]:
    return dict(part.split("=", 1) for part in (shape or b"").decode().split())


def _offsets(marks: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name.decode(): int(offset) for name, offset in marks.items()}


def _by_name(blobs: Mapping[bytes, Blob]) -> dict[str, Blob]:
    return {name.decode(): blob for name, blob in blobs.items()}


def _pairs(flat: list[bytes]) -> dict[bytes, bytes]:
    """What HGETALL answers inside a script."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
