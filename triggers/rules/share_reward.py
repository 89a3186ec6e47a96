"""Who spreads the word so well that it deserves a reward?

Two ladders: how often a user has shared in all (every content_shared is one share, also of the same target), each rung
once in a life; and how many likes of a target they tell, each rung once a target. Who passes several rungs at once is
told the highest, and of the lower ones no more.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from state import events
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import nearest, needs_event, so

NAME = "share_reward"

Rung = Annotated[int, Meta(gt=0)]


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rungs in shares of one user, and in likes of one target; an empty ladder: none."""

    share_ladder: tuple[Rung, ...]
    like_ladder: tuple[Rung, ...]


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    if asked.event is None:
        return None
    return _for_shares(asked, params) or _for_likes(asked, params)


def _for_shares(asked: Asked, params: Params) -> Candidate | None:
    community = asked.user.community
    rung = _reached(params.share_ladder, community.shares)
    if rung <= community.shares_told:
        return None
    community.shares_told = rung
    return _reward(asked, params, "shares", community.shares, rung, None)


def _for_likes(asked: Asked, params: Params) -> Candidate | None:
    community, target, likes = asked.user.community, asked.event.target, asked.event.likes
    rung, told = _liked(asked, params)
    if rung == 0:
        return None
    community.note_liked(target, max(rung, told), [each for each in params.like_ladder if each < rung])
    return _reward(asked, params, "likes", likes, rung, target) if rung > told else None


def _liked(asked: Asked, params: Params) -> tuple[int, int]:
    """The rungs that the likes of the target have reached, and of which it was told; 0: none, or nothing reached."""
    community, target = asked.user.community, asked.event.target
    rung = _reached(params.like_ladder, asked.event.likes or 0)
    if rung == 0:
        return 0, 0
    return rung, max((each for each in params.like_ladder if community.knows_liked(target, each)), default=0)


def _has_news(asked: Asked, params: Params) -> bool:
    rung, told = _liked(asked, params)
    return rung > told


def _reward(asked: Asked, params: Params, kind: str, count: int, rung: int, target: str | None) -> Candidate:
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=asked.user.user_id,
        step=1,
        anchor=f"{kind}:{rung}" if target is None else f"{kind}:{target}:{rung}",
        at=asked.event.ts,
        reason=f"passed {rung} {kind}",
        fields={"kind": kind, "rung": rung, "count": count, "target": target},
        offer=params.offer,
    )


def _reached(ladder: tuple[int, ...], count: int) -> int:
    """The highest rung that is not above `count`; 0: none."""
    return max((rung for rung in ladder if rung <= count), default=0)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    """What was shared was shared, and likes only grow."""
    return None


def conditions(asked: Asked, params: Params) -> list[Condition]:
    community, shares = asked.user.community, needs_event(asked, events.ContentShared, "she shares something")
    ladders = (params.share_ladder, params.like_ladder)
    rungs, likes = (", ".join(map(str, ladder)) or "none" for ladder in ladders)
    reached = _reached(params.share_ladder, community.shares) > community.shares_told
    own = f"her shares reach a rung that was not told ({rungs}): {community.shares} so far"
    liked = asked.event is not None and _has_news(asked, params)
    return nearest(
        [[shares, so(reached, own)], [shares, so(liked, f"its likes reach one that was not told ({likes})")]],
        own,
    )


RULE = Rule(
    name=NAME,
    version=1,
    question="Who spreads the word so well that it deserves a reward?",
    params=Params,
    on=(events.ContentShared,),
    evaluate=evaluate,
    holds=holds,
    conditions=conditions,
    fields={
        "kind": "`shares` or `likes`",
        "rung": "the one that was reached",
        "count": "shares of the user in all, or likes of the target",
        "target": "what was liked; null for shares",
    },
)
