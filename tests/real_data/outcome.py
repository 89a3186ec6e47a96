"""What did a replay say, and what does it know in the end? Read from its files, in the words of the oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.integration.installation import lines_of
from tests.real_data.acts import Known, Told

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def told(out: Path, rule: str) -> list[Told]:
    """Every trigger of that rule, sorted."""
    found = [trigger for trigger in lines_of(out / "triggers.jsonl") if trigger["data"]["rule"] == rule]
    assert len({trigger["id"] for trigger in found}) == len(found), "a trigger's id is there twice"
    return sorted(
        Told(
            trigger["subject"], ms(trigger["time"]), trigger["data"]["step"], _lines(trigger["data"]["skus"])
        )
        for trigger in found
    )


def rules_that_spoke(out: Path) -> set[str]:
    return {trigger["data"]["rule"] for trigger in lines_of(out / "triggers.jsonl")}


def known(out: Path) -> dict[str, Known]:
    """What the profiles say, by user."""
    return {
        profile["user_id"]: Known(
            first_seen_at=ms(profile["first_seen_at"]),
            last_seen_at=ms(profile["last_seen_at"]),
            views=profile["activity"]["views_7d"],
            orders=profile["rfm"]["orders"],
            net_amount=profile["rfm"]["net_amount"],
            last_order_at=None if (at := profile["rfm"]["last_order_at"]) is None else ms(at),
            cart={line["sku"]: (line["quantity"], line["price"]) for line in profile["cart"]["lines"]},
        )
        for profile in lines_of(out / "profiles.jsonl")
    }


def differing(found: dict[str, Known], expected: dict[str, Known]) -> dict[str, tuple[Known | None, ...]]:
    """Only those of whom the two do not say the same: what is found, what is expected."""
    users = found.keys() | expected.keys()
    both = {user: (found.get(user), expected.get(user)) for user in sorted(users)}
    return {user: (one, other) for user, (one, other) in both.items() if one != other}


def ms(moment: str) -> int:
    return (datetime.fromisoformat(moment) - EPOCH) // timedelta(milliseconds=1)


def _lines(skus: list[dict[str, Any]]) -> tuple[tuple[str, int | None, int | None], ...]:
    return tuple(sorted((line["sku"], line["quantity"], line["price"]) for line in skus))
