"""How does what concerns a user of another shard get there? By letters, which follow aliases to the one who lives.

A letter to a user of its own shard is never written: it is delivered at once.
"""

from __future__ import annotations

from typing import Any

from msgspec.json import Encoder
from msgspec.structs import replace

from connectors import metrics
from connectors.murmur2 import partition
from flows.persons import Persons
from flows.shard import Shard
from state.audience import listed
from state.events import (
    EraseRequested,
    IdentityLinked,
    Letter,
    OrderCancelled,
    ReferralCompleted,
    RefundIssued,
)
from state.fold import knows, note
from state.folding import CHANGED, DUPLICATE, Applied
from state.interest import interests
from state.letters import LinkAsked, ReferralPaid, ReferralUndone, Referred, UserMoved, id_of
from state.referral import brought_at
from state.union import become_alias
from state.user import User, pack, unpack

STATE_BYTES = (
    150_000  # of a user who moves; in base64, with the rest of the letter, it fits a record of 256 KiB
)

FAR_REACHING = frozenset((IdentityLinked, ReferralCompleted, EraseRequested, OrderCancelled, RefundIssued))
"""Events of which more may have to be done than to tell the user."""


class Letters:
    """Writes letters and opens them. `shard_count` is how many shards there are over all processes."""

    def __init__(self, persons: Persons, shard_count: int) -> None:
        self._persons = persons
        self._shard_count = shard_count

    def to_all(self, shard: Shard, event: Any) -> None:
        """To every other shard."""
        value = _encode(event)
        for other in range(self._shard_count):
            if other != shard.number:
                shard.write("letters", event.event_id, None, value, [], partition=other)

    def to_one(self, shard: Shard, event: Any, other: int) -> None:
        shard.write("letters", event.event_id, None, _encode(event), [], partition=other)

    def tell(self, shard: Shard, user: User, event: Any, *, late: bool = False) -> Applied:
        """An event for this id of the shard: it reaches whoever the id is today."""
        return self.deliver(shard, _letter(user.user_id, event, late=late))

    def deliver(self, shard: Shard, letter: Letter) -> Applied:
        """Follow the aliases from `letter.to`; on this shard to the end, else one letter takes it on."""
        content, walk = letter.content, letter.walk
        user = self._persons.find(shard, letter.to)
        while (target := user.alias_of) is not None:
            if knows(user, content) or (isinstance(content, LinkAsked) and content.to_id == target):
                return DUPLICATE
            shard.dirty[user.user_id] = user  # it is in use and must not expire
            if isinstance(content, EraseRequested):
                user.own_contact = None  # of what this id was told
                shard.forget_user(user.user_id, (), ())
            walk = walk.past(user.user_id, user.ties.links)
            if walk.found == (user.user_id, user.ties.links):
                user.ties.alias_of = None
                break
            onward = replace(letter, to=target, walk=walk)
            if self._shard_of(target) != shard.number:
                self._write(shard, onward)
                return CHANGED
            user = self._persons.find(shard, target)
        return self._open(shard, user, letter)

    # at the one who lives

    def _open(self, shard: Shard, user: User, letter: Letter) -> Applied:
        content = letter.content
        if isinstance(content, LinkAsked):
            return self._leave(shard, user, content)
        if isinstance(content, UserMoved):
            return self._take_in(shard, user, content)
        erased = isinstance(content, EraseRequested)
        watched, audiences = (interests(user), listed(user)) if erased else ((), ())
        aliases = user.own_ties.aliases if erased and user.own_ties is not None else ()
        if erased:
            shard.buyers.leave(user)
        applied = self._persons.tell(shard, user, content, late=letter.late)
        if applied is not DUPLICATE:
            if isinstance(content, EraseRequested):
                shard.forget_user(user.user_id, watched, audiences)
                for alias in aliases:  # each knows what it was told itself
                    erased_id = id_of("erase", content.event_id, alias)
                    self._send(shard, alias, EraseRequested(event_id=erased_id, ts=content.ts, user_id=alias))
            elif isinstance(content, IdentityLinked):
                asked_id = id_of("link", content.event_id, content.from_id, content.to_id)
                asked = LinkAsked(event_id=asked_id, ts=content.ts, to_id=content.to_id)
                self._send(shard, content.from_id, asked)
            elif isinstance(content, ReferralCompleted):
                told_id = id_of("referred", content.event_id, user.user_id)
                told = Referred(event_id=told_id, ts=content.ts, referrer=user.user_id)
                self._send(shard, content.referee_id, told)
            self._reward(shard, user, content.ts)
        return applied

    def _leave(self, shard: Shard, user: User, asked: LinkAsked) -> Applied:
        """The user becomes an alias; all that there is of it goes to `to_id`."""
        if user.erased_at is not None:
            if asked.ts <= user.erased_at:  # it was one person that asked to be erased
                erased_id = id_of("erase", asked.event_id)
                erased = EraseRequested(event_id=erased_id, ts=user.erased_at, user_id=asked.to_id)
                self._send(shard, asked.to_id, erased)
            return DUPLICATE
        if user.user_id == asked.to_id:
            return DUPLICATE
        self._persons.wake(shard, user, asked.ts)
        state = _state_of(user)
        shard.members.update({(audience, user.user_id): False for audience in listed(user)})
        shard.buyers.leave(user)
        become_alias(user, asked.to_id)
        moved_id = id_of("move", asked.event_id, user.user_id, str(user.ties.links))
        moved = UserMoved(event_id=moved_id, ts=asked.ts, from_id=user.user_id, state=state)
        shard.dirty[user.user_id] = user
        shard.set_due(user.user_id, None)
        self._send(shard, asked.to_id, moved)
        return CHANGED

    def _take_in(self, shard: Shard, user: User, moved: UserMoved) -> Applied:
        """An erased user takes in whatever comes, and keeps nothing of it."""
        if user.erased_at is not None or not note(user, moved):
            return DUPLICATE
        self._persons.unite(shard, user, unpack(moved.state), moved.ts)
        self._reward(shard, user, moved.ts)
        return CHANGED

    def _reward(self, shard: Shard, user: User, at: int) -> None:
        """The referrer hears when the first order of whom they brought has counted, and when it is taken back."""
        ties, counted_at = user.own_ties, brought_at(user)
        if ties is None or ties.referrer is None:
            return
        ties.rewarded = user.has_ordered
        if counted_at is not None and ties.paid_by is None:
            ties.paid_by = user.orders.first_counted or ""
            paid_id = id_of("paid", user.user_id, ties.referrer, ties.paid_by)
            paid = ReferralPaid(event_id=paid_id, ts=counted_at, referee_id=user.user_id)
            self._send(shard, ties.referrer, paid)
        elif counted_at is None and ties.paid_by is not None:
            undone_id = id_of("undone", user.user_id, ties.referrer, ties.paid_by)
            undone = ReferralUndone(event_id=undone_id, ts=at, referee_id=user.user_id)
            ties.paid_by = None
            self._send(shard, ties.referrer, undone)

    # the way

    def _send(self, shard: Shard, to: str, content: Any) -> None:
        letter = _letter(to, content)
        if self._shard_of(to) == shard.number:
            self.deliver(shard, letter)
        else:
            self._write(shard, letter)

    def _write(self, shard: Shard, letter: Letter) -> None:
        """Named by its cause and its place on the way: twice the same is the same letter."""
        content, hops = letter.content, letter.walk.hops
        kind = type(content).__name__
        letter_id = id_of("letter", kind, content.event_id, letter.origin, letter.to, str(hops))
        to = self._shard_of(letter.to)
        shard.write("letters", letter_id, None, _encode(letter), [], partition=to)

    def _shard_of(self, user_id: str) -> int:
        return partition(user_id.encode(), self._shard_count)


def _letter(to: str, content: Any, *, late: bool = False) -> Letter:
    return Letter(event_id=content.event_id, ts=content.ts, to=to, origin=to, content=content, late=late)


def _state_of(user: User) -> bytes:
    """Packed; too large for a letter only with wholesale orders, which then let go of their SKUs."""
    state = pack(user)
    while len(state) > STATE_BYTES and user.orders.forget_skus():
        metrics.LIMIT_HITS.labels(limit="letter_bytes").inc()
        state = pack(user)
    return state


_encode = Encoder().encode
