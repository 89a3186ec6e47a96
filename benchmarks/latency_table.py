"""What do the times of a latency run say? Percentiles by guarantee and rule, and where a trigger's time goes."""

from __future__ import annotations

import argparse
import json
import statistics
from itertools import pairwise, product
from typing import Any, NamedTuple

from benchmarks.paced import sent_ns_of
from benchmarks.stamped import PASSED, TIMED

SHARES = ("50", "95", "99")
STAGES = (
    ("sent to polled", "the producer, the broker, the consumer's fetch, waiting for the thread"),
    ("polled to taken", "decoding, held back by the merge of topics"),
    ("taken to decided", "the fold of the batch"),
    ("decided to committed", "the rest of the batch, commit_interval, packing, sending to Redis"),
    ("committed to settled", "Redis"),
    ("settled to published", "the way to the publisher"),
    ("published to received", "the transaction or the delivery, the broker, the reader's fetch"),
)


class Received(NamedTuple):
    """A trigger, `since` when it counts and `at` when it was received, in Unix nanoseconds; `id` of a timer's."""

    rule: str
    since: int
    at: int
    id: str


def result_of(
    rate: int,
    guarantee: str,
    begun_ns: int,
    received: list[Received],
    said: dict[str, Any],
    stamped: dict[str, Any],
) -> dict[str, Any]:
    """Milliseconds everywhere; what was sent before `begun_ns` is warm-up."""
    latencies: dict[str, list[float]] = {"stage_changed": [], TIMED: []}
    passed_by = stamped["timers"]
    from_watermark: list[float] = []
    sent: list[int] = []
    stages: list[list[float]] = []
    by_sending = {sent_ns_of(trace): way for trace, way in stamped["ways"].items()}
    for rule, since, at, id_ in received:
        if since < begun_ns:
            continue
        latencies[rule].append((at - since) / 1e6)
        if id_ in passed_by:
            from_watermark.append((at - passed_by[id_]) / 1e6)
        if rule == "stage_changed" and since in by_sending:
            passed = [since, *by_sending[since][: len(PASSED) - 1], at]
            sent.append(since)
            stages.append([(b - a) / 1e6 for a, b in pairwise(passed)])
    columns = [_spread(list(column)) for column in zip(*stages, strict=True)]
    return {
        "rate": rate,
        "guarantee": guarantee,
        "events_per_second": said["events_per_second"],
        "worker_busy": stamped["busy"],
        "rounds_per_second": {name: _rate(times, begun_ns) for name, times in stamped["rounds"].items()},
        "acknowledged": _spread(said["acknowledged_ms"]),
        "latency": {rule: _spread(values) for rule, values in latencies.items()},
        "from_watermark": _spread(from_watermark),
        "rows": [[since, *row] for since, row in zip(sent, stages, strict=True)],
        "stages": {name: spread for (name, _), spread in zip(STAGES, columns, strict=True)},
    }


def _rate(times: list[int], begun_ns: int) -> float:
    counted = [at for at in times if at >= begun_ns]
    return 1e9 * len(counted) / (counted[-1] - begun_ns) if counted else 0.0


def _spread(values: list[float]) -> dict[str, float]:
    """Mean, percentiles, maximum and count."""
    if len(values) < 2:
        raise SystemExit("too few triggers came to say anything: a longer run, or a higher rate?")
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    shares = {f"p{share}": cuts[int(share) - 1] for share in SHARES}
    return {"mean": statistics.fmean(values), **shares, "max": max(values), "count": len(values)}


def say_run(number: int, run: dict[str, Any]) -> None:
    instant = run["latency"]["stage_changed"]
    print(
        f"run {number}, {run['guarantee']}: {run['events_per_second']:,.0f} events/s, "
        f"p50 {instant['p50']:.1f} ms, p99 {instant['p99']:.1f} ms",
        flush=True,
    )


def print_table(asked: argparse.Namespace, runs: list[dict[str, Any]], load: float, *, pinned: bool) -> None:
    if asked.json:
        asked.json.write_text(json.dumps({"asked": {**vars(asked), "json": None}, "runs": runs}, indent=1))
    where = "the worker on one core, all else on the other" if pinned else "no cores chosen"
    print(f"\nfrom event to trigger in ms; {asked.users:,} users; {where};")
    print(
        f"of {asked.runs} run(s) each the one with the lowest median; {asked.warm_up:.0f} s of warm-up left out; "
        f"load of the machine before: {load:.1f}"
    )
    for rate, guarantee in product(asked.rates, asked.guarantees):
        best = min(
            (run for run in runs if (run["rate"], run["guarantee"]) == (rate, guarantee)),
            key=lambda run: run["latency"]["stage_changed"]["p50"],
        )
        heads = "".join(f"{head:>9}" for head in ("mean", "p50", "p95", "p99", "max", "count"))
        print(f"\n{guarantee + ', ' + format(best['events_per_second'], ',.0f') + ' events/s':<44}{heads}")
        _print_line("at once (stage_changed)", best["latency"]["stage_changed"])
        _print_line(f"timer, from its due time ({TIMED})", best["latency"][TIMED])
        _print_line("timer, from the watermark's passing", best["from_watermark"])
        _print_line("the producer's acknowledgement", best["acknowledged"])
        per_second = best["rounds_per_second"]
        print(
            f"{100 * best['worker_busy']:.0f} % of the worker's core, {per_second['committed']:.0f} commits and "
            f"{per_second['out']:.0f} publications a second; where the time of the first line goes:"
        )
        for name, meaning in STAGES:
            _print_line(f"  {name}", best["stages"][name], meaning)


def _print_line(name: str, spread: dict[str, float], meaning: str = "") -> None:
    figures = "".join(f"{spread[key]:>9.2f}" for key in ("mean", "p50", "p95", "p99", "max"))
    print(f"{name:<44}{figures}{spread['count']:>9,.0f}  {meaning}".rstrip())
