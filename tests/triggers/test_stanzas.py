"""Are the settings that a rule has had told apart, kept within a limit, and read again as they were?"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from config.load import load
from state.calendar import HOUR
from tests.triggers.golden import plan_of
from tests.triggers.succession import Succession
from triggers.catalog import RULES
from triggers.stanzas import KEPT_LIMIT, Stanzas, fingerprint, text_of
from triggers.trigger import Rule

DEFAULTS = load(None, {}, [])
RULE: Rule = next(rule for rule in RULES if rule.name == "cart_abandoned")


def cart(delay: str) -> dict[str, dict[str, Any]]:
    return {"cart_abandoned": {"delay": delay}}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_stanza_is_read_back_as_it_was(rule: Rule) -> None:
    params = DEFAULTS.rules[rule.name]
    other = replace(params, priority=params.priority + 1)
    stanzas = Stanzas({f"{rule.name}:0": text_of(rule, params), f"{rule.name}:1": text_of(rule, other)})
    assert stanzas.retired(rule, text_of(rule, other)) == {
        0: (text_of(rule, params), replace(params, enabled=True))
    }
    assert stanzas.number(rule, text_of(rule, other)) == 1


def test_a_fingerprint_tells_settings_apart_and_not_whether_the_rule_is_on() -> None:
    params = DEFAULTS.rules["cart_abandoned"]
    told = fingerprint(text_of(RULE, params))
    assert told == fingerprint(text_of(RULE, replace(params, enabled=not params.enabled)))
    assert told != fingerprint(text_of(RULE, replace(params, mode="shadow")))
    assert told != fingerprint(text_of(replace(RULE, version=2), params))
    assert plan_of({"cart_abandoned": {}}, None).armed["cart_abandoned"].fingerprint


def test_the_first_is_number_0_and_what_was_there_before_keeps_its_number() -> None:
    plans = Succession()
    numbers = [
        plans.next(cart(delay)).armed["cart_abandoned"].number for delay in ("1h", "2h", "3h", "2h", "1h")
    ]
    assert numbers == [0, 1, 2, 1, 0]


def test_of_very_many_the_first_and_the_latest_stay() -> None:
    plans = Succession()
    plan = plans.next(cart("1h"))
    for hours in range(2, 3 * KEPT_LIMIT):
        plan = plans.next(cart(f"{hours}h"))
        assert len(plans.kept) <= KEPT_LIMIT
    params: list[Any] = [armed.params for armed in plan.retired["cart_abandoned"].values()]
    newest: Any = plan.armed["cart_abandoned"].params
    hours_kept = [each.delay // HOUR for each in (*params, newest)]
    last = 3 * KEPT_LIMIT - 1
    assert hours_kept == [1, *range(last - KEPT_LIMIT + 2, last + 1)]


def test_what_another_version_of_the_rule_wrote_is_not_gone_by() -> None:
    params = DEFAULTS.rules["cart_abandoned"]
    older = text_of(replace(RULE, version=RULE.version - 1), params)
    for unreadable in (older, "[1,{}]", "{", text_of(RULE, params).replace("delay", "waits")):
        stanzas = Stanzas({"cart_abandoned:0": unreadable})
        assert stanzas.retired(RULE, text_of(RULE, params)) == {}
        new, over = stanzas.lacking([(RULE, params)])
        assert (new, over) == ({"cart_abandoned:0": text_of(RULE, params)}, ["cart_abandoned:0"])


def test_rules_that_are_off_keep_nothing() -> None:
    plans = Succession()
    plans.next(cart("1h"))
    assert [*plans.kept] == ["cart_abandoned:0"]
