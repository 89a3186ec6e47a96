"""Do the conditions that a rule tells a person agree with what it does, each time it is asked?"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from state.folding import FoldParams
from state.user import User, pack, unpack
from triggers.plan import Armed, Plan
from triggers.trigger import Asked, Candidate, Condition
from triggers.why import speaks

# What it waits for here is not something to say: it forgets what it said when time has made that void.
_FORGETS_BY_TIME = ("tier_near",)


def watched(plan: Plan, agreed: set[tuple[str, bool]]) -> Plan:
    """The plan, its rules asked for their conditions before each answer; `agreed`: (rule, whether it spoke)."""
    for name, armed in plan.armed.items():
        plan.armed[name] = _watched(armed, agreed)
    for kind, several in plan.by_event.items():
        plan.by_event[kind] = tuple(plan.armed[armed.rule.name] for armed in several)
    return plan


def _watched(armed: Armed, agreed: set[tuple[str, bool]]) -> Armed:
    rule, wake_at = armed.rule, armed.rule.wake_at

    def evaluate(asked: Asked, params: Any) -> Candidate | None:
        told = _conditions(armed, asked)
        found = rule.evaluate(asked, params)
        assert speaks(told) == (found is not None), (rule.name, asked.event, found, told)
        agreed.add((rule.name, found is not None))
        return found

    def waits(user: User, params: Any, fold: FoldParams) -> int | None:
        assert wake_at is not None
        at = wake_at(user, params, fold)
        now = user.decided_at
        if at is not None and at > now + 1 and rule.name not in _FORGETS_BY_TIME:
            told = _conditions(armed, Asked(user, None, now, _no_facts, fold))
            # What a late event has brought about is told when the rule is asked next (Rule.catches_up).
            named = at in [condition.at for condition in told] or (rule.catches_up and speaks(told))
            assert named, (rule.name, at, now, told)
        return at

    return replace(armed, rule=replace(rule, evaluate=evaluate, wake_at=waits if wake_at else None))


def _conditions(armed: Armed, asked: Asked) -> list[Condition]:
    user = unpack(pack(asked.user))
    _have_all_parts(user)
    before = pack(user)
    told = armed.rule.conditions(replace(asked, user=user), armed.params)
    assert pack(user) == before, f"{armed.rule.name} has changed the user by being asked why"
    assert all(condition.text and not (condition.met and condition.at is not None) for condition in told)
    return told


def _have_all_parts(user: User) -> None:
    """A part comes into being when first asked for: that is no change."""
    for name in user.__struct_fields__:
        if name.startswith("own_"):
            getattr(user, name.removeprefix("own_"), None)  # some are never made by looking


def _no_facts(sku: str) -> None:
    return None
