"""Does a running process take new rules when it is asked or the file changes, and refuse what it must not take?"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.integration.installation import CART_ONLY, Installation, eventually, lines_of, merged
from tests.integration.running import Running
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer

FILES = {"files": {"directory": "log"}, "demo": {"enabled": False}, "engine": {"config_check": "200ms"}}
CHANGED, REFUSED = "rules and policy changed", "the configuration was refused"


def write_config(installation: Installation, changes: dict[str, Any]) -> None:
    """As an editor does it: another file in its place."""
    installation.change(changes)
    new = installation.directory / "new.yaml"
    new.write_text(yaml.safe_dump(installation.settings))
    new.replace(installation.directory / "beckon.yaml")


def cart_rule(**params: Any) -> dict[str, Any]:
    return {"rules": {"cart_abandoned": params}}


def hang_up(process: Running) -> None:
    os.kill(process.pid, signal.SIGHUP)


def says(process: Running, words: str, times: int = 1) -> None:
    eventually(
        lambda: process.said(100_000).count(words) >= times or not process.runs,
        what=f"{words!r} {times} times",
    )
    assert process.runs, process.said()


class Clicks:
    """Carts that were left two hours ago, and so are told as soon as they are read."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "log" / "clickstream.jsonl"
        self._path.parent.mkdir(parents=True)
        self._path.touch()

    def leave_cart(self, user: str, minutes_ago: int) -> None:
        ts = int(time.time() * 1000) - minutes_ago * 60_000
        said = {"event_id": f"e-{user}-{minutes_ago}", "ts": ts, "user_id": user, "type": "cart_item_added",
                "sku": "k1", "quantity": 1, "price": 100}  # fmt: skip
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(said) + b"\n")


def triggers(installation: Installation) -> dict[str, str]:
    """Why each user was told."""
    path = installation.directory / "log" / "triggers.jsonl"
    found = lines_of(path) if path.exists() else []
    return {trigger["data"]["user_id"]: trigger["data"]["reason"] for trigger in found}


def decisions(installation: Installation) -> dict[str, str | None]:
    path = installation.directory / "log" / "decisions.jsonl"
    found = lines_of(path) if path.exists() else []
    return {decision["user_id"]: decision["reason"] for decision in found}


def test_rules_change_by_a_signal_and_by_the_file_and_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    clicks = Clicks(tmp_path)
    with Installation(tmp_path, merged(merged(CART_ONLY, FILES), cart_rule(delay="50m"))) as installation:
        process = installation.start("run", "--quiet")
        clicks.leave_cart("u1", 55)
        eventually(lambda: "u1" in triggers(installation), what="the first trigger")

        write_config(installation, cart_rule(delay="20m"))
        hang_up(process)
        says(process, CHANGED)
        clicks.leave_cart("u2", 25)
        eventually(lambda: "u2" in triggers(installation), what="a trigger by the new rules")

        write_config(installation, cart_rule(delay="10m", mode="shadow"))
        says(process, CHANGED, 2)
        clicks.leave_cart("u3", 15)
        eventually(lambda: decisions(installation).get("u3") == "shadow", what="a decision in shadow")

        good = installation.settings
        write_config(installation, merged(cart_rule(delay="soon"), {"app": "other"}))
        says(process, REFUSED)
        clicks.leave_cart("u4", 11)
        eventually(
            lambda: decisions(installation).get("u4") == "shadow", what="a decision by the rules before"
        )
        assert "rules.cart_abandoned.delay" in process.said(100_000)

        installation.settings = good
        write_config(installation, cart_rule(delay="1m", mode="live"))
        says(process, CHANGED, 3)
        process.terminate()
        assert process.wait(30) == 0, process.said()
        assert triggers(installation) == {
            "u1": "cart untouched for 50 min",
            "u2": "cart untouched for 20 min",
        }


def test_the_parent_passes_it_on_to_its_processes(kafka: KafkaServer, redis_url: str, tmp_path: Path) -> None:
    """The file is not looked at here, so only the signal can have done it."""
    settings = merged(CART_ONLY, {"engine": {"config_check": "0s"}})
    with KafkaShop(tmp_path, kafka, redis_url, settings, partitions=2) as shop:
        shop.create_topics()
        parent = shop.start("run", "--workers", "2")
        eventually(lambda: len(parent.children()) == 2, what="two processes")
        hang_up(parent)  # they do not listen yet, and must not die of it
        says(parent, '"running"', 2)
        write_config(shop, cart_rule(delay="20m"))
        hang_up(parent)
        says(parent, CHANGED, 2)
        parent.terminate()
        assert parent.wait(60) == 0, parent.said()
        assert "a child died" not in parent.said(100_000)
