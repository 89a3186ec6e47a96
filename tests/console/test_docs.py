"""Do the pages that people write by hand still say what the code says?"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from msgspec import Struct

from flows.buyers import Head
from state.cart import CartLine
from state.items import Item
from state.ledger import Commit, Entry
from state.redis_ledger import RedisLedger
from state.user import LAYOUT, User, pack, unpack
from tests.layouts import dump
from tests.layouts.stored import structs_in
from tests.layouts.test_layouts import KEPT, LAYOUTS, users
from tests.test_house import ROOT

STATE_PAGE = (ROOT / "docs" / "state.md").read_text()
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "AGENTS.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))

DOCUMENTED = (User, Item, Head, Entry)


def documented_fields() -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """From docs/state.md: each struct's name and its rows of (index, field)."""
    for section in re.split(r"^### ", STATE_PAGE, flags=re.MULTILINE)[1:]:
        rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", section, re.MULTILINE)
        yield section.splitlines()[0], [(int(index), name) for index, name in rows]


def test_the_layout_of_the_state_is_documented_field_by_field() -> None:
    known: dict[str, type[Struct]] = {}
    for kind in DOCUMENTED:
        structs_in(kind, known)
    expected = {name: list(enumerate(kind.__struct_fields__)) for name, kind in known.items()}

    assert dict(documented_fields()) == expected
    assert f"The layout version is {LAYOUT} " in STATE_PAGE


def example(path: Path, *arguments: str) -> str:
    """What the example on the page prints: a program with the packages `redis` and `msgpack` alone."""
    path.write_text(STATE_PAGE.partition("```python\n")[2].partition("```")[0])
    assert set(re.findall(r"^(?:import|from) (.*)", path.read_text(), re.MULTILINE)) == {
        "sys, msgpack, redis"
    }
    done = subprocess.run([sys.executable, path, *arguments], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def test_the_example_reads_a_user_from_redis(redis_url: str, tmp_path: Path) -> None:
    user = User.new("u1")
    user.rfm.orders, user.rfm.net_amount, user.rfm.last_order_at = 2, 3998, 1_790_000_000_000
    user.rfm.orders_by_day = {20_717: 2}
    user.cart.lines["k1"] = CartLine(2, 1999, 1_790_000_000_000)
    client = redis.Redis.from_url(redis_url)
    ledger = RedisLedger(
        client, "shop", user_ttl_seconds=60, watch_ttl_seconds=60, watchers_per_sku=1, audience_users=1
    )
    ledger.prepare(4, LAYOUT)
    ledger.begin_commit(3, Commit("a", ledger.open(3, "a").version, users={"u1": pack(user)}))
    assert ledger.finish_commits() == [True]
    ledger.close()

    told = example(tmp_path / "example.py", redis_url, "shop", "u1")

    assert told == "orders 2 net 3998 last 1790000000000\ncart {'k1': 2}\n"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_example_reads_what_releases_have_left(redis_url: str, tmp_path: Path, layout: int) -> None:
    with redis.Redis.from_url(redis_url) as client:
        dump.fill(client, "shop", KEPT / str(layout) / "state.jsonl")
    for user_id, user in ((user_id, unpack(blob)) for user_id, blob in users(layout)):
        if user_id in ("shopper-0002", "shopper-0007"):
            told = example(tmp_path / "example.py", redis_url, "shop", user_id)
            expected = []
            if (rfm := user.own_rfm) is not None:
                expected.append(f"orders {rfm.orders} net {rfm.net_amount} last {rfm.last_order_at}")
            if (cart := user.own_cart) is not None:
                expected.append(f"cart { {sku: line.quantity for sku, line in cart.lines.items()} }")
            assert told.splitlines() == expected
            assert told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_points_to_is_there(page: Path) -> None:
    """Links between pages, and files of ours named in backticks."""
    text = page.read_text()
    links = [
        target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target
    ]
    missing = [target for target in links if target and not (page.parent / target).exists()]
    folders = "state|triggers|connectors|config|flows|console|tests|benchmarks|docs|deploy"
    named = re.findall(rf"`((?:{folders})/[\w./-]+\.\w+)`", text)
    missing += [path for path in named if not (ROOT / path).exists()]

    assert not missing
