"""Is a file of fitted parameters that cannot be used told before the start?"""

from __future__ import annotations

from pathlib import Path

from tests.config.test_problems import problems


def test_a_score_learned_for_another_horizon_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fitted.yaml").write_text(
        "predict: {model: bg_nbd, r: 0.2, alpha: 4, a: 0.8, b: 2.4, churn: {horizon: 4w, typical_gap: 7, "
        "intercept: 0, model: 1, recency: 0, purchases: 0, gap: 0}, spend: {p: 6, q: 0.9, gamma: 15}}"
    )
    told = problems(f"predict.file={tmp_path / 'fitted.yaml'}")
    assert [problem.path for problem in told] == ["predict.churn.horizon", "predict.spend"]
    assert told[0].suggestion == "fit with --horizon 8w, or write churn: null"


def test_a_file_of_parameters_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("http: {port: 1}")
    assert [each.path for each in problems(f"predict.file={tmp_path / 'shop.yaml'}")] == ["predict.file"]
    assert [each.path for each in problems(f"predict.file={tmp_path / 'none.yaml'}")] == ["predict.file"]


def test_held_out_moments_ascend() -> None:
    assert [each.path for each in problems("fit.held_out=[0.7, 0.6]", "fit.first_landmark=0.9")] == [
        "fit.first_landmark",
        "fit.held_out",
    ]
