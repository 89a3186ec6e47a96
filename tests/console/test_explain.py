"""Does `beckon explain` find the user, whoever the id is today, and read right on a terminal and for programs?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from msgspec import msgpack
from typer.testing import CliRunner, Result

from config.load import load, plan_of
from connectors.http import BadQuery
from connectors.murmur2 import partition
from console.cli import app
from console.explain import lines_of_one
from flows.buyers import Head
from flows.explain import read_json
from flows.shard import pack_item
from state.cart import CartLine
from state.history import Decided
from state.items import Item
from state.ledger import Commit
from state.redis_ledger import RedisLedger
from state.scores import Cuts
from state.union import become_alias
from state.user import LAYOUT, User, pack
from tests.restored_logging import restored_logging
from triggers.explain import explain

SHARDS = 4
NOW = 1_790_000_000_000  # 2026-09-21T14:13:20Z
MINUTE = 60_000
SENT = Decided(
    "cart_abandoned", 1, 1, "e1", NOW, NOW, "publish", "", "cart untouched for 1 h", "sms", -1, "", "time"
)

Ask = Callable[..., Result]


@pytest.fixture
def ask(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """The command over a state that knows u1, her other id old, and gone, who asked to be forgotten."""
    client = redis.Redis.from_url(redis_url)
    ledger = RedisLedger(
        client, "beckon", user_ttl_seconds=600, watch_ttl_seconds=600, watchers_per_sku=1, audience_users=1
    )
    ledger.prepare(SHARDS, LAYOUT)
    for user in (_shopper(), _other_id(), _forgotten()):
        shard = partition(user.user_id.encode(), SHARDS)
        opened = ledger.open(shard, "owner")
        ledger.begin_commit(
            shard,
            Commit("owner", opened.version, watermark=NOW + 30 * MINUTE, users={user.user_id: pack(user)}),
        )
        assert ledger.finish_commits() == [True]
    shard = partition(b"k1", SHARDS)
    item = pack_item(Item(available=2))
    ledger.begin_commit(
        shard, Commit("owner", ledger.open(shard, "owner").version, watermark=NOW, items={"k1": item})
    )
    assert ledger.finish_commits() == [True]
    monkeypatch.chdir(tmp_path)

    def asked(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["explain", *arguments, "--set", f"redis.url={redis_url}"])

    with restored_logging():
        yield asked
    ledger.close()
    client.close()


def _shopper() -> User:
    user = User.new("u1")
    user.cart.lines["k1"] = CartLine(1, 500, NOW)
    user.cart.changed_at, user.cart.anchor = NOW, "e1"
    user.contact.remember("cart_abandoned", "e1", 1, NOW)
    user.history.note(SENT)
    user.wakes["cart_abandoned"] = user.due = NOW + 24 * 60 * MINUTE
    return user


def _other_id() -> User:
    user = User.new("old")
    become_alias(user, "u1")
    return user


def _forgotten() -> User:
    user = User.new("gone")
    user.erased_at = NOW
    return user


def test_segments_go_by_the_cut_points_of_the_population(ask: Ask, redis_url: str) -> None:
    cuts = Cuts(version="v", r=(10_000, 20_000, 30_000, 40_000), f=(1, 2, 3, 4), m=(1, 2, 3, 4))
    head = msgpack.encode(Head("UTC", 1, published=((0, cuts),)))
    shard = partition(b"buyer", SHARDS)
    with redis.Redis.from_url(redis_url) as client:
        user = User.new("buyer")
        user.rfm.orders, user.rfm.net_amount, user.rfm.last_order_at, user.decided_at = 9, 9, NOW, NOW
        client.set(f"{{beckon:s{shard:02d}}}:u:buyer", pack(user))
        client.hset(f"{{beckon:s{shard:02d}}}:buyers", "head", head)
    quintiles = ("buyer", "--rule", "segment_changed", "--set", "rfm.by=quintiles")

    assert "now core_value by scores" in ask(*quintiles).output
    assert "by scores" not in ask(*quintiles[:3]).output


def test_without_a_rule_it_tells_what_was_decided_and_what_would_come(ask: Ask) -> None:
    told = ask("u1")

    assert told.exit_code == 0, told.output
    lines = told.output.splitlines()
    assert lines[0] == "user u1 as of 2026-09-21 14:43:20Z; all times are UTC"
    assert lines[1] == "decided, the latest first"
    assert lines[2] == (
        "  cart_abandoned (step 1: cart untouched for 1 h) was sent on sms 2026-09-21 14:13:20Z (30 min ago)"
    )
    assert lines[3] == "to come, if nothing else happens"
    assert "would be put off 2026-09-22 14:13:20Z (in 23 h) to 2026-09-23 00:30Z" in lines[4]
    assert "nothing to tell of (--rule NAME says what is missing)" in lines


def test_of_one_rule_it_tells_every_condition(ask: Ask) -> None:
    told = ask("u1", "--rule", "low_stock")

    assert told.exit_code == 0, told.output
    assert told.output.splitlines() == [
        "user u1 as of 2026-09-21 14:43:20Z; all times are UTC",
        "low_stock, version 1: Whose favourite thing is almost sold out?",
        "decided, the latest first",
        "  nothing that is remembered",
        "its conditions",
        "  no   stock of a thing she cares about falls to 3 or fewer, each time told once: k1 has 2",
        "to come, if nothing else happens",
        "  nothing by time alone: what is missing must come with an event",
        "now held back",
        "  it is night where she lives (21:30 to 08:30, Asia/Shanghai), until 2026-09-22 00:30Z (in 9 h)",
    ]
    later = ask("u1", "--rule", "cart_abandoned", "--at", "2026-09-21T15:00:00Z").output.splitlines()
    assert (
        later[1]
        == "  note: as it would be 2026-09-21 15:00Z if nothing else happened after 2026-09-21 14:43:20Z"
    )
    assert "  no   nobody touches it for 1 day: step 2 (at 2026-09-22 14:13:20Z)" in later


def test_another_id_of_hers_is_followed(ask: Ask) -> None:
    told = ask("old")

    assert told.exit_code == 0, told.output
    assert told.output.splitlines()[1] == "  note: old is another id of the person who is now u1"


def test_who_was_forgotten_and_who_was_never_seen(ask: Ask) -> None:
    forgotten, unknown = ask("gone"), ask("stranger")

    assert forgotten.exit_code == 0
    assert "she asked to be forgotten 2026-09-21 14:13:20Z" in forgotten.output
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert unknown.stderr == "beckon: no user 'stranger' is known\n"


def test_for_programs_it_is_one_object(ask: Ask) -> None:
    found = json.loads(ask("u1", "--json").stdout)

    assert (found["user_id"], found["as_of"]) == ("u1", "2026-09-21T14:43:20Z")
    (rule,) = [each for each in found["rules"] if each["rule"] == "cart_abandoned"]
    assert rule["decisions"][0]["verdict"] == "publish"
    assert rule["asked_at"] == "2026-09-22T14:13:20Z"


def test_a_rule_that_there_is_not_is_wrong_usage(ask: Ask) -> None:
    told = ask("u1", "--rule", "cart")

    assert told.exit_code == 2
    assert told.stderr.startswith("beckon: there is no rule 'cart'; rules: cart_abandoned, ")


def test_over_http_the_query_is_read_and_refused_in_words(ask: Ask, redis_url: str) -> None:
    settings = load(None, {}, [f"redis.url={redis_url}"])

    def read(**query: str) -> Any:
        return json.loads(read_json(settings, redis_url, "u1", query) or b"{}")

    assert read(rule="low_stock")["at"] == "2026-09-21T14:43:20Z"
    assert read(at="2026-09-21T17:00:00 01:00")["at"] == "2026-09-21T16:00:00Z", "+ is a space in a query"
    assert read_json(settings, redis_url, "stranger", {}) is None
    for wrong in ({"rule": "cart"}, {"at": "soon"}, {"at": "2026-09-21T17:00:00"}):
        with pytest.raises(BadQuery):
            read(**wrong)


def _no_facts(sku: str) -> None:
    return None


def test_a_rule_that_has_all_it_needs_waits_to_be_asked() -> None:
    """A late event has made the change: it is told when the rule is asked next."""
    user = User.new("u1")
    user.registered_at, user.registered_event = NOW, "e1"
    plan = plan_of(load(None, {}, []))
    user.lifecycle.stage = "new"
    user.wakes["stage_changed"] = user.due = NOW + 60 * MINUTE
    found = explain(user, plan, _no_facts, as_of=NOW, rule="stage_changed")
    lines = [*lines_of_one(found)]
    assert lines[lines.index("its conditions") + 2] == (
        "  all are met: it speaks when it is asked, with an event, or 2026-09-21 15:13:20Z"
    )
