"""Which alerts are there, and how do they look when a test has not the patience of an operator?"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from tests.test_house import ROOT

RULES: Final = ROOT / "deploy" / "prometheus" / "alerts.yml"
ALERTS: Final[dict[str, dict[str, Any]]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}
_FASTER: Final = {
    "[1h]": "[8s]",
    "[15m]": "[30s]",
    "[10m]": "[15s]",
    "[5m]": "[5s]",
    "[1d]": "[5s]",
    "offset 1w": "offset 10s",
    "< 900": "< 30",
    "> 300": "> 4",
    "> 60": "> 4",
    "> 24": "> 1",
    "> 2": "> 0",
    "> 5": "> 1",
}


def hastened() -> dict[str, Any]:
    """The content of a rule file: the rules as they are, with seconds for their minutes."""
    rules = []
    for alert in ALERTS.values():
        expression = alert["expr"]
        for slow, fast in _FASTER.items():
            expression = re.sub(re.escape(slow) + r"(?![\w.])", fast, expression)
        assert not re.search(r"\d[mhdw]\b", expression), f"say how {alert['alert']} is made faster"
        rules.append({**alert, "expr": expression, "for": "2s"})
    return {"groups": [{"name": "hastened", "rules": rules}]}
