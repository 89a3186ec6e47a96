"""Do the pages that people write by hand still say what the code says?"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import redis
from msgspec import Struct

from flows.buyers import Head
from state.cart import CartLine
from state.items import Item
from state.ledger import Commit, Entry
from state.redis_ledger import RedisLedger
from state.user import LAYOUT, User, pack
from tests.test_house import ROOT

STATE_PAGE = (ROOT / "docs" / "state.md").read_text()
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "AGENTS.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))

STORED = (User, Item, Head, Entry)


def structs_in(kind: Any, known: dict[str, type[Struct]]) -> dict[str, type[Struct]]:
    """Every Struct that a stored value is made of, by name."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        if kind.__name__ not in known:
            known[kind.__name__] = kind
            for field in get_type_hints(kind).values():
                structs_in(field, known)
    else:
        for part in get_args(kind):
            structs_in(part, known)
    return known


def documented_fields() -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """From docs/state.md: each struct's name and its rows of (index, field)."""
    for section in re.split(r"^### ", STATE_PAGE, flags=re.MULTILINE)[1:]:
        rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", section, re.MULTILINE)
        yield section.splitlines()[0], [(int(index), name) for index, name in rows]


def test_the_layout_of_the_state_is_documented_field_by_field() -> None:
    known: dict[str, type[Struct]] = {}
    for kind in STORED:
        structs_in(kind, known)
    expected = {name: list(enumerate(kind.__struct_fields__)) for name, kind in known.items()}

    assert dict(documented_fields()) == expected
    assert f"The layout version is {LAYOUT} " in STATE_PAGE


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
    example = tmp_path / "example.py"
    example.write_text(STATE_PAGE.partition("```python\n")[2].partition("```")[0])

    done = subprocess.run(
        [sys.executable, example, redis_url, "shop", "u1"], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert done.stdout == "orders 2 net 3998 last 1790000000000\ncart {'k1': 2}\n"


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
