"""Does `beckon fit` find the parameters that made a history, and refuse a history that has none?"""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import yaml
from msgspec.structs import replace

from config.load import load
from config.settings import Settings
from flows.fitting.fit import fit_history, run, written
from flows.fitting.history import CannotFit, History, read_history
from flows.fitting.learn import answers, learn
from flows.fitting.likelihood import Purchases, fit_purchases, fit_spend, purchases_at
from state.calendar import DAY, WEEK, iso
from state.churn import ChurnScore
from state.predict import silence_at
from tests.real_data import found

START = 1_700_000_000_000 // DAY * DAY
WEEKS = 60
HORIZON = 8 * WEEK
Row = tuple[str, int, int]


def orders(seed: int, buyers: int, *, dropout: bool = True) -> list[Row]:
    """By MBG/NBD: rates of Gamma(0.8, 6 weeks), lost after a purchase with Beta(0.9, 2), or never."""
    chance, rows = Random(seed), list[Row]()
    for number in range(buyers):
        rate, leaving = chance.gammavariate(0.8, 1 / 6), chance.betavariate(0.9, 2) if dropout else 0.0
        mean, at = chance.gammavariate(6, 500), chance.uniform(0, 20)
        while at < WEEKS:
            rows.append(
                (f"b{number}", START + int(at * WEEK), max(1, round(chance.gammavariate(6, mean / 6))))
            )
            if chance.random() < leaving:
                break
            at += chance.expovariate(rate)
    return rows


@cache
def settings() -> Settings:
    """Fewer moments than by default, so that a fit takes a second."""
    return load(None, {}, ["time.zone=UTC", "fit.landmarks=3", "fit.held_out=[0.7]"])


def as_csv(path: Path, rows: list[Row]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("customer", "date", "amount"), *((u, iso(ts), n) for u, ts, n in rows)])
    return path


def as_log(folder: Path, rows: list[Row]) -> Path:
    folder.mkdir()
    with (folder / "orders.jsonl").open("w") as file:
        for number, (user, ts, amount) in enumerate(rows):
            common = {"ts": ts, "user_id": user, "order_id": f"o{number}"}
            placed = {
                "lines": [{"sku": f"k{number}", "quantity": 1}],
                "total": amount,
                "type": "order_placed",
            }
            print(json.dumps({**common, **placed, "event_id": f"p{number}"}), file=file)
            print(json.dumps({**common, "type": "order_paid", "event_id": f"q{number}"}), file=file)
    return folder


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return read_history(
        as_csv(tmp_path_factory.mktemp("history") / "orders.csv", orders(2, 1500)), settings()
    )


def test_the_parameters_of_cdnow_are_those_published() -> None:
    rows = list(found.rows("cdnow_summary_1of10.csv.gz"))
    column = {name: np.array([float(row[name]) for row in rows]) for name in ("x", "t_x", "T", "zbar")}
    mean = np.where(column["x"] > 0, column["zbar"], np.nan)
    known = Purchases(column["x"], column["t_x"], column["T"], mean)

    for model, parameters, log_likelihood in (
        ("bg_nbd", (0.242593, 4.413532, 0.792886, 2.425753), -9582.4256),
        ("mbg_nbd", (0.524838, 6.182992, 0.891356, 1.613999), -9582.1327),
    ):
        fit, reached = fit_purchases(model, known)
        assert (fit.r, fit.alpha, fit.a, fit.b) == pytest.approx(parameters, abs=1e-3)
        assert reached == pytest.approx(log_likelihood, abs=0.01)
    spend, reached, correlation = fit_spend(known, 0.3)
    assert (spend.p, spend.q, spend.gamma) == pytest.approx((6.248802, 3.744588, 15.447748), abs=1e-3)
    assert reached == pytest.approx(-4055.9232, abs=0.01)
    assert correlation == pytest.approx(0.114, abs=1e-3)


