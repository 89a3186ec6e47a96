"""Which parameters predict this shop's buyers, how well did they, and may they be used?

Each model is fitted to the history without its end, at some moments, and judged by what came then; the better one is
fitted to all of it. The same history gives the same file: its date is the history's last moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import msgspec
import yaml
from msgspec import Struct

from config.settings import Settings
from flows.fitting.again import usual
from flows.fitting.history import CannotFit, History, read_history, share_of
from flows.fitting.learn import Judged, NoScore, judge, learn
from flows.fitting.likelihood import Purchases, fit_purchases, fit_spend, purchases_at
from state.btyd import Fit, expected_orders
from state.calendar import WEEK, Duration, iso
from state.churn import ChurnScore
from state.value import SpendParams

MODELS: Final = ("mbg_nbd", "bg_nbd")
_HEAD: Final = (
    "# Written by `beckon fit`, for predict.file. `fitted` says how it was checked; nothing reads it.\n"
)
_DIGITS: Final = 7  # significant, of what is written: the search is no more exact


class Fitted(Struct, frozen=True):
    """`held_out`: of what came after the last held-out moment, by what was known then; `error`: mean Brier of all.

    `notes`: what was left out, and why.
    """

    fit: Fit
    scored: bool
    churn: ChurnScore | None
    spend: SpendParams | None
    log_likelihood: float
    error: float
    held_out: Judged
    held_out_from: int
    repeats: tuple[float, float]
    checks: dict[str, float]
    notes: list[str]
    cycles: dict[str, Duration] = {}


def run(
    settings: Settings, source: Path | None, out: Path, horizon: int, until: int | None, beckon: str
) -> Iterator[str]:
    """Write the parameter file and say, line by line, what is in it. Raise CannotFit and write nothing."""
    history = read_history(source, settings, until)
    found = fit_history(history, settings, horizon)
    out.write_text(written(found, history, beckon), encoding="utf-8")
    fit, judged = found.fit, found.held_out
    yield f"{fit.model}: r {fit.r:.4g}, alpha {fit.alpha:.4g}, a {fit.a:.4g}, b {fit.b:.4g}"
    yield (
        f"held out: Brier {judged.brier:.3f} (the same of everybody: {judged.brier_of_base_rate:.3f}), "
        f"AUC {judged.auc:.3f} (recency: {judged.auc_of_recency:.3f})"
    )
    if found.cycles:
        yield f"cycles: of {len(found.cycles)} things that are bought again and again"
    yield from found.notes
    yield f"written to {out}: use it with predict.file"


def fit_history(
    history: History, settings: Settings, horizon: int, models: tuple[str, ...] = MODELS
) -> Fitted:
    """For a churn `horizon`, ms. Raise CannotFit, in words, when nothing that could be trusted comes out."""
    chosen = settings.fit
    known = purchases_at(history, history.ends)
    repeaters = int((known.x > 0).sum())
    if len(known.x) < chosen.least_buyers:
        raise CannotFit(
            f"{len(known.x)} buyers are too few: at least {chosen.least_buyers} (fit.least_buyers)"
        )
    if repeaters < chosen.least_repeaters:
        raise CannotFit(
            f"{repeaters} buyers came again, too few: at least {chosen.least_repeaters} (fit.least_repeaters)"
        )
    tried, refused = [], []
    for model in models:
        try:
            tried.append(_tried(history, settings, model, known, horizon))
        except CannotFit as why:
            refused.append(str(why))
    if not tried:
        raise CannotFit("; ".join(refused))
    best = min(tried, key=lambda each: each.error)
    notes, spend, checks = list(best.notes) + refused, None, {}
    churn = learn(history, best.fit, horizon, chosen) if best.scored else None
    try:
        spend, checks["spend_log_likelihood"], checks["spend_correlation"] = fit_spend(
            known, chosen.most_correlated
        )
    except CannotFit as why:
        notes.append(str(why))
    cycles = usual(history.sold, chosen)
    if not cycles:
        least = (
            f"{chosen.least_again} buyers, {chosen.again_share:.0%} of all (fit.least_again, fit.again_share)"
        )
        notes.append(f"cycles: none, as for no thing of this history at least {least} came again")
    return msgspec.structs.replace(best, churn=churn, spend=spend, checks=checks, notes=notes, cycles=cycles)


def written(found: Fitted, history: History, beckon: str) -> str:
    """The YAML file for `predict.file`, or `--config`: parameters first, then how they were checked."""
    parameters: dict[str, Any] = {
        "model": found.fit.model,
        **{name: _short(getattr(found.fit, name)) for name in ("r", "alpha", "a", "b")},
        "spend": None if found.spend is None else _plain(found.spend),
        "churn": None if found.churn is None else _plain(found.churn),
        "cycles": {key: str(cycle) for key, cycle in found.cycles.items()},
    }
    version = hashlib.sha256(msgspec.json.encode(parameters)).hexdigest()[:12]
    known = purchases_at(history, history.ends)
    expected, came = found.repeats
    fitted: dict[str, Any] = {
        "version": version,
        "beckon": beckon,
        "history": {"from": iso(history.begins), "to": iso(history.ends), "unreadable": history.unreadable},
        "buyers": len(known.x),
        "repeat_buyers": int((known.x > 0).sum()),
        "log_likelihood": round(found.log_likelihood, 4),
        **{name: _short(value) for name, value in found.checks.items()},
        "held_out": {
            "from": iso(found.held_out_from),
            **_plain(found.held_out),
            "deciles": [f"said {said:.3f}, came {true:.3f}" for said, true in found.held_out.deciles],
            "purchase_days_expected": _short(expected),
            "purchase_days": int(came),
        },
        "cycles": {
            key: f"{len(history.sold[key].gaps)} of {history.sold[key].buyers} buyers came again"
            for key in found.cycles
        },
        "notes": found.notes,
    }
    return _HEAD + yaml.safe_dump({"predict": {**parameters, "fitted": fitted}}, sort_keys=False, width=100)


class _Trial(Struct, frozen=True):
    """What a model, alone and with the churn score, did on what came after a moment."""

    split: int
    before: Fit
    alone: Judged
    scored: Judged


def _tried(history: History, settings: Settings, model: str, known: Purchases, horizon: int) -> Fitted:
    """The model fitted to all, with how it did when fitted to less."""
    fit, log_likelihood = fit_purchases(model, known)
    splits = [share_of(history, share) for share in settings.fit.held_out]
    notes, trials = list[str](), list[_Trial]()
    try:
        trials = [_trial(history, settings, model, split, horizon, with_score=True) for split in splits]
        scored, alone = fmean(t.scored.brier for t in trials), fmean(t.alone.brier for t in trials)
        ranked, recency = fmean(t.scored.auc for t in trials), fmean(t.scored.auc_of_recency for t in trials)
        if scored > alone or ranked < recency:
            raise NoScore(
                f"churn: left out, as held out it does no better (Brier {scored:.4f}, AUC {ranked:.4f}) than the "
                f"model alone (Brier {alone:.4f}) and recency (AUC {recency:.4f})"
            )
    except NoScore as why:
        notes.append(str(why))
        trials = trials or [
            _trial(history, settings, model, split, horizon, with_score=False) for split in splits
        ]
    judged = [trial.alone if notes else trial.scored for trial in trials]
    error, base = fmean(each.brier for each in judged), fmean(each.brier_of_base_rate for each in judged)
    if error >= base:
        raise CannotFit(
            f"{model}: held out, it errs more (Brier {error:.4f}) than to say the same of everybody ({base:.4f})"
        )
    last = trials[-1]
    until = min(last.split + horizon, history.ends)
    repeats = _repeats(last.before, history, last.split, until)
    return Fitted(
        fit, not notes, None, None, log_likelihood, error, judged[-1], last.split, repeats, {}, notes
    )


def _trial(
    history: History, settings: Settings, model: str, split: int, horizon: int, *, with_score: bool
) -> _Trial:
    until = min(split + horizon, history.ends)
    past = msgspec.structs.replace(history, ends=split)
    before, _ = fit_purchases(model, purchases_at(past, split))
    alone = judge(before, None, history, split, until)
    if not with_score:
        return _Trial(split, before, alone, alone)
    churn = learn(past, before, until - split, settings.fit)
    return _Trial(split, before, alone, judge(before, churn, history, split, until))


def _repeats(before: Fit, history: History, split: int, until: int) -> tuple[float, float]:
    """Purchase days from `split` to `until` of those who had bought before: expected, and come."""
    weeks, known = (until - split) / WEEK, purchases_at(history, split)
    expected = sum(
        expected_orders(before, int(x), float(last), float(now), weeks)
        for x, last, now in zip(known.x, known.last, known.now, strict=True)
    )
    came = 0
    for buyer in history.buyers:
        then, later = buyer.at(split), buyer.at(until)
        came += 0 if then is None or later is None else later[0].x - then[0].x
    return expected, came


def _plain(struct: Struct) -> dict[str, Any]:
    return {
        name: str(value) if name == "horizon" else _short(value) if isinstance(value, float) else value
        for name, value in msgspec.structs.asdict(struct).items()
    }


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
