"""How does an event change what we know? `apply`, the one dispatch over event kinds; the folds are in state/folds/."""

from __future__ import annotations

from typing import Any, get_args

from xxhash import xxh3_64_digest

from state import events, lifecycle
from state.folding import CHANGED, DUPLICATE, Applied, Fold, FoldParams, Folds
from state.folds import clicks, community, context, customers, engagement, letters, orders, points, service
from state.folds.patterns import follow
from state.letters import LinkAsked, ReferralPaid, ReferralUndone, Referred, UserMoved
from state.user import MARK_BYTES, SEEN_BYTES, User

_FOLDS: Folds = {
    **clicks.FOLDS,
    **orders.FOLDS,
    **customers.FOLDS,
    **engagement.FOLDS,
    **context.FOLDS,
    **letters.FOLDS,
    **points.FOLDS,
    **service.FOLDS,
    **community.FOLDS,
}
_VISITS = frozenset((*get_args(events.Clickstream), events.OrderPlaced))
_BETWEEN_USERS = (
    *(events.StockEdge, events.PriceEdge),
    *(LinkAsked, UserMoved, Referred, ReferralPaid, ReferralUndone),
)
_NO_SIGN_OF_LIFE = frozenset((*_BETWEEN_USERS, *get_args(events.Context)))
# A source numbers its own events, so an id is compared within its topic only. The topic goes before the id: as the
# seed of xxh3 it would be mixed with short ids so simply that "21" of one topic is "23" of another.
_TOPIC: dict[type, bytes] = {
    **{
        kind: bytes((number,))
        for number, union in enumerate(events.TOPICS.values())
        for kind in get_args(union) or (union,)
    },
    **dict.fromkeys(_BETWEEN_USERS, bytes(([*events.TOPICS].index("letters"),))),
}
# Looked up once an event: topic, is it a sign of life, is it a visit, how it is folded.
_KINDS: dict[type, tuple[bytes, bool, bool, Fold | None]] = {
    kind: (topic, kind not in _NO_SIGN_OF_LIFE, kind in _VISITS, _FOLDS.get(kind))
    for kind, topic in _TOPIC.items()
}


def apply(user: User, event: Any, params: FoldParams) -> Applied:
    """Fold `event` into `user`, once: a repeated event_id changes nothing."""
    kind = event.__class__
    topic, is_sign_of_life, is_visit, fold = _KINDS[kind]
    mark = xxh3_64_digest(topic + event.event_id.encode())
    seen = user.seen
    if seen.rfind(mark) >= 0 or user.erased_at is not None:  # `in` takes twice as long
        return DUPLICATE
    user.seen = seen + mark if len(seen) < SEEN_BYTES else seen[MARK_BYTES:] + mark
    if is_sign_of_life:
        ts = event.ts
        if user.last_seen_at is None:
            user.first_seen_at = user.last_seen_at = ts
        elif ts > user.last_seen_at:
            user.last_seen_at = ts
        elif user.first_seen_at is None or ts < user.first_seen_at:
            user.first_seen_at = ts
        if is_visit:
            user.activity.visit(ts, event.platform)
            if user.own_lifecycle is not None and user.own_lifecycle.stage == "declining":
                lifecycle.note_visit(user, ts)
    applied = CHANGED if fold is None else fold(user, event, params) or CHANGED
    patterns = params.patterns
    if kind in patterns.parts:
        follow(user, event, patterns.parts[kind], patterns)
    return applied


def knows(user: User, event: Any) -> bool:
    """Has this id had the event already? An alias remembers those of its own time."""
    return _mark(event) in user.seen


def note(user: User, event: Any) -> bool:
    """Remember an event that is not folded; False if it has been here before."""
    if knows(user, event):
        return False
    user.seen = (user.seen + _mark(event))[-SEEN_BYTES:]
    return True


def _mark(event: Any) -> bytes:
    return xxh3_64_digest(_TOPIC[event.__class__] + event.event_id.encode())
