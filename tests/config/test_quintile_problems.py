"""Is an operator asked for what quintiles need only where there are quintiles?"""

from config.load import load
from tests.config.test_problems import problems


def test_what_only_quintiles_ask_for() -> None:
    odd = ("rfm.quintiles.publish_every=2s", "rfm.quintiles.bought_within=500d")
    load(None, {}, odd)
    assert [problem.path for problem in problems("rfm.by=quintiles", *odd)] == [
        "rfm.quintiles.publish_every",
        "rfm.quintiles.bought_within",
    ]
