"""What does each rule cost, and each gate? The same events through the desk with all of them, and without that one.

`python -m benchmarks each`: four months of the demo shop, in which every rule has something to say, through a desk over
eight shards and a ledger in memory, timers included; CPU microseconds an event. A desk with everything and one without
it take turns, portion by portion, as a shared machine is not as fast in one minute as in the next; in each round the
other one begins, as the second finds the events warm. The same with nothing taken away shows what cannot be told.

A gate that is not asked lets more out, and that costs, too: then it is negative.
"""

from __future__ import annotations

import argparse
import gc
import statistics
from collections.abc import Sequence
from itertools import islice

from benchmarks.core import BATCH, Core, Routed
from config.load import load, plan_of
from config.settings import Settings
from connectors.demo_shop import DemoShop
from flows.realtime import tune_gc
from triggers.catalog import RULES
from triggers.plan import Plan
from triggers.policy.catalog import GATES

START = 1_790_000_000_000
NOTHING = "nothing"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.each",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--shoppers", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", help="rules and gates; all of them if none is named")
    asked = parser.parse_args(arguments)
    settings = load(None, {}, [])
    shop = DemoShop(1, asked.shoppers, START).events()
    said = [*Core().routed((each.topic, each.key, each.event) for each in islice(shop, asked.events))]
    tune_gc()
    names = asked.only or [*(rule.name for rule in RULES), *(gate.name for gate in GATES)]
    spent = {
        name: _costs(without(name, settings), settings, said, asked.rounds) for name in (NOTHING, *names)
    }
    _print(spent, len(said))


def without(name: str, settings: Settings) -> Plan:
    """Everything but this rule or gate."""
    if any(rule.name == name for rule in RULES):
        return plan_of(load(None, {}, [f"rules.{name}.enabled=false"]))
    plan = plan_of(settings)
    if name == "arbitration":
        plan.arbitrates = False
    for gates in ("gates", "gates_before_arbitration", "gates_after_arbitration", "gates_of_shadow"):
        setattr(plan, gates, tuple(each for each in getattr(plan, gates) if each[0].name != name))
    return plan


def _costs(less: Plan, settings: Settings, said: Sequence[Routed], rounds: int) -> tuple[float, float]:
    """CPU microseconds an event with everything, and with `less`; of each portion the least of all rounds."""
    plans = plan_of(settings), less
    portions = [said[first : first + BATCH] for first in range(0, len(said), BATCH)]
    least = [[float("inf")] * len(portions) for _ in plans]
    for turn in range(rounds):
        cores = [Core(plan) for plan in plans]
        gc.collect()
        for number, portion in enumerate(portions):
            until = _time_of(portion)
            for which in (0, 1) if (number + turn) % 2 else (1, 0):
                seconds = sum(cores[which].apply([*portion], until=until))
                least[which][number] = min(least[which][number], seconds)
    whole, part = (1e6 * sum(each) / len(said) for each in least)
    return whole, part


def _time_of(portion: Sequence[Routed]) -> int:
    """Some come late: nothing that was due before them is done before them."""
    times: list[int] = sorted(event.ts for _, event in portion)
    return times[len(times) // 2]


def _print(spent: dict[str, tuple[float, float]], count: int) -> None:
    base = statistics.median(whole for whole, _ in spent.values())
    print(f"{count:,} events, {base:.1f} us an event with everything; without it goes so much:")
    shares = {name: 1 - less / whole for name, (whole, less) in spent.items()}
    for name, share in sorted(shares.items(), key=lambda each: -each[1]):
        print(f"  {name:24}{share * base:8.2f} us {100 * share:7.1f} %")


if __name__ == "__main__":
    main()
