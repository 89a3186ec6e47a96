"""What does each rule cost, and each gate? The same events through the desk with all of them, and without that one.

`python -m benchmarks each`: four months of the demo shop, in which every rule has something to say, through a desk over
eight shards and a ledger in memory, timers included; CPU microseconds an event. Runs take turns, each begins anew, and
of each the least counts. A run with everything takes part twice: what is between the two is what cannot be told.

A gate that is not asked lets more out, and that costs, too: then it is negative.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Sequence
from itertools import islice

from benchmarks.core import BATCH, Core, Routed
from config.load import load, plan_of
from config.settings import Settings
from connectors.demo_shop import DemoShop
from triggers.catalog import RULES
from triggers.plan import Plan
from triggers.policy.catalog import GATES

START = 1_790_000_000_000
ALL, AGAIN = "everything", "everything, once more"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.each",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--shoppers", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", help="rules and gates; all of them if none is named")
    asked = parser.parse_args(arguments)
    settings = load(None, {}, [])
    shop = DemoShop(1, asked.shoppers, START).events()
    said = [*Core().routed((each.topic, each.key, each.event) for each in islice(shop, asked.events))]
    names = asked.only or [*(rule.name for rule in RULES), *(gate.name for gate in GATES)]
    least = dict.fromkeys((ALL, AGAIN, *names), float("inf"))
    for _ in range(asked.rounds):
        for name in least:
            least[name] = min(least[name], _cost(Core(without(name, settings)), said))
    _print(least, len(said))


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


def _cost(core: Core, said: Sequence[Routed]) -> float:
    """CPU microseconds an event."""
    gc.collect()
    spent = 0.0
    for first in range(0, len(said), BATCH):
        portion = [*said[first : first + BATCH]]
        spent += sum(core.apply(portion, until=_time_of(portion)))
    return 1e6 * spent / len(said)


def _time_of(portion: Sequence[Routed]) -> int:
    """Some come late: nothing that was due before them is done before them."""
    times: list[int] = sorted(event.ts for _, event in portion)
    return times[len(times) // 2]


def _print(least: dict[str, float], count: int) -> None:
    base = min(least[ALL], least[AGAIN])
    unsure = abs(least[ALL] - least[AGAIN])
    print(f"{count:,} events, {base:.2f} us an event with everything, of which so much goes with:")
    costs = {name: base - cost for name, cost in least.items() if name not in (ALL, AGAIN)}
    for name, cost in sorted(costs.items(), key=lambda each: -each[1]):
        print(f"  {name:24}{cost:8.2f} us {100 * cost / base:7.1f} %")
    print(f"two runs with everything are {unsure:.2f} us apart")


if __name__ == "__main__":
    main()
