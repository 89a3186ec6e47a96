"""With pseudonyms, over shards of a real Kafka and Redis: is nobody named, and does all else work as without them?"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import redis

from connectors.murmur2 import partition
from connectors.pseudonyms import Pseudonyms
from tests.integration.installation import (
    CART_ONLY,
    INPUTS,
    Record,
    lines_of,
    merged,
    write_history,
)
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer

KEY, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
VARIABLE = "BECKON__PRIVACY__KEY"
PSEUDONYMS = {"privacy": {"pseudonymise": True}}
START = 1_790_000_000_000
HOUR = 3_600_000
PEOPLE, PARTITIONS = 12, 4


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment of every command."""
    monkeypatch.setenv(VARIABLE, KEY)


def record(role: str, user: str, type_: str, number: int, **fields: Any) -> Record:
    event = {"event_id": f"e{number}", "type": type_, "ts": START + number, "user_id": user, **fields}
    return role, user, msgspec.json.encode(event)


def story() -> list[Record]:
    """Everybody views as a cookie, becomes somebody, and leaves a cart; one brings the next; orders are in euros."""
    found: list[Record] = []
    for n in range(PEOPLE):
        someone, cookie = f"person-{n}", f"cookie-{n}"
        viewed = {
            "event_id": f"v{n}",
            "type": "product_viewed",
            "ts": START,
            "anonymous_id": cookie,
            "sku": "k1",
        }
        found += [
            ("clickstream", cookie, msgspec.json.encode(viewed)),
            ("clickstream", cookie, msgspec.json.encode({**viewed, **again(n)})),
            record("customers", someone, "identity_linked", 100 + n, from_id=cookie, to_id=someone),
            record(
                "customers", someone, "referral_completed", 200 + n, referee_id=f"person-{(n + 1) % PEOPLE}"
            ),
            record("clickstream", someone, "cart_item_added", 300 + n, sku="k1", quantity=1, price=100),
            record("orders", someone, "order_placed", 400 + n, order_id=f"o{n}", total=100)
            if n % 4 == 3
            else record(
                "orders",
                someone,
                "order_placed",
                400 + n,
                order_id=f"o{n}",
                total=100,
                currency="EUR",
                lines=[{"sku": "k2", "quantity": 1}],
            ),
        ]
    found.append(("orders", "person-1", b'not json, "user_id":"person-1"'))
    found += [record("clickstream", f"later-person-{n}", "session_started", 2 * HOUR) for n in range(40)]
    return found


def again(number: int) -> dict[str, Any]:
    return {"event_id": f"w{number}", "ts": START + HOUR, "session_id": f"session-of-person-{number}"}


@pytest.fixture
def shop(tmp_path: Path, kafka: KafkaServer, redis_url: str) -> Iterator[KafkaShop]:
    settings = merged(CART_ONLY, {**PSEUDONYMS, "input": {"bad_share": 1}, "orders": {"count_on": "placed"}})
    with KafkaShop(tmp_path / "shop", kafka, redis_url, settings, partitions=PARTITIONS) as shop:
        shop.create_topics()
        shop.write(story())
        shop.run("run", "--until-caught-up")
        yield shop


def what_is_written(shop: KafkaShop) -> Iterator[bytes]:
    """All records of all topics but the inputs, all of Redis, all that processes said."""
    for role in shop.topics.keys() - set(INPUTS):
        for message in shop.read(role):
            yield message.key() or b""
            yield message.value() or b""
            for state in re.findall(rb'"state":"([^"]+)"', message.value() or b""):
                yield base64.b64decode(state)
            yield from (value or b"" for _, value in cast("list[tuple[str, bytes]]", message.headers() or []))
    yield from shop.kept()
    yield from (path.read_bytes() for path in shop.directory.glob("process-*.log"))


def assert_nobody_is_named(shop: KafkaShop) -> None:
    everything = b"\n".join(what_is_written(shop))
    assert b"ps_" in everything
    for kind in (b"person-", b"cookie-"):
        assert kind not in everything, re.findall(rb".{60}%b.{40}" % kind, everything, re.DOTALL)[:3]


