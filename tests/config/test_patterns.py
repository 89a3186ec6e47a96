"""Is every error of a declared pattern told at the start, with its place and what would be right?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.load import describe, load, plan_of
from state import events
from tests.config.test_problems import problems
from tests.test_house import ROOT

FINE = "after: {event: searched}, then: {event: product_viewed}, within: 1h, by: user"
BAD = """\
rules:
  pattern:
    patterns:
      Two Words:
        after: {event: product_viwed, times: 11, where: {prce: 1}}
        within: 2
        by: skus
      all_at_once:
        after:
          event: searched
          where: {query: {at_least: 3}, qury: x}
        then: {event: order_delivered, where: {order_id: {exist: true}}}
        then_not: {event: order_placed, where: {total: cheap, sku: [k1, {a: b}]}}
        within: 1h
        by: sku
        offr: x
      fine: {after: {event: searched}, then: {event: product_viewed}, within: 1h, by: user}
http: {port: 70000}
time: {zone: Asia/Shangai}
"""


def at(path: str) -> str:
    return f"rules.pattern.patterns.{path}"


@pytest.mark.parametrize(
    ("pattern", "path", "message", "suggestion"),
    [
        (FINE.replace("searched", "serched"), "after.event", "no event 'serched'", "did you mean searched?"),
        (
            FINE.replace("searched", "stock_changed"),
            "after.event",
            "no event 'stock_changed' of a customer",
            "",
        ),
        (FINE.replace("searched", "erase_requested"), "after.event", "no event", ""),
        (FINE.replace("by: user", "by: sku"), "after.event", "searched has no sku", "by: user or by: cart"),
        (
            FINE.replace("by: user", "by: usr"),
            "by",
            "is not one of user, sku, cart, order",
            "did you mean user?",
        ),
        (FINE.replace(", by: user", ""), "by", "missing", ""),
        (FINE.replace("within: 1h, ", ""), "within", "missing", "a duration"),
        (FINE.replace("1h", "1"), "within", "not a duration", "1m"),
        (FINE.replace("then: {event: product_viewed}, ", ""), "", "neither then nor then_not", ""),
        (FINE + ", then_not: {event: searched}", "then", "stands beside then_not", "keep one of them"),
        (FINE + ", prioritiy: 3", "prioritiy", "no such setting", ""),
        (FINE.replace("searched}", "searched, times: 0}"), "after.times", "at least 1 and at most 10", ""),
        (FINE.replace("viewed}", "viewed, times: 2}"), "then.times", "no such setting", ""),
        (
            FINE.replace("searched}", "searched, where: {query: [a, null]}}"),
            "after.where.query[1]",
            "null",
            "",
        ),
        (FINE.replace("searched}", "searched, where: {query: []}}"), "after.where.query", "empty list", ""),
        (FINE.replace("searched}", "searched, where: {query: {}}}"), "after.where.query", "says nothing", ""),
        (
            FINE.replace("searched}", "searched, where: {query: {above: 3}}}"),
            "after.where.query.above",
            "query is a text, above compares numbers",
            "write query: 3",
        ),
        (
            FINE.replace("viewed}", "viewed, where: {price: 1.5}}"),
            "then.where.price",
            "'1.5' is not a whole number",
            "",
        ),
        (
            FINE.replace("viewed}", "viewed, where: {catgory: tea}}"),
            "then.where.catgory",
            "product_viewed has no field 'catgory'",
            "did you mean category?",
        ),
        (
            FINE.replace("viewed}", "viewed, where: {price: {exists: maybe}}}"),
            "then.where.price.exists",
            "'maybe' is not true or false",
            "",
        ),
        (
            FINE.replace("searched}", "profile_updated, where: {child_birthdays: x}}"),
            "after.where.child_birthdays",
            "is a list",
            "{exists: true}",
        ),
        (
            FINE.replace("searched", "order_placed").replace("user", "cart"),
            "by",
            "with order_placed the cart ends",
            "by: user",
        ),
    ],
)
def test_one_error_is_told_with_its_place_and_a_way_out(
    pattern: str, path: str, message: str, suggestion: str
) -> None:
    (problem,) = problems(f"rules.pattern.patterns={{p: {{{pattern}}}}}")

    assert problem.path == at(f"p.{path}").rstrip(".")
    assert message in problem.message
    assert suggestion in problem.suggestion
    assert problem.origin in ("--set", "")  # what is missing is nowhere


def test_all_errors_of_all_patterns_and_of_everything_else_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(BAD)

    found = {(problem.path, problem.origin.rpartition(":")[2]) for problem in problems(file=file)}

    assert found == {
        (at("Two Words"), "5"),  # its name, and what it lacks
        (at("Two Words.after.event"), "5"),
        (at("Two Words.after.times"), "5"),
        (at("Two Words.within"), "6"),
        (at("Two Words.by"), "7"),
        (at("all_at_once.after.event"), "10"),
        (at("all_at_once.after.where.query.at_least"), "11"),
        (at("all_at_once.after.where.qury"), "11"),
        (at("all_at_once.then"), "12"),
        (at("all_at_once.then.event"), "12"),
        (at("all_at_once.then.where.order_id.exist"), "12"),
        (at("all_at_once.then_not.where.total"), "13"),
        (at("all_at_once.then_not.where.sku[1]"), "13"),
        (at("all_at_once.offr"), "16"),
        ("http.port", "18"),
        ("time.zone", "19"),
    }


def test_the_patterns_of_the_page_are_without_flaw_and_survive_being_described(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "patterns.md").read_text()
    file, again = tmp_path / "page.yaml", tmp_path / "again.yaml"
    file.write_text(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0])

    chosen = load(file, {}, [])
    again.write_text(describe(chosen))

    assert load(again, {}, []) == chosen
    declared = chosen.rules["pattern"].patterns
    assert (
        len([each for each in declared.values() if each is not None]) == 4 + 1
    )  # and the example of the defaults


def test_without_patterns_no_event_is_looked_at() -> None:
    plan = plan_of(load(None, {}, ["rules.pattern.patterns.quick_delivery=null"]))

    assert plan.fold.patterns.parts == {}
    heard = {armed.rule.name for several in plan.by_event.values() for armed in several}
    assert "pattern" not in heard


def test_only_events_that_are_named_are_looked_at() -> None:
    plan = plan_of(load(None, {}, [f"rules.pattern.patterns={{quick_delivery: null, p: {{{FINE}}}}}"]))

    assert set(plan.fold.patterns.parts) == {events.Searched, events.ProductViewed}
    example = plan_of(load(None, {}, []))
    assert set(example.fold.patterns.parts) == {events.OrderPlaced, events.OrderDelivered}
    off = plan_of(load(None, {}, [f"rules.pattern={{enabled: false, patterns: {{p: {{{FINE}}}}}}}"]))
    assert off.fold.patterns.parts == {}
