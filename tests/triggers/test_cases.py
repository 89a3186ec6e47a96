"""Does each rule, and each gate, decide as its golden cases say?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.triggers.golden import TESTS, Case, cases_of, expected, run, shown
from triggers.catalog import RULES

_MANY = ("cart_abandoned", "low_stock", "points_expiring", "price_drop", "replenishment", "winback")


def _params(folder: str) -> list[Any]:
    return [
        pytest.param(path, case, id=f"{path.stem}: {case.name}")
        for path in sorted((TESTS / folder).glob("*.yaml"))
        for case in cases_of(path)
    ]


@pytest.mark.parametrize(("path", "case"), _params("cases"))
def test_rule(path: Path, case: Case) -> None:
    told = shown(run(case, {path.stem: case.params}), case)
    assert told == expected(case, told)


@pytest.mark.parametrize(("path", "case"), _params("cases_policy"))
def test_policy(path: Path, case: Case) -> None:
    assert case.policy is not None, f"{path.name} has a case without policy"
    told = shown(run(case, case.rules), case)
    assert told == expected(case, told)


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_every_rule_has_cases_that_fire_and_cases_that_do_not(rule: str) -> None:
    cases = cases_of(TESTS / "cases" / f"{rule}.yaml")
    assert len(cases) >= (10 if rule in _MANY else 6)
    assert len({case.name for case in cases}) == len(cases)
    assert any(case.expect for case in cases)
    assert any(not case.expect for case in cases)
