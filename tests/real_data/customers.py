"""Which five customers does docs/customers.md show, and what does beckon say of them?

`python -m tests.real_data.customers` writes the profiles into the page anew; what is said about each line there is
written by hand. Histories go through `beckon replay`, with the rules as they are by default; a profile is printed as
`beckon profile` prints it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from console.customer import profile_lines
from tests.integration.installation import Record, lines_of, replayed
from tests.other_rules import others
from tests.real_data import cdnow, online_retail, retailrocket

PAGE = Path(__file__).parents[2] / "docs" / "customers.md"
PROFILE = re.compile(r"(?<=^```text\n)user .*?(?=^```$)", re.DOTALL | re.MULTILINE)
SEED = 20111209
ORDERS_ALONE = ("stage_changed", "segment_changed", "tier_changed", "winback", "churn_risk", "replenishment")


class Shop(Struct, frozen=True):
    """A data set, replayed `until` then; `shown`: those of its customers who are on the page, in order."""

    name: str
    records: Callable[[], Iterable[Record]]
    settings: Mapping[str, Any]
    currency: str
    until: datetime
    shown: tuple[str, ...]


def _wholesaler() -> list[Record]:
    """Every tenth customer: those whose number ends with 7."""
    sold, cancelled = online_retail.valid_lines(), online_retail.cancelled_lines()
    placed = online_retail.orders(sold[sold["user"].str.endswith("7")])
    back = online_retail.refunds(cancelled[cancelled["user"].str.endswith("7")], placed)
    return online_retail.shuffled([*placed, *back], SEED)


SHOPS = (
    Shop(
        "RetailRocket",
        retailrocket.records,
        {},
        "CNY",
        datetime(2015, 9, 14, 12, tzinfo=UTC),
        ("577130", "813477"),
    ),
    Shop(
        "UCI Online Retail",
        _wholesaler,
        {
            "rfm": {"by": "quintiles", "quintiles": {"bought_within": "400d"}},
            "rules": {rule: {"enabled": False} for rule in others(*ORDERS_ALONE)},
        },
        "GBP",
        datetime(2011, 12, 10, tzinfo=UTC),
        ("13317",),
    ),
    Shop(
        "CDNOW",
        lambda: cdnow.records(cdnow.orders()),
        {
            "predict": {
                "model": "mbg_nbd",
                "r": 0.524838,
                "alpha": 6.182992,
                "a": 0.891356,
                "b": 1.613999,
                "spend": {"p": 6.248802, "q": 3.744588, "gamma": 1544.7748},
            },
            "rfm": {"by": "quintiles"},
            "rules": {rule: {"enabled": False} for rule in others(*ORDERS_ALONE)},
        },
        "USD",
        datetime(1997, 10, 1, tzinfo=UTC),
        ("1292", "0013"),
    ),
)


def profiles(shop: Shop, directory: Path) -> dict[str, dict[str, Any]]:
    settings = {**shop.settings, "input": {"currency": shop.currency}}
    out = replayed(directory, shop.records(), settings, "--until", shop.until.isoformat())
    return {profile["user_id"]: profile for profile in lines_of(out / "profiles.jsonl")}


def printed(shop: Shop, directory: Path) -> list[str]:
    """Of each who is shown, as the page has it."""
    found = profiles(shop, directory)
    return ["\n".join(profile_lines(found[user], shop.currency)) + "\n" for user in shop.shown]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        told = iter([text for shop in SHOPS for text in printed(shop, Path(folder) / shop.name)])
        PAGE.write_text(PROFILE.sub(lambda _: next(told), PAGE.read_text()))


if __name__ == "__main__":
    main()