def test_the_model_that_made_the_history_is_found_again(history: History) -> None:
    got = fit_history(history, settings(), HORIZON, ("mbg_nbd",))
    assert got.fit.r / got.fit.alpha == pytest.approx(0.8 / 6, rel=0.2)
    assert got.fit.r == pytest.approx(0.8, rel=0.4)
    assert got.fit.a / (got.fit.a + got.fit.b) == pytest.approx(0.9 / 2.9, abs=0.07)
    assert got.held_out.brier < got.held_out.brier_of_base_rate
    expected, came = got.repeats
    assert expected == pytest.approx(came, rel=0.25)
    assert got.spend is not None


def test_the_file_is_accepted_and_the_same_each_time(tmp_path: Path) -> None:
    rows = orders(2, 800)
    table, log = as_csv(tmp_path / "orders.csv", rows), as_log(tmp_path / "log", rows)
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    list(run(settings(), table, one, HORIZON, None, "1"))
    list(run(settings(), log, two, HORIZON, None, "1"))

    assert one.read_text() == two.read_text()
    named = load(None, {}, [f"predict.file={one}"]).predict
    assert named.model in ("mbg_nbd", "bg_nbd")
    assert named.churn is None or named.churn.horizon == HORIZON
    assert replace(load(one, {}, []).predict, file=None) == replace(named, file=None)
    assert load(None, {}, [f"predict.file={one}", "predict.r=0.5"]).predict.r == 0.5
    told: dict[str, Any] = yaml.safe_load(one.read_text())["predict"]["fitted"]
    assert told["buyers"] == 800
    assert len(told["held_out"]["deciles"]) == 10
    assert told["history"]["to"] == iso(max(ts for _, ts, _ in rows))


def test_nothing_is_learned_from_what_comes_later(tmp_path: Path) -> None:
    """The whole history with an earlier end gives what the history that really ends there does."""
    ends = START + 45 * WEEK
    path = as_csv(tmp_path / "orders.csv", orders(3, 800))
    until = read_history(path, settings(), ends)
    cut = replace(read_history(path, settings()), ends=ends)
    whole, short = (fit_history(each, settings(), HORIZON, ("bg_nbd",)) for each in (cut, until))
    assert written(whole, cut, "1") == written(short, until, "1")


def test_a_score_learned_for_longer_than_the_history_has_the_model_s_level(history: History) -> None:
    fit, _ = fit_purchases("bg_nbd", purchases_at(history, history.ends))
    known = answers(history, history.ends, history.ends).known

    def level(score: ChurnScore | None, horizon: int) -> float:
        return fmean(silence_at(fit, score, each, history.ends, horizon) for each in known)

    long, short = (learn(history, fit, horizon, settings().fit) for horizon in (WEEKS * WEEK, HORIZON))
    assert level(long, WEEKS * WEEK) == pytest.approx(level(None, WEEKS * WEEK), abs=1e-9)
    assert level(short, HORIZON) != pytest.approx(level(None, HORIZON), abs=1e-4)
    assert min(long.model, long.recency, short.model, short.recency) >= 0


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (orders(1, 100), "100 buyers are too few"),
        ([(f"b{n}", START + n * DAY // 4, 100) for n in range(600)], "0 buyers came again"),
        (
            orders(2, 1200, dropout=False),
            "nobody seems to stop buying|no better than buyers who are never lost",
        ),
    ],
)
def test_a_history_without_parameters_is_refused_in_words(rows: list[Row], why: str, tmp_path: Path) -> None:
    out = tmp_path / "fitted.yaml"
    with pytest.raises(CannotFit, match=why):
        list(run(settings(), as_csv(tmp_path / "orders.csv", rows), out, HORIZON, None, "1"))
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("user,day,amount\nu,2026-01-01,1\n", "first line is to be customer,date,amount"),
        ("customer,date,amount\nu,2026-01-01,29.33\n", "line 2: .* whole minor units"),
        ("customer,date,amount\nu,2026-01-01T10:00:00,29\n", "with its zone"),
        ("customer,date,amount\n", "holds no order that counts"),
    ],
)
def test_a_table_that_is_none_is_refused_in_words(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(text)
    with pytest.raises(CannotFit, match=why):
        read_history(path, settings())


def test_a_log_without_orders_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(CannotFit, match=r"has no topic orders: it is to be orders\.jsonl"):
        read_history(tmp_path, settings())
