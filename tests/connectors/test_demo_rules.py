"""Does the demo shop make every rule speak, with the default settings and all gates closed as by default?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import takewhile
from pathlib import Path

from connectors.demo_shop import DemoShop
from connectors.files import FileTopic, FileWriter
from state.calendar import HOUR
from triggers.catalog import RULES

START = 1_790_000_000_000
LIVE = START + 26 * HOUR


def test_every_rule_is_published_and_seen_on_the_first_day(tmp_path: Path) -> None:
    topics: dict[str, list[bytes]] = {}
    shop = DemoShop(7, 300, START, live_at=LIVE)
    for written in takewhile(lambda w: w.ts < LIVE, shop.events()):
        topics.setdefault(written.topic, []).append(written.value)
    for name, values in topics.items():
        writer = FileWriter(FileTopic(tmp_path, name).path(0))
        writer.append(values)
        writer.close()
    beckon = [sys.executable, "-c", "from console.cli import main; main()"]
    subprocess.run([*beckon, "replay", tmp_path, tmp_path / "out"], check=True, capture_output=True)

    published: Counter[str] = Counter()
    decided_on_first_day: Counter[tuple[str, int]] = Counter()
    for line in (tmp_path / "out" / "decisions.jsonl").read_text().splitlines():
        decision = json.loads(line)
        published[decision["rule"]] += decision["verdict"] == "publish"
        decided_on_first_day[decision["rule"], decision["step"]] += decision["at"] > "2026-09-21T14:13:20Z"
    every = {rule.name for rule in RULES}
    assert {rule for rule in every if published[rule] >= 3} == every
    # A calendar has its own days: scenes are seen in the months before, which the shop tells at once.
    assert {rule for (rule, _), count in decided_on_first_day.items() if count} | {"calendar_scene"} == every
    assert decided_on_first_day["cart_abandoned", 2] >= 5
