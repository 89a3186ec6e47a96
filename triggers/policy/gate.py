"""What does a gate see, and what may it answer?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from triggers.trigger import Asked, Candidate, Defer, RuleParams, Suppress


class Proposal(Struct, frozen=True, gc=False):
    """A candidate on its way through the gates, with its rule's settings and the channel chosen for it.

    `waited`: it has been deferred before, and its time has come. `variant`, `offer_until`: what gates have added.
    """

    asked: Asked
    candidate: Candidate
    rule: RuleParams
    channel: str | None
    waited: bool = False
    variant: str | None = None
    offer_until: int | None = None


class Gate(Struct, frozen=True, kw_only=True):
    """One question of the policy; `refuse` answers None to let the proposal pass.

    `params` is the gate's own settings type: the stanza `policy.<name>`. `amend` comes first, for a gate that
    decides how something is said rather than whether.
    """

    name: str
    params: type[Struct]
    refuse: Callable[[Proposal, Any], Suppress | Defer | None] | None = None
    amend: Callable[[Proposal, Any], Proposal] | None = None
