"""What does a rule wait for at a user, and by which of its stanzas?

It waits for one moment a user and rule (`user.wakes`). What it waited for when the stanza changed goes on by the old
one: its steps, and whatever else the rule says to this user meanwhile. A timer that waits for a date, as that of a
birthday, is within no episode.
"""

from __future__ import annotations

from state.folding import FoldParams
from state.user import User, pack, unpack
from triggers.plan import Armed, Plan
from triggers.trigger import Asked


def waiting_by(armed: Armed, user: User, plan: Plan) -> Armed:
    """The rule as what it waits for at this user began; as it is now where it waits for nothing."""
    name = armed.rule.name
    if name not in plan.continued or user.own_wakes is None or name not in user.own_wakes:
        return armed
    return plan.held(name, user.stanza_of(name)) or armed


def arm(armed: Armed, asked: Asked, fold: FoldParams, *, more: bool) -> bool:
    """Note when to ask again, if ever, and by which stanza; False if that need not be.

    `more`: one moment was too little for what is due.
    """
    name, user = armed.rule.name, asked.user
    at = None if armed.rule.wake_at is None else armed.rule.wake_at(user, armed.params, fold)
    if at is not None and more:
        at = max(at, asked.now + 1)  # too many for one moment: the rest in the next
    if at is None or asked.passed(at):
        if user.own_wakes:
            disarm(user, name)
        return False
    _wait_until(armed, user, at)
    return True


def wait_no_longer(armed: Armed, asked: Asked, fold: FoldParams) -> None:
    """Than it may be needed: a timer yet to come is set earlier, never later or off."""
    user = asked.user
    at = None if armed.rule.wake_at is None else armed.rule.wake_at(user, armed.params, fold)
    known = (user.own_wakes or {}).get(armed.rule.name)
    if at is not None and asked.now < at and (known is None or at < known):
        _wait_until(armed, user, at)


def _wait_until(armed: Armed, user: User, at: int) -> None:
    user.wakes[armed.rule.name] = at
    if armed.number or user.own_stanzas is not None:
        user.note_stanza(armed.rule.name, armed.number)


def disarm(user: User, rule: str) -> None:
    user.wakes.pop(rule, None)
    if user.own_stanzas is not None:
        user.note_stanza(rule, 0)


def goes_on(armed: Armed, asked: Asked, fold: FoldParams, *, more: bool) -> bool:
    """Is what the rule waits for by an old stanza what it was before, or a further step of what was told by it?

    Else it is over: an event has changed it, or what comes next begins now.
    """
    name, user = armed.rule.name, asked.user
    before = user.wakes[name]
    if not arm(armed, asked, fold, more=more):
        return False
    at = user.wakes[name]
    if more or at == before:
        return True
    then = unpack(pack(user))  # evaluating may leave a mark
    following = armed.rule.evaluate(Asked(then, None, at, asked.facts, fold), armed.params)
    return following is not None and user.contact.episode(name, following.anchor) is not None
