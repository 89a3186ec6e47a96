"""How is the state of this release kept for the next? `python -m tests.layouts` writes tests/layouts/<layout>/ anew.

The shipped flow runs over a small demo shop, on real servers, and is killed with something in its outbox. What Redis
then holds is written down as text (dump.py), and beside it what this release reads from it: `read.jsonl`.

To do it for an older release, lay this folder into its checkout: nothing is used here that it would not have.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import redis

from config.load import fold_of, load
from connectors import demo_occasions
from connectors.demo_shop import DemoShop
from flows.shard import unpack_item
from state.calendar import HOUR
from state.calls import unpack_call
from state.events import Letter
from state.ledger import Entry
from state.letters import UserMoved, id_of
from state.profile import profile
from state.user import LAYOUT, User, pack, unpack
from tests.integration.installation import Record, eventually
from tests.integration.shop import KafkaShop
from tests.layouts import dump
from tests.layouts.stored import NOW, OPENING, fields
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

LATER = OPENING + 2 * HOUR
PARTITIONS = 2
SETTINGS = {"kafka": {"instance_id": "before"}}

unpack_entry = msgspec.msgpack.Decoder(Entry).decode


def main() -> None:
    directory = Path(__file__).parent / str(LAYOUT)
    directory.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        KafkaServer() as kafka,
        RedisServer(Path(scratch) / "redis") as server,
        KafkaShop(Path(scratch) / "shop", kafka, server.url, SETTINGS, partitions=PARTITIONS) as shop,
    ):
        run(shop)
        with redis.Redis.from_url(server.url) as client:
            lines = dump.lines_of(client, shop.app)
    users = dict(users_in(lines))
    mover = max(users.values(), key=lambda user: len(pack(user)))
    write(directory / "state.jsonl", lines)
    write(directory / "read.jsonl", read(users, lines))
    write(directory / "letter.jsonl", [letter_of(mover, "newcomer")])
    write(directory / "fields.jsonl", fields().items())


def run(shop: KafkaShop) -> None:
    """Two hours to their end; then on, and killed as soon as a trigger is in the outbox."""
    shop.create_topics()
    told = list(history())
    shop.write(record for ts, record in told if ts < LATER)
    shop.run("run", "--until-caught-up")
    shop.write(record for ts, record in told if ts >= LATER)
    process = shop.start("run", "--until-caught-up")
    eventually(lambda: "triggers" in waiting(shop), what="a trigger in the outbox")
    process.kill()
    assert "triggers" in waiting(shop), "published before it could be killed: once more, please"


def waiting(shop: KafkaShop) -> set[str]:
    """For which topics there is something in the outbox."""
    with redis.Redis.from_url(shop.redis_url) as client:
        shards = [f"{{{shop.app}:s{shard:02d}}}:outbox" for shard in range(PARTITIONS)]
        return {unpack_entry(blob).topic for key in shards for blob in client.lrange(key, 0, -1)}


def history() -> Iterator[tuple[int, Record]]:
    """Six hours of a shop that has one guest for each rule."""
    demo_occasions.GUESTS_EACH = 1
    for written in DemoShop(7, 8, OPENING, live_at=OPENING, rate=0.0005).events():
        if written.ts >= NOW:
            return
        yield written.ts, (written.topic, written.key, written.value)


def users_in(lines: Iterable[dump.Line]) -> Iterator[tuple[str, User]]:
    for line in lines:
        if dump.kind_of(line.key) == "u":
            user = unpack(dump.blob(line.value))
            yield user.user_id, user


def read(users: Mapping[str, User], lines: Iterable[dump.Line]) -> Iterator[dict[str, Any]]:
    """What this release makes of it: the profile of every user at NOW, and the rest field by field."""
    fold = fold_of(load(None, {}, []))
    for user_id, user in sorted(users.items()):
        yield {"kind": "u", "name": user_id, "read": profile(user, NOW, fold)}
    for line in lines:
        kind, name = dump.kind_of(line.key), line.key.rpartition(":")[2]
        if kind == "i":
            yield {"kind": kind, "name": name, "read": dump.plain(unpack_item(dump.blob(line.value)))}
        elif kind == "calls":
            for call, value in line.value.items():
                yield {"kind": kind, "name": call, "read": dump.plain(unpack_call(dump.blob(value)))}
        elif kind == "outbox":
            for value in line.value:
                entry = unpack_entry(dump.blob(value))
                yield {"kind": kind, "name": entry.id, "read": dump.summary(entry)}


def letter_of(mover: User, to: str) -> dict[str, Any]:
    """All that one user is, on the way to another id: a letter that a newer release may have to open."""
    moved = UserMoved(event_id=id_of("move", to), ts=NOW, from_id=mover.user_id, state=pack(mover))
    letter = Letter(event_id=moved.event_id, ts=NOW, to=to, origin=to, content=moved)
    return msgspec.json.decode(msgspec.json.encode(letter))  # type: ignore[no-any-return]


def write(path: Path, values: Iterable[object]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(value) + b"\n" for value in values))


if __name__ == "__main__":
    main()
