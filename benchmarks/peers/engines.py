"""Which engines run the job, how are they started, and what was chosen for each?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.peers import builds
from benchmarks.pipeline import sets_of
from tests.other_rules import others

RULES = ("cart_abandoned", "spend_milestone")
EXACTLY, AT_LEAST = "exactly_once", "at_least_once"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another engine: a program that reads the log, prints marks and writes what it tells to a topic."""

    guarantee: str
    command: Callable[[], list[str]]
    """Builds it if need be, and says how it is started; its settings follow as name=value."""
    knobs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Beckon:
    """The shipped flow. `alone`: just the job's two rules and no policy, so that it tells what the others tell."""

    guarantee: str
    alone: bool

    def job(self) -> list[str]:
        """What is not at its default, since the job asks for it."""
        asked = ["orders.count_on=placed", f"delivery.guarantee={self.guarantee}"]
        if self.alone:
            asked += ["policy.enabled=false", "rules.cart_abandoned.second_delay=null"]
            asked += [f"rules.{rule}.enabled=false" for rule in others(*RULES)]
        return asked

    def sets(self, bootstrap_servers: str, redis_url: str, app: str) -> list[str]:
        topics = [f"kafka.topics.{role}={app}.{role}" for role in OWN_ROLES]
        return sets_of(bootstrap_servers, redis_url, app, *topics, *self.job())


OWN_ROLES = ("letters", "triggers", "decisions", "dead_letters", "journal")
"""Topics that a run of beckon has to itself."""


def _flink() -> list[str]:
    return builds.java(builds.maven("flink"), "FlinkJob")


def _streams() -> list[str]:
    return builds.java(builds.maven("streams"), "StreamsJob")


def _quix() -> list[str]:
    return [str(builds.environment("quix")), "-P", str(builds.HERE / "quix_job.py")]


def _bytewax() -> list[str]:
    return [str(builds.environment("bytewax")), "-P", str(builds.HERE / "bytewax_job.py")]


def _on_flink(guarantee: str, state: str) -> Peer:
    """Checkpoints every second make it exactly once; at least once they only bound what is told again."""
    every = "1000" if guarantee == EXACTLY else "10000"
    return Peer(guarantee=guarantee, command=_flink, knobs={"state": state, "checkpoint_ms": every})


ENGINES: Mapping[str, Peer | Beckon] = {
    "flink-heap": _on_flink(AT_LEAST, "hashmap"),
    "flink-heap-eo": _on_flink(EXACTLY, "hashmap"),
    "flink-rocksdb": _on_flink(AT_LEAST, "rocksdb"),
    "flink-rocksdb-eo": _on_flink(EXACTLY, "rocksdb"),
    "streams": Peer(guarantee=AT_LEAST, command=_streams),
    "streams-eo": Peer(guarantee=EXACTLY, command=_streams),
    "quix": Peer(guarantee=AT_LEAST, command=_quix),
    "quix-eo": Peer(guarantee=EXACTLY, command=_quix),
    "bytewax": Peer(guarantee="none", command=_bytewax),
    "beckon-two": Beckon(guarantee=AT_LEAST, alone=True),
    "beckon-two-eo": Beckon(guarantee=EXACTLY, alone=True),
    "beckon-all": Beckon(guarantee=AT_LEAST, alone=False),
    "beckon-all-eo": Beckon(guarantee=EXACTLY, alone=False),
}
