"""Resamples of rows: the law of the bootstrap, the same draws for every run on the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kept_answers import kept_run
from scipy import stats
from sklearn.metrics import f1_score

from experiments.keeping import Answers, KeptRun
from experiments.resampling import CONFIDENCE, RESAMPLES, replicates, resamples
from experiments.table import Metric

ACCURACY = Metric("accuracy", "accuracy")
MACRO = Metric("macro F1", "macro_f1", scale=100)


def drawn(seed: int, rows: int = 150) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.choice(3, rows, p=[0.5, 0.3, 0.2])
    return truth, np.where(generator.random(rows) < 0.6, truth, generator.integers(0, 3, rows))


def test_each_resample_has_as_many_rows() -> None:
    weights = resamples(40, 500)
    assert weights.shape == (500, 40)
    assert (weights.sum(axis=1) == 40).all()
    # How often a row is drawn is binomial: mean 1, variance 1 - 1/40; within five standard errors.
    assert abs(weights.var() - (1 - 1 / 40)) < 5 * np.sqrt(2.9 / weights.size)
    share = (weights == 0).mean()
    assert abs(share - (1 - 1 / 40) ** 40) < 5 * np.sqrt(0.24 / weights.size)
    assert np.array_equal(weights, resamples.__wrapped__(40, 500))  # drawn anew they are the same


def test_the_interval_is_that_of_scipys_bootstrap(tmp_path: Path) -> None:
    truth, given = drawn(0)
    run = kept_run(tmp_path, "r", truth, given)

    def macro(rows: np.ndarray) -> float:
        return 100 * float(f1_score(truth[rows], given[rows], average="macro", labels=range(3)))

    theirs = stats.bootstrap(
        (np.arange(len(truth)),),
        macro,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    ours = replicates(run, MACRO)
    assert ours is not None and ours.shape == (RESAMPLES,)
    low, high = np.percentile(ours, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    spread = theirs.standard_error
    # The 2.5 % point of 1000 normal draws has a standard error of 0.085 spreads; four of a difference of two.
    within = 4 * np.sqrt(2) * 0.085 * spread
    assert abs(low - theirs.confidence_interval.low) < within
    assert abs(high - theirs.confidence_interval.high) < within
    assert np.std(ours, ddof=1) == pytest.approx(spread, rel=0.15)


def test_a_difference_is_paired(tmp_path: Path) -> None:
    truth, given = drawn(2)
    better = given.copy()
    wrong = np.flatnonzero(given != truth)[:10]
    better[wrong] = truth[wrong]  # ten rows more are right
    first, second = kept_run(tmp_path, "r", truth, given), kept_run(tmp_path, "s", truth, better)
    ours, theirs = replicates(first, ACCURACY), replicates(second, ACCURACY)
    assert ours is not None and theirs is not None
    weights = resamples(len(truth))
    by_hand = weights[:, wrong].astype(float).sum(axis=1) / len(truth)
    assert theirs - ours == pytest.approx(by_hand, abs=1e-12)


def half(_: KeptRun, answers: Answers) -> Answers:
    return Answers(answers.truth[:75], answers.given[:75], answers.ranks, None, answers.rows + ", half")


def none(_: KeptRun, answers: Answers) -> Answers:
    return Answers(answers.truth[:0], answers.given[:0], None, None, "")


def test_a_part_of_the_rows_is_resampled_by_itself(tmp_path: Path) -> None:
    truth, given = drawn(3)
    run = kept_run(tmp_path, "r", truth, given)
    found = replicates(run, Metric("", "macro_recall", select=half))
    alone = replicates(kept_run(tmp_path, "s", truth[:75], given[:75]), Metric("", "macro_recall"))
    assert found is not None
    assert np.array_equal(found, alone)


def test_what_cannot_be_resampled_is_none(tmp_path: Path) -> None:
    run = kept_run(tmp_path, "r", *drawn(4))
    assert replicates(run, Metric("", "ece")) is None
    assert replicates(run, Metric("", "accuracy", split="validation")) is None
    assert replicates(run, Metric("", "wall_seconds", split="")) is None
    assert replicates(run, Metric("", "accuracy", select=none)) is None
