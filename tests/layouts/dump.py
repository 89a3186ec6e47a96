"""How is a Redis written down as text, and filled again? A line a key; MessagePack values in base64."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, cast

import msgspec
import redis
from msgspec import Struct

from state.ledger import Entry

PACKED = {"u", "i", "outbox", "calls", "buyers"}  # kinds of keys whose values are no text
APP = "{app}"
LEFT_OUT = {"origin"}  # names and ids of topics that are no more


class Line(Struct, frozen=True):
    """`key`: "shape", or "s00:meta". `value`: text, a list, or a map, as the type of the key wants it.

    The name of the app is left out of keys, and is APP elsewhere.
    """

    key: str
    type: str
    value: Any


def kind_of(key: str) -> str:
    """What stands behind the shard's number, up to the next colon; of keys of no shard their name."""
    shard, _, rest = key.partition(":")
    return (rest or shard).partition(":")[0]


def blob(text: str) -> bytes:
    return base64.b64decode(text)


def plain(value: Any) -> Any:
    """A Struct as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(value))


def summary(entry: Entry) -> list[Any]:
    """All but its token and headers; of the value only how long it is."""
    key = None if entry.key is None else entry.key.decode()
    return [entry.topic, entry.partition, key, entry.user_id, entry.rule, entry.at, len(entry.value)]


def read(path: Path, app: str = APP) -> list[Line]:
    text = path.read_bytes().replace(APP.encode(), app.encode())
    return [msgspec.json.decode(line, type=Line) for line in text.splitlines()]


def lines_of(client: redis.Redis, app: str) -> list[Line]:
    found = []
    for name in sorted(cast("list[bytes]", [*client.scan_iter(match=f"{{{app}*", count=1000)])):
        key = name.decode().removeprefix(f"{{{app}").replace("}", "", 1).removeprefix(":")
        if kind_of(key) not in LEFT_OUT:
            kind = cast("bytes", client.type(name)).decode()
            value = _value(client, name, kind, packed=kind_of(key) in PACKED)
            if isinstance(value, dict) and kind == "hash":
                value = {field: text.replace(app, APP) for field, text in value.items()}
            found.append(Line(key, kind, value))
    return found


def fill(client: redis.Redis, app: str, path: Path) -> None:
    """The keys of a dump, for an installation of this name."""
    for line in read(path, app):
        shard, _, rest = line.key.partition(":")
        name = f"{{{app}:{shard}}}:{rest}" if rest else f"{{{app}}}:{shard}"
        packed = kind_of(line.key) in PACKED
        if line.type == "string":
            client.set(name, _bytes(line.value, packed=packed))
        elif line.type == "hash":
            client.hset(name, mapping={k: _bytes(v, packed=packed) for k, v in line.value.items()})
        elif line.type == "zset":
            client.zadd(name, line.value)
        elif line.type == "list":
            client.rpush(name, *(_bytes(value, packed=packed) for value in line.value))
        else:
            client.sadd(name, *line.value)


def _value(client: redis.Redis, name: bytes, kind: str, *, packed: bool) -> Any:
    if kind == "string":
        return _text(cast("bytes", client.get(name)), packed=packed)
    if kind == "hash":
        found = cast("dict[bytes, bytes]", client.hgetall(name))
        return {k.decode(): _text(v, packed=packed) for k, v in sorted(found.items())}
    if kind == "zset":
        members = cast("list[tuple[bytes, float]]", client.zrange(name, 0, -1, withscores=True))
        return {member.decode(): int(score) for member, score in members}
    if kind == "list":
        return [_text(each, packed=packed) for each in cast("list[bytes]", client.lrange(name, 0, -1))]
    return sorted(each.decode() for each in cast("set[bytes]", client.smembers(name)))


def _text(value: bytes, *, packed: bool) -> str:
    return base64.b64encode(value).decode() if packed else value.decode()


def _bytes(text: str, *, packed: bool) -> bytes:
    return blob(text) if packed else text.encode()
