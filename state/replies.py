"""What was said by which rule on which channel, and what came back?

A sign may come before the message it belongs to is known here (another id of the person has it), twice, or in any
order: what is kept are the latest times and which signs there were, so the order does not matter.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Container

from msgspec import Struct
from xxhash import xxh3_64_digest

from state.calendar import DAY
from state.contact import CHANNELS_LIMIT, Sent

TOLD_LIMIT = 10  # messages of one rule on one channel: a cap of so many, of any choice of them, is exact
KEPT_FOR = 180 * DAY  # a rule silent for so long on a channel is forgotten there; no cap reaches further back
THREADS_LIMIT = 512  # more than the rules have channels: a bound for settings that change
ANSWERS_LIMIT = 8  # times of a channel
EARLY_LIMIT = 8

DELIVERED, OPENED, CLICKED, ORDERED = 1, 2, 4, 8  # what came back
COUNTS, GHOST, RETRACTED = 16, 32, 64  # what it was: seen by caps; held out; taken back
ANSWER = OPENED | CLICKED | ORDERED


class Told(Struct, array_like=True, gc=False):
    """One message; `mark` is the hash of its trigger's id, `signs` bits: what came back, and what caps see of it."""

    mark: bytes
    at: int
    signs: int


class Thread(Struct, array_like=True, gc=False):
    """What one rule said on one channel, in order of time; `answered_at`: when one of it was last answered."""

    rule: str
    channel: str
    told: list[Told]
    answered_at: int = -1

    @property
    def last_at(self) -> int:
        """The last time that anything was said or answered."""
        return max(self.told[-1].at if self.told else -1, self.answered_at)

    def add(self, told: Told) -> None:
        insort(self.told, told, key=_order)
        del self.told[:-TOLD_LIMIT]


class Early(Struct, array_like=True, gc=False):
    """Signs of a message that is not known here: not yet, or not any more."""

    mark: bytes
    at: int
    signs: int
    answered_at: int


class Reach(Struct, array_like=True, gc=False):
    """One channel: when it last failed, when it last worked, and when something was answered on it."""

    bounced_at: int = -1
    reached_at: int = -1
    answers: list[int] = []

    @property
    def heard_at(self) -> int:
        return max(self.bounced_at, self.reached_at)

    def unite(self, other: Reach) -> None:
        self.bounced_at = max(self.bounced_at, other.bounced_at)
        self.reached_at = max(self.reached_at, other.reached_at)
        self.answers = sorted({*self.answers, *other.answers})[-ANSWERS_LIMIT:]


class Replies(Struct, array_like=True, gc=False):
    threads: list[Thread] = []
    channels: dict[str, Reach] = {}
    early: list[Early] = []

    def note(self, sent: Sent) -> None:
        """A message goes out; a ghost, held out, takes its place in the caps and is not expected to be answered."""
        known = len(self.threads)
        told = Told(_mark(sent.id), sent.at, COUNTS * sent.counts | GHOST * sent.ghost)
        self._thread(sent.rule, sent.channel).add(told)
        if self.early:
            self._claim()
        if len(self.threads) > known:
            self._forget(sent.at)

    def retract(self, trigger_id: str) -> None:
        """It should not have been sent, so nobody is asked to answer it; its place in the caps it has taken."""
        found = self._find(_mark(trigger_id))
        if found is not None:
            found[1].signs |= RETRACTED

    def hear(self, trigger_id: str, sign: int, at: int) -> None:
        """A sign of a message came back, by an event of time `at`."""
        self.early.append(Early(_mark(trigger_id), at, sign, at if sign & ANSWER else -1))
        self._claim()

    def hear_on(self, channel: str, sign: int, at: int) -> None:
        """The channel works, and perhaps the user has answered on it."""
        self._reach(channel, Reach(-1, at, [at] if sign & ANSWER else []))

    def bounce(self, channel: str, at: int) -> None:
        self._reach(channel, Reach(at))

    def signs_of(self, trigger_id: str) -> int | None:
        """The signs of a message; None if it is not remembered."""
        found = self._find(_mark(trigger_id))
        return None if found is None else found[1].signs

    def habits(self, since: int, among: Container[str]) -> list[str]:
        """Channels on which she has answered after `since`: most answers first, of as many the latest."""
        found = []
        for channel, reach in self.channels.items():
            answers = [at for at in reach.answers if at > since]
            if answers and channel in among:
                found.append((-len(answers), -answers[-1], channel))
        return [channel for *_, channel in sorted(found)]

    def unite(self, other: Replies) -> None:
        """Two ids are one person: what was said to either was said, and what either answered is answered."""
        for theirs in other.threads:
            own = self._thread(theirs.rule, theirs.channel)
            known = {told.mark: told for told in own.told}
            for told in theirs.told:
                if told.mark in known:
                    known[told.mark].signs |= told.signs
                else:
                    own.add(told)
            own.answered_at = max(own.answered_at, theirs.answered_at)
        for channel, reach in other.channels.items():
            self._reach(channel, reach)
        self.early += other.early
        self._claim()
        self._forget(max((thread.last_at for thread in self.threads), default=-1))

    def _claim(self) -> None:
        """Give the signs to the messages they belong to, those without one to wait."""
        waiting: dict[bytes, Early] = {}
        for early in self.early:
            found = self._find(early.mark)
            if found is not None:
                thread, told = found
                told.signs |= early.signs
                if early.signs & ANSWER:  # by whatever clock: never before it was said
                    thread.answered_at = max(thread.answered_at, early.answered_at, told.at)
            elif (known := waiting.setdefault(early.mark, early)) is not early:
                known.at, known.signs = max(known.at, early.at), known.signs | early.signs
                known.answered_at = max(known.answered_at, early.answered_at)
        self.early = sorted(waiting.values(), key=_order)[-EARLY_LIMIT:]

    def _forget(self, now: int) -> None:
        self.threads = [thread for thread in self.threads if thread.last_at > now - KEPT_FOR]
        while len(self.threads) > THREADS_LIMIT:
            self.threads.remove(min(self.threads, key=lambda each: (each.last_at, each.rule, each.channel)))

    def _find(self, mark: bytes) -> tuple[Thread, Told] | None:
        for thread in self.threads:
            for told in thread.told:
                if told.mark == mark:
                    return thread, told
        return None

    def _thread(self, rule: str, channel: str) -> Thread:
        for thread in self.threads:
            if thread.rule == rule and thread.channel == channel:
                return thread
        thread = Thread(rule, channel, [])
        insort(self.threads, thread, key=_name)  # not by who came first: a call to many comes sooner or later
        return thread

    def _reach(self, channel: str, heard: Reach) -> None:
        self.channels.setdefault(channel, Reach()).unite(heard)
        if len(self.channels) > CHANNELS_LIMIT:
            del self.channels[min(self.channels, key=lambda each: (self.channels[each].heard_at, each))]


def _mark(trigger_id: str) -> bytes:
    return xxh3_64_digest(trigger_id.encode())


def _name(thread: Thread) -> tuple[str, str]:
    return thread.rule, thread.channel


def _order(each: Told | Early) -> tuple[int, bytes]:
    return each.at, each.mark
