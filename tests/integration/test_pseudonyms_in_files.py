"""With pseudonyms, is nobody named in anything that the real service writes, and may who asks know either name?"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from connectors.pseudonyms import Pseudonyms
from tests.integration.installation import INPUTS, Installation, eventually
from tests.integration.test_pseudonyms import KEY, PSEUDONYMS, VARIABLE
from tests.integration.test_status import ask
from tests.servers.ports import free_port


def test_a_lively_shop_leaves_nobodys_id_anywhere(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo shop, in files: state, outputs, log at its most talkative, metrics, HTTP and commands."""
    monkeypatch.setenv(VARIABLE, KEY)
    port = free_port()
    settings: dict[str, Any] = {
        **PSEUDONYMS,
        "redis": {"url": redis_url},
        "http": {"enabled": True, "port": port},
        "logs": {"level": "debug"},
        "demo": {"enabled": True, "behind": "26h", "speed": 10000, "shoppers": 60},
    }
    with Installation(tmp_path / "shop", settings) as shop:
        service = shop.start("run", "--show")
        log = shop.directory / "var" / "log"
        eventually(lambda: ask(port, "/readyz")[0] == 200, what="readiness")
        someone, other = "shopper-0001", "shopper-0002"
        name, of_other = map(Pseudonyms(KEY, 1).of, (someone, other))
        eventually(lambda: ask(port, f"/api/users/{someone}")[0] == 200, what="somebody known")
        eventually(lambda: (log / "triggers.jsonl").stat().st_size > 100_000, what="many triggers")

        # whoever asks may know the id or the pseudonym, and is told the pseudonym
        said = [
            ask(port, f"/api/users/{who}{about}")[1] for who in (someone, name) for about in ("", "/explain")
        ]
        assert [json.loads(body)["user_id"] for body in said] == [name] * 4
        for command in commands(someone):
            shop.run(*command.split())
        logs = sorted(shop.directory.glob("process-*.log"))
        assert [name in path.read_text() for path in logs] == [True] * (1 + len(commands(someone)))
        assert shop.run("pseudonym", name).strip() == name

        # so may who has somebody forgotten
        shop.run("erase", someone, "--yes")
        shop.run("erase", of_other, "--yes")
        both = (someone, name, other, of_other)
        eventually(lambda: {ask(port, f"/api/users/{who}")[0] for who in both} == {404}, what="the erasures")
        requests = re.findall(rb'.*"erase_requested".*', (log / "customers.jsonl").read_bytes())
        assert [json.loads(each)["user_id"] for each in requests[-2:]] == [name, of_other]

        said += [ask(port, path)[1] for path in ("/metrics", "/readyz", "/healthz")]
        service.terminate()
        assert service.wait(30) == 0, service.said()
        said += shop.kept()
        said += [path.read_bytes() for path in shop.directory.glob("process-*.log")]
        outputs = [path for path in log.rglob("*") if path.is_file() and path.stem not in INPUTS]
        said += [path.read_bytes() for path in outputs]
        assert {path.stem for path in outputs} >= {"triggers", "decisions", "dead_letters"}
        everything = b"\n".join(said)
        assert len(everything) > 1_000_000
        raw = (log / "clickstream.jsonl").read_bytes()
        for kind in (rb"shopper-\d", rb"visitor-\w", rb"guest-[a-z]+-\d"):  # all ids of the demo's people
            assert re.search(kind, raw)
            assert not re.findall(rb".{60}%b.{40}" % kind, everything, re.DOTALL)[:3]
        assert b"GET /cart" in raw
        assert b"R0VUIC9jYX" not in everything, "a bad record, in base64"


def commands(someone: str) -> list[str]:
    return [
        f"profile {someone} --json",
        f"profile {someone}",
        f"explain {someone} --json",
        f"explain {someone}",
        f"pseudonym {someone}",
    ]
