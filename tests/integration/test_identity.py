"""Are the ids of a person one person over two processes, on real servers, also when one of them is killed?"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from state.user import User
from tests.integration.installation import Record, eventually, merged
from tests.integration.shop import KafkaShop
from tests.integration.test_workers import PARTITIONS, SLOWLY, wait_for_equal_shares
from tests.servers.kafka import KafkaServer

START = 1_790_000_000_000
PEOPLE = 60
VIEWS = 6  # of each id
SOME_RULES: Mapping[str, Any] = {"policy": {"enabled": False}, "rules": {"stage_changed": {"enabled": False}}}


def record(role: str, user: str, type_: str, after: int, **fields: Any) -> Record:
    name = f"{type_}-{user}-{after}"
    said = {"event_id": name, "type": type_, "ts": START + after, "user_id": user, **fields}
    return role, user, msgspec.json.encode(said)


def ids_of(number: int) -> list[str]:
    return [f"{name}{number}" for name in ("cookie", "phone", "visitor")]


def story(number: int) -> list[Record]:
    """A cookie, a phone and an account of one person: views by each, an order placed by one and paid by another.

    Linked one to the next, so that the last one lives; every third person's in a circle, so that the smallest does.
    """
    ids = cookie, phone, account = ids_of(number)
    said = [
        record("clickstream", who, "product_viewed", 10 * turn, sku=f"k{turn}")
        for turn in range(VIEWS)
        for who in ids
    ]
    lines = [{"sku": "k1", "quantity": 1, "price": 100}]
    said.append(record("orders", phone, "order_placed", 15, order_id=f"o{number}", total=100, lines=lines))
    said.append(record("orders", cookie, "order_paid", 20, order_id=f"o{number}"))
    said.append(record("customers", phone, "identity_linked", 25, from_id=cookie, to_id=phone))
    said.append(record("customers", account, "identity_linked", 35, from_id=phone, to_id=account))
    if number % 3 == 0:
        said.append(record("customers", phone, "identity_linked", 36, from_id=account, to_id=cookie))
    return said


def living(users: Mapping[str, User], number: int) -> list[User]:
    return [users[each] for each in ids_of(number) if each in users and users[each].alias_of is None]


def united(users: Mapping[str, User]) -> bool:
    """Does each person live under one id that knows the others, with what each of the three has seen?"""
    found = [living(users, number) for number in range(PEOPLE)]
    return all(len(each) == 1 and len(each[0].ties.aliases) == 2 for each in found) and all(
        sum(viewed.times for _, viewed in user.activity.viewed.items()) == 3 * VIEWS and user.rfm.orders == 1
        for (user,) in found
    )


def test_the_ids_of_a_person_are_one_over_two_processes_though_one_is_killed(
    kafka: KafkaServer, redis_url: str, tmp_path: Path
) -> None:
    said = [each for number in range(PEOPLE) for each in story(number)]
    with KafkaShop(tmp_path, kafka, redis_url, merged(SOME_RULES, SLOWLY), partitions=PARTITIONS) as shop:
        shop.create_topics()
        shop.write(said[:1])  # makes the broker's own topics
        parent = shop.start("run", "--workers", "2")
        wait_for_equal_shares(shop, parent)
        total = 1 + shop.write(said[1:])
        eventually(lambda: shop.marks() > total // 4 or not parent.runs, what="a quarter of the records")
        os.kill(parent.children()[0], signal.SIGKILL)
        assert shop.marks() < total, "it was not in the middle"
        eventually(lambda: shop.marks() == total or not parent.runs, 120, what="the rest")
        eventually(lambda: united(shop.users()) or not parent.runs, 120, what="the last letter")
        parent.terminate()
        assert parent.wait(30) == 0, parent.said()
        users = shop.users()
        assert united(users)
        for number in range(PEOPLE):
            user = living(users, number)[0]
            assert user.user_id == ids_of(number)[-1 if number % 3 else 0]
            assert {sku: viewed.times for sku, viewed in user.activity.viewed.items()} == {
                f"k{turn}": 3 for turn in range(VIEWS)
            }
            assert (user.rfm.orders, user.rfm.net_amount) == (1, 100)
        told = [msgspec.json.decode(shop.run("profile", each, "--json")) for each in ids_of(1)]
        assert [(one["user_id"], one["rfm"]["orders"]) for one in told] == [(ids_of(1)[-1], 1)] * 3
        assert shop.read("dead_letters") == []
        assert shop.outbox() == 0
        letters = [message.value() for message in shop.read("letters")]
        assert len(letters) > PEOPLE, "the ids were not far apart"
        assert len(set(letters)) == len(letters), "a letter went out twice"
