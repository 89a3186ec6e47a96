"""Which benchmark? `python -m benchmarks [pipeline|latency|patterns] [options]`: one with its options, or all."""

from __future__ import annotations

import sys

from benchmarks import latency, patterns, pipeline

BENCHMARKS = {"pipeline": pipeline.main, "latency": latency.main, "patterns": patterns.main}


def main(arguments: list[str]) -> None:
    if arguments and arguments[0] in BENCHMARKS:
        BENCHMARKS[arguments[0]](arguments[1:])
        return
    if arguments:
        raise SystemExit(__doc__)
    for run in BENCHMARKS.values():
        run([])


if __name__ == "__main__":
    main(sys.argv[1:])
