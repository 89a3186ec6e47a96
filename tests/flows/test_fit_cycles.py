"""Does `beckon fit` learn from a history after how long each thing is bought again, and does replenishment go by it?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from msgspec.structs import replace

from config.load import fold_of, load
from config.settings import Settings
from flows.fitting.again import usual
from flows.fitting.fit import run
from flows.fitting.history import read_history
from state.calendar import DAY, WEEK, Duration
from state.fold import apply
from state.user import User
from tests.flows.test_fit import START, orders
from tests.state.test_tags import bought
from tests.triggers.golden import plan_of
from triggers.rules import replenishment

PARAMS: Any = plan_of({"replenishment": {"cycles": {"k1": "90d"}}}, None).armed["replenishment"].params


def settings(*overrides: str) -> Settings:
    fast = ("time.zone=UTC", "fit.landmarks=3", "fit.held_out=[0.7]", "fit.least_again=3")
    return load(None, {}, [*fast, *overrides])


Told = tuple[str, int, str | None, Sequence[dict[str, Any]]]
"""User, day, what came of the order, its lines."""


def log(folder: Path, told: Iterable[Told]) -> Path:
    """Orders placed and paid."""
    folder.mkdir()
    with (folder / "orders.jsonl").open("w") as file:
        for number, (user, day, came, lines) in enumerate(told):
            common = {"ts": START + day * DAY, "user_id": user, "order_id": f"o{number}"}
            said: list[dict[str, Any]] = [
                {"type": "order_placed", "total": 100, "lines": [{"quantity": 1, **line} for line in lines]},
                {"type": "order_paid"},
                *([] if came is None else [{"type": came, **({"amount": 100} if "refund" in came else {})}]),
            ]
            for step, event in enumerate(said):
                print(json.dumps({**common, **event, "event_id": f"e{number}-{step}"}), file=file)
    return folder


MILK = {"sku": "milk", "category": "baby"}
POWDER = {"sku": "powder", "category": "baby"}
SPADE = {"sku": "spade"}


def test_the_cycle_of_a_thing_is_the_median_of_its_buyers_mean_gaps(tmp_path: Path) -> None:
    days = {"a": [0, 20, 40], "b": [0, 30], "c": [5, 5, 45, 85, 125], "d": [0]}
    told: list[Told] = [(user, day, None, [MILK]) for user, on in days.items() for day in on]
    told += [("a", 44, None, [POWDER]), ("b", 7, None, [SPADE]), ("b", 8, None, [SPADE])]
    # Neither what was cancelled nor what was given back has been bought.
    told += [("d", 3, "order_cancelled", [MILK]), ("d", 9, "refund_issued", [MILK, SPADE])]
    history = read_history(log(tmp_path / "log", told), settings())

    assert (history.sold["milk"].buyers, sorted(history.sold["milk"].gaps)) == (4, [20, 30, 40])
    found = usual(history.sold, settings().fit)
    assert found == {"baby": Duration(round(median([44 / 3, 30, 40])) * DAY), "milk": Duration(30 * DAY)}
    assert usual(history.sold, settings("fit.again_share=0.8").fit) == {}
    assert [*usual(history.sold, settings("fit.most_cycles=1").fit)] == ["baby"]


def test_the_file_holds_them_with_how_many_came_again(tmp_path: Path) -> None:
    told = [(user, (ts - START) // DAY, None, [MILK]) for user, ts, _ in orders(2, 800)]
    out = tmp_path / "fitted.yaml"

    said = "\n".join(run(settings(), log(tmp_path / "log", told), out, 8 * WEEK, None, "1"))

    assert "cycles: of 2 things that are bought again and again" in said
    predict = load(None, {}, [f"predict.file={out}"]).predict
    assert predict.cycles.keys() == {"milk", "baby"}
    assert 0 < predict.cycles["milk"] < 60 * WEEK
    assert predict.fitted["cycles"]["milk"].endswith("of 800 buyers came again")


def test_a_history_in_which_nothing_is_bought_again_says_so(tmp_path: Path) -> None:
    told = [
        (user, (ts - START) // DAY, None, [{"sku": f"k{number}"}])
        for number, (user, ts, _) in enumerate(orders(2, 800))
    ]
    out = tmp_path / "fitted.yaml"
    said = "\n".join(run(settings(), log(tmp_path / "log", told), out, 8 * WEEK, None, "1"))
    assert "cycles: none, as for no thing of this history at least 3 buyers" in said


@pytest.mark.parametrize(
    ("learned", "bought_on", "expected"),
    [
        ({}, [0], 90),  # as configured
        ({"k1": 30}, [0], 90),  # of others something is known, of her not enough
        ({"k1": 30}, [0, 30], 30),
        ({"k1": 30}, [0, 60], (2 * 30 + 60) / 3),
        ({"k1": 30}, [0, 60, 120, 180], (2 * 30 + 180) / 5),
        ({}, [0, 60], (2 * 90 + 60) / 3),
    ],
)
def test_her_own_gaps_are_shrunk_towards_the_learned_median_else_the_configured_cycle(
    learned: dict[str, int], bought_on: list[int], expected: float
) -> None:
    fold = fold_of(settings())
    predict = replace(fold.predict, cycles={key: Duration(days * DAY) for key, days in learned.items()})
    user = User.new("u1")
    for day in bought_on:
        for event in bought(f"o{day}", START + day * DAY, "k1"):
            apply(user, event, fold)
    due = replenishment.wake_at(user, PARAMS, replace(fold, predict=predict))
    last = START + bought_on[-1] * DAY
    assert due == last + round(expected * DAY) - 5 * DAY


def test_a_thing_that_only_was_learned_speaks_from_the_second_purchase_on() -> None:
    fold = fold_of(settings())
    known = replace(fold, predict=replace(fold.predict, cycles={"k2": Duration(30 * DAY)}))
    user = User.new("u1")
    for number, (day, due) in enumerate(((0, None), (40, 40 + (2 * 30 + 40) / 3 - 5))):
        for event in bought(f"o{number}", START + day * DAY, "k2"):
            apply(user, event, known)
        expected = None if due is None else START + round(due * DAY)
        assert replenishment.wake_at(user, PARAMS, known) == expected
