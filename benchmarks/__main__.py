"""Which benchmark? `python -m benchmarks [NAME] [options]`: one of BENCHMARKS, or all of them.

All of them without peers, which builds other engines from the registries first.
"""

from __future__ import annotations

import sys

import benchmarks.peers.__main__ as peers
from benchmarks import core, each, items, latency, memory, patterns, pipeline, population, restart, scale

BENCHMARKS = {
    "pipeline": pipeline.main,
    "items": items.main,
    "latency": latency.main,
    "patterns": patterns.main,
    "core": core.main,
    "each": each.main,
    "memory": memory.main,
    "population": population.main,
    "restart": restart.main,
    "scale": scale.main,
}


def main(arguments: list[str]) -> None:
    if arguments and arguments[0] in BENCHMARKS:
        BENCHMARKS[arguments[0]](arguments[1:])
        return
    if arguments[:1] == ["peers"]:
        peers.main(arguments[1:])
        return
    if arguments:
        raise SystemExit(__doc__)
    for run in BENCHMARKS.values():
        run([])


if __name__ == "__main__":
    main(sys.argv[1:])
