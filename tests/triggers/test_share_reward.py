"""Is the like of many targets rewarded once each?"""

from __future__ import annotations

import pytest

from state import events
from state.community import LIKED_LIMIT
from tests.triggers.golden import plan_of
from tests.triggers.shop import Shop
from triggers.rules.share_reward import NAME

LADDER = (10, 20, 30)


def _rewarded(said: list[tuple[int, int]]) -> list[str]:
    """What is told of (target, likes), a word a millisecond."""
    shop = Shop(plan_of({NAME: {"share_ladder": [], "like_ladder": [*LADDER]}}, None))
    for at, (target, likes) in enumerate(said):
        shop.take(
            events.ContentShared(event_id=f"e{at}", ts=at, user_id="u1", target=f"t{target}", likes=likes), at
        )
    return [d.candidate.anchor for d in shop.decisions]


def test_rungs_of_as_many_targets_as_are_remembered_are_told_once() -> None:
    said = [(target, likes) for target in range(LIKED_LIMIT) for likes in LADDER]
    assert _rewarded([*said, *said]) == [f"likes:t{target}:{rung}" for target, rung in said]


@pytest.mark.parametrize("likes", [*LADDER, 35])
def test_a_target_that_is_spoken_of_is_not_forgotten_for_others(likes: int) -> None:
    said = [each for target in range(1, 3 * LIKED_LIMIT) for each in ((0, likes), (target, 10))]
    assert len([anchor for anchor in _rewarded(said) if anchor.startswith("likes:t0:")]) == 1


def test_fewer_likes_than_once_told_are_no_news_and_change_nothing() -> None:
    assert _rewarded([(0, 30), (0, 10), (0, 20), (0, 30), (0, 9)]) == ["likes:t0:30"]
