"""Is every buyer of CDNOW warned of at the moment at which the score really crosses, once a purchase, and unasked?

`beckon replay` of all their orders with the published parameters. What is compared is a search of its own, on P(no
purchase) written out anew: science, section 2.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scipy import optimize

from tests.integration.installation import lines_of, replayed
from tests.other_rules import others
from tests.real_data import cdnow

R, ALPHA, A, B = 0.524838, 6.182992, 0.891356, 1.613999
HORIZON_WEEKS, PROBABILITY = 8, 0.8
WEEK = timedelta(weeks=1)
SETTINGS: dict[str, Any] = {
    "policy": {"enabled": False},
    "input": {"currency": "USD"},
    "predict": {"model": "mbg_nbd", "r": R, "alpha": ALPHA, "a": A, "b": B},
    "rules": {
        "churn_risk": {"probability": PROBABILITY, "horizon": f"{HORIZON_WEEKS}w"},
        **{rule: {"enabled": False} for rule in others("churn_risk")},
    },
}


def no_purchase(x: int, last: float, now: float) -> float:
    """MBG/NBD."""
    alive: float = 1 / (1 + A / (B + x) * ((ALPHA + now) / (ALPHA + last)) ** (R + x))
    silent: float = ((ALPHA + now) / (ALPHA + now + HORIZON_WEEKS)) ** (R + x)
    return 1 - alive * (1 - silent)


def crossings(placed: list[cdnow.Order], until: datetime) -> dict[str, list[datetime]]:
    """After each purchase day of who has ordered twice: when the score reaches the threshold, if before the next."""
    by_user: defaultdict[str, list[datetime]] = defaultdict(list)
    for order in placed:
        by_user[order.user_id].append(order.at)
    found: dict[str, list[datetime]] = {}
    for user, at in by_user.items():
        days = sorted(set(at))
        for place, day in enumerate(days):
            x, last = place, (day - days[0]) / WEEK
            if sum(each <= day for each in at) < 2 or no_purchase(x, last, last) >= PROBABILITY:
                continue  # by recency, or warned of nothing: it does not cross upward
            weeks = optimize.brentq(
                lambda now, x=x, last=last: no_purchase(x, last, now) - PROBABILITY, last, 1e6, xtol=1e-11
            )
            crossed = days[0] + weeks * WEEK
            if crossed < min([*days[place + 1 :], until]):
                found.setdefault(user, []).append(crossed)
    return found


@pytest.mark.slow
def test_each_warning_comes_at_the_moment_of_the_crossing(tmp_path: Path) -> None:
    placed, until = cdnow.orders(), datetime(2010, 1, 1, tzinfo=UTC)
    assert (len(placed), len({order.user_id for order in placed})) == (cdnow.ORDERS, cdnow.BUYERS)
    out = replayed(tmp_path, cdnow.records(placed), SETTINGS, "--until", until.isoformat())

    told: defaultdict[str, list[datetime]] = defaultdict(list)
    for trigger in lines_of(out / "triggers.jsonl"):
        if trigger["data"]["method"] == "prediction":
            told[trigger["subject"]].append(datetime.fromisoformat(trigger["time"]))
    expected = crossings(placed, until)

    assert Counter({user: len(each) for user, each in told.items()}) == Counter(
        {user: len(each) for user, each in expected.items()}
    )
    late = [
        (said - crossed).total_seconds()
        for user, moments in told.items()
        for said, crossed in zip(sorted(moments), expected[user], strict=True)
    ]
    assert len(late) > 1000
    assert min(late) + 1e-5 >= 0  # never before the crossing ...
    assert max(late) < 0.0011  # ... and told by the first whole millisecond after it
