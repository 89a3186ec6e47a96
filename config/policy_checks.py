"""Does the policy make sense: are its rules in the catalogue, its groups known, its percentages whole?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from config.cap_checks import cap_problems, stop_problems
from config.problem import Problem
from config.settings import Policy
from state.segments import GROUPS

_WHOLE, _ROUNDING = 100, 0.001


def policy_problems(policy: Policy, rules: Mapping[str, Any]) -> Iterator[Problem]:
    """What the types of the gates' settings cannot say."""
    arbitration = policy.arbitration
    yield from cap_problems(policy, rules)
    yield from stop_problems(policy)
    if arbitration.window < 0:
        yield Problem("policy.arbitration.window", f"{arbitration.window} is below zero", "0s: nobody waits")
    for path, names in (
        ("policy.variants.rules", policy.variants.rules),
        ("policy.holdout.rules", policy.holdout.rules),
    ):
        yield from unknown(path, names, rules, "rule")
    for rule, shares in policy.variants.rules.items():
        path, total = f"policy.variants.rules.{rule}", sum(shares.values())
        if shares and abs(total - _WHOLE) > _ROUNDING:
            yield Problem(path, f"{total:g} percent in all", "the variants of a rule add up to 100")
    yield from _offer_problems(policy)


def _offer_problems(policy: Policy) -> Iterator[Problem]:
    offers = policy.offers
    lives = {"valid_for": offers.valid_for} | {
        f"valid_for_each.{name}": value for name, value in offers.valid_for_each.items()
    }
    for name, value in lives.items():
        if value <= 0:
            yield Problem(f"policy.offers.{name}", f"{value} is not above zero")
    for offer, groups in offers.by_group.items():
        yield from unknown(f"policy.offers.by_group.{offer}", groups, GROUPS, "group")


def unknown(path: str, names: Iterable[str], known: Iterable[str], kind: str) -> Iterator[Problem]:
    """A problem for each name that is not among the known ones, with the nearest of them."""
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            way_out = f"did you mean {close[0]}?" if close else f"one of {', '.join(known)}"
            yield Problem(f"{path}.{name}", f"there is no {kind} {name!r}", way_out)