def test_the_ids_of_one_person_are_one_over_shards_and_replies_reach_her(shop: KafkaShop) -> None:
    name = Pseudonyms(KEY, PARTITIONS).of
    spread = {place(f"{who}-{n}") for who in ("person", "cookie") for n in range(PEOPLE)}
    assert spread == set(range(PARTITIONS)), "they live in all shards"
    triggers = {
        each["subject"]: each["id"] for each in shop.triggers() if each["data"]["rule"] == "cart_abandoned"
    }
    assert triggers.keys() >= {name(f"person-{n}") for n in range(PEOPLE)}

    # a sender that knows the pseudonym alone, and one that knows the id
    answers = [
        answer(name("person-0"), triggers[name("person-0")]),
        answer("person-1", triggers[name("person-1")]),
    ]
    # by way of the alias, which it is by now, in a letter
    session = {
        "type": "product_viewed",
        "ts": START + 2 * HOUR,
        "sku": "k1",
        "session_id": "session-of-person-9",
    }
    view = {"event_id": "x0", "anonymous_id": "cookie-0", **session}
    shop.write([*answers, ("clickstream", "cookie-0", msgspec.json.encode(view))])
    shop.run("run", "--until-caught-up")

    users = shop.users()
    for n in range(PEOPLE):
        someone, cookie = users[name(f"person-{n}")], users[name(f"cookie-{n}")]
        assert cookie.alias_of == someone.user_id
        assert someone.ties.aliases == [cookie.user_id]
        assert someone.ties.referrer == name(f"person-{(n - 1) % PEOPLE}")
        assert "k1" in someone.activity.viewed
        (thread,) = someone.replies.threads
        assert (thread.answered_at > 0) == (n < 2)
    assert len(users) == 2 * PEOPLE + 40
    letters = b"".join(message.value() or b"" for message in shop.read("letters"))
    assert b'"session_id":"ps_' in letters
    assert_nobody_is_named(shop)


def test_a_replay_makes_the_same_triggers_as_the_service_over_all_shards(shop: KafkaShop) -> None:
    write_history(
        shop.directory / "history", [(shop.topics[role], key, value) for role, key, value in story()]
    )
    shop.run("replay", shop.directory / "history", shop.directory / "out")

    replayed = {each["id"]: each["subject"] for each in lines_of(shop.directory / "out" / "triggers.jsonl")}
    assert replayed == {each["id"]: each["subject"] for each in shop.triggers()}
    assert len(replayed) >= PEOPLE


def place(person: str) -> int:
    return partition(person.encode(), PARTITIONS)


def answer(user: str, trigger_id: str) -> Record:
    return record("engagement", user, "message_opened", 2 * HOUR, trigger_id=trigger_id, channel="app_push")


STAY = {"still invalid_field": 3, "still malformed": 1}


def test_dead_letters_go_back_from_where_they_came_in(shop: KafkaShop) -> None:
    dead = shop.read("dead_letters")
    assert {(message.key(), message.value()) for message in dead} == {(None, b"")}
    bad = PEOPLE + 1
    assert len(dead) == bad
    shown = [json.loads(line) for line in shop.run("dlq", "list", "--values", "--json").splitlines()]
    assert {each["key"] for each in shown if each["reason"] == "currency"} <= {
        f"person-{n}" for n in range(PEOPLE)
    }
    (process_log,) = (p for p in shop.directory.glob("process-*.log") if "person-" in p.read_text())
    process_log.unlink()  # it was asked for the contents

    shop.change({"input": {"currency": "EUR"}})
    done = [json.loads(shop.run("dlq", "redrive", "--all", "--json")) for _ in range(2)]
    shop.run("run", "--until-caught-up")

    euros = PEOPLE - PEOPLE // 4
    assert [each["sent"] for each in done] == [euros, 0]
    assert [each["stayed"] for each in done] == [STAY, {**STAY, "went back before": euros}]
    assert sum(user.rfm.orders for user in shop.users().values()) == euros
    assert_nobody_is_named(shop)

    shop.delete_records("orders")
    late = json.loads(shop.run("dlq", "redrive", "--all", "--json"))
    assert late["stayed"] == {"went back before": euros, "their records are no longer in their topics": 4}


def test_another_key_is_refused_and_a_rebuild_says_nothing_twice(
    shop: KafkaShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    users, triggers = shop.users(), shop.triggers()
    assert len(triggers) >= PEOPLE
    monkeypatch.setenv(VARIABLE, OTHER)
    code, said = shop.fails("run", "--until-caught-up")
    assert code == 1
    assert "was made with another privacy.key" in said
    assert KEY not in said
    code, said = shop.fails("check")
    assert code == 1
    assert "was made with another privacy.key" in said
    shop.change({"privacy": {"pseudonymise": False}})
    code, said = shop.fails("run", "--until-caught-up")
    assert code == 1
    assert "knows people by pseudonyms" in said

    monkeypatch.setenv(VARIABLE, KEY)
    shop.change({**PSEUDONYMS, "kafka": {"partitions": PARTITIONS + 1}})
    for command in ("check", "run"):
        code, said = shop.fails(command)
        assert code == 1
        assert f"Write kafka.partitions: {PARTITIONS}" in said
    shop.change({"kafka": {"partitions": PARTITIONS}})
    with redis.Redis.from_url(shop.redis_url) as client:
        client.flushdb()
    shop.run("rebuild")
    shop.run("run", "--until-caught-up")
    assert shop.users().keys() == users.keys()
    assert len(shop.triggers()) == len(triggers)
    monkeypatch.setenv(VARIABLE, OTHER)
    assert shop.fails("run", "--until-caught-up")[0] == 1, "it is remembered again"
