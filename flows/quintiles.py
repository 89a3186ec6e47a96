"""Which cut points are in force on which shard, and since when? Each shard counts, one gathers, all are told.

Time is parted into periods of `rfm.quintiles.publish_every`. With the first event of a new one a shard takes its turn:
if its counters have changed it tells them to the shard that gathers. That one, at its own turn, adds up what it has
been told and tells all shards the cut points of the fifths, to be in force from one period later on. So they are known
everywhere before they count, which ones count at a moment is a matter of that moment alone, and a shard that reads the
same again decides by the same ones. Not so in a backlog of several shards, as they do not wait for each other's time:
there cut points count from when they have come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from msgspec import Struct

from flows.alarm import Alarm
from flows.dead_letter import DeadLetter
from flows.letters import Letters
from flows.shard import Shard, ShardBatch
from state.letters import Counted, CutsFound, id_of
from state.population import MONTH_DAYS, Scale, Totals, cuts_of
from state.scores import Cuts
from triggers.plan import Plan

log = structlog.get_logger("quintiles")

GATHERING = 0  # the number of the shard that gathers


class Turn(Struct, frozen=True):
    """Stands among the events of a batch, before the first one of the period that begins at `ts`."""

    ts: int


class Quintiles:
    """Does nothing, and lets go of counters there may be, unless `rfm.by` is quintiles."""

    def __init__(self, plan: Plan, letters: Letters, alarm: Alarm) -> None:
        self._plan = plan
        self._letters = letters
        self._alarm = alarm
        self._params = plan.fold.segments.quintiles
        self._good_score = plan.fold.segments.good_score
        self._days = plan.fold.days
        on = plan.fold.segments.by == "quintiles"
        self._scale = Scale(self._days, self._params.money_error) if on else None
        self._name = f"{self._days.zone} {self._params.money_error}" if on else ""

    def prepare(self, shard: Shard) -> None:
        shard.buyers.prepare(self._scale, self._name)

    def with_turns(self, batch: ShardBatch) -> Sequence[Any]:
        """What happens in a batch, whose shard's cut points are in force from here on."""
        self._plan.under(batch.shard.buyers.head.published)
        if self._scale is None:
            return batch.items
        found, turn_at = [], batch.shard.buyers.head.turn_at
        for item in batch.items:
            if item.__class__ is not DeadLetter and item.ts >= turn_at:
                at = item.ts - item.ts % self._params.publish_every
                found.append(Turn(at))
                turn_at = at + self._params.publish_every
            found.append(item)
        return found

    def turn(self, batch: ShardBatch, due: list[tuple[int, str]], at: int) -> None:
        """The period that begins `at` has come. Who was due long before finds the cut points of then, the last time."""
        shard, buyers = batch.shard, batch.shard.buyers
        self._alarm.pass_time(batch, due)
        first_month = self._days.of(max(at - self._params.bought_within, 0)) // MONTH_DAYS
        gone = buyers.population.expire(first_month)
        changed = buyers.head.changed or gone
        if shard.number == GATHERING and (changed or buyers.head.gathered):
            self._publish(shard, at)
        elif changed:
            self._tell(shard, at)
        buyers.note(turn_at=at + self._params.publish_every, first_month=first_month, changed=False)
        self._plan.under(buyers.head.published)

    def take(self, shard: Shard, event: Counted | CutsFound) -> None:
        """What another shard has to say."""
        if isinstance(event, CutsFound):
            shard.buyers.note_found(event.since, event.cuts)
            self._plan.under(shard.buyers.head.published)
        else:
            shard.buyers.note_told(event.shard, event.ts, event.totals)

    def _tell(self, shard: Shard, at: int) -> None:
        told_id = id_of("counted", str(shard.number), str(at))
        told = Counted(event_id=told_id, ts=at, shard=shard.number, totals=shard.buyers.population.totals)
        self._letters.to_one(shard, told, GATHERING)

    def _publish(self, shard: Shard, at: int) -> None:
        buyers = shard.buyers
        totals = buyers.population.totals
        if buyers.others:
            totals = Totals.merged([totals, *(told for _, told in buyers.others.values())])
        cuts = self._cuts_of(totals, at)
        version = "" if cuts is None else cuts.version
        buyers.note(gathered=False)
        if version == buyers.head.version:
            return
        if not version or not buyers.head.version:
            now = "quintiles" if version else "thresholds, as there are too few buyers for quintiles"
            log.info("segments go by other scores", now=now, buyers=totals.buyers)
        buyers.note(version=version)
        since = at + self._params.publish_every
        found_id = id_of("cuts", str(at), version)
        self._letters.to_all(shard, CutsFound(event_id=found_id, ts=at, since=since, cuts=cuts))
        buyers.note_found(since, cuts)

    def _cuts_of(self, totals: Totals, at: int) -> Cuts | None:
        if self._scale is None or totals.buyers < self._params.least_buyers:
            return None
        return cuts_of(
            totals,
            self._days.of(at),
            self._scale,
            good_score=self._good_score,
            keep_margin=self._params.keep_margin,
        )
