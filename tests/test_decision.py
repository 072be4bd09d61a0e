"""Thresholds: the best F1 by trying every one, ties, and rows and classes without anything."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from emoji_pred.decision import CANDIDATES, Decision, choose

FIXED: dict[str, Any] = {"name": "fixed", "threshold": 0.5, "tuned_f1": None, "at_least_one": False}
PER_CLASS = {**FIXED, "name": "tuned_per_class", "threshold": None}


def tuned(f1: str) -> dict[str, Any]:
    return {**FIXED, "name": "tuned", "threshold": None, "tuned_f1": f1}


def drawn(rows: int = 150, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that know something of the truth, on scales that differ by class, with equal ones."""
    rng = np.random.default_rng(seed)
    truth = rng.random((rows, classes)) < np.linspace(0.1, 0.5, classes)
    scores = (rng.random((rows, classes)) + truth) / 2 * np.linspace(0.2, 1, classes)
    return scores.round(2).astype(np.float32), truth.astype(np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_a_threshold_per_class_is_the_best_of_all_there_are(seed: int) -> None:
    scores, truth = drawn(seed=seed)
    decision = choose(PER_CLASS, scores, truth)
    given = decision.labels(scores)
    for c in range(4):
        best = max(
            sk.f1_score(truth[:, c], scores[:, c].astype(float) > threshold, zero_division=0)
            for threshold in [-0.01, *np.unique(scores[:, c]).astype(float)]
        )
        assert sk.f1_score(truth[:, c], given[:, c]) == pytest.approx(best, abs=1e-12)
    assert len(set(decision.thresholds)) > 1 and decision.tuned_f1 == "each class"


@pytest.mark.parametrize("f1", ["macro", "micro", "samples"])
@pytest.mark.parametrize("seed", range(3))
def test_one_threshold_is_the_best_of_all_there_are(f1: str, seed: int) -> None:
    scores, truth = drawn(rows=40, seed=seed)
    truth[:, 0] |= ~truth.any(axis=1)  # no row without a label, which scikit-learn counts otherwise
    assert len(np.unique(scores)) < CANDIDATES
    decision = choose(tuned(f1), scores, truth)
    (threshold,) = set(decision.thresholds)

    def reached(value: float) -> float:
        return float(sk.f1_score(truth, scores.astype(float) > value, average=f1, zero_division=0))

    best = max(reached(value) for value in [0.5, -0.01, *np.unique(scores).astype(float)])
    assert reached(threshold) == pytest.approx(best, abs=1e-12)
    assert reached(threshold) >= reached(0.5)


def test_many_probabilities_are_searched_in_steps_and_one_half_is_always_tried() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random((4000, 2)) < 0.3
    scores = np.where(truth, 0.5001 + 1e-6 * rng.random((4000, 2)), 0.4999 - 1e-6 * rng.random((4000, 2)))
    assert choose(tuned("macro"), scores, truth).labels(scores).tolist() == truth.tolist()


def test_of_equally_good_thresholds_the_one_nearest_to_one_half_is_taken() -> None:
    scores, truth = np.array([[0.2], [0.3], [0.9]]), np.array([[0], [0], [1]])
    assert choose(PER_CLASS, scores, truth).thresholds == (0.5,)
    scores = np.array([[0.1], [0.2], [0.4]])
    assert choose(PER_CLASS, scores, truth).thresholds == (pytest.approx(0.3),)


def test_a_class_without_validation_rows_keeps_one_half_and_one_that_training_lacks_is_never_given() -> None:
    scores, truth = drawn()
    truth[:, 1] = 0
    thresholds = choose(PER_CLASS, scores, truth).thresholds
    assert thresholds[1] == 0.5
    for rule in (FIXED, PER_CLASS, tuned("micro"), {**FIXED, "at_least_one": True}, None):
        decision = choose(rule, np.ones_like(scores), truth, seen=np.array([True, True, False, True]))
        assert decision.thresholds[2] == 1
        assert not decision.labels(np.ones_like(scores))[:, 2].any()
    never = Decision("fixed", (1.0, 0.5), at_least_one=True)
    assert never.labels([[0.9, 0.1]]).tolist() == [[False, True]]


def test_at_least_one_gives_a_row_without_any_its_most_probable() -> None:
    scores = np.array([[0.1, 0.4, 0.4], [0.6, 0.7, 0.1], [0.0, 0.0, 0.0]])
    plain = Decision("fixed", (0.5,) * 3)
    assert plain.labels(scores).astype(int).tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0]]
    always = Decision("fixed", (0.5,) * 3, at_least_one=True)
    assert always.labels(scores).astype(int).tolist() == [[0, 1, 0], [1, 1, 0], [1, 0, 0]]


def test_another_threshold_leaves_what_is_never_given() -> None:
    decision = Decision("tuned_per_class", (0.2, 1.0, 0.4), at_least_one=True)
    assert decision.with_threshold(0.3).thresholds == (0.3, 1.0, 0.3)
    assert decision.with_threshold(1.0).labels([[0.1, 0.2, 0.9]]).tolist() == [[False, False, True]]


def test_a_probability_at_the_threshold_is_not_given() -> None:
    assert Decision("fixed", (0.5, 0.25)).labels([[0.5, 0.25]]).tolist() == [[False, False]]


def test_all_probabilities_zero_or_all_truth() -> None:
    for scores, truth in (
        (np.zeros((3, 2)), np.ones((3, 2))),
        (np.ones((3, 2)), np.ones((3, 2))),
        (np.full((3, 2), 0.3), np.ones((3, 2))),
    ):
        for rule in (PER_CLASS, tuned("macro")):
            decision = choose(rule, scores, truth)
            assert decision.labels(scores).all() == scores.any(), (rule, scores)


def test_a_stored_decision_decides_to_the_bit() -> None:
    scores, truth = drawn(seed=9)
    decision = choose(PER_CLASS, scores, truth)
    again = Decision.from_plain(json.loads(json.dumps(decision.plain())))
    assert again == decision


def test_a_class_without_training_rows_has_no_part_in_the_common_threshold() -> None:
    # By hand, micro F1. With the second class 0.65 is best (1 hit, 1 missed: 2/3; below 0.4, 2 hits and 4
    # false: 1/2); without it any threshold between 0.1 and 0.4 (2 hits: 1).
    scores = np.array([[0.7, 0.6], [0.4, 0.6], [0.1, 0.6], [0.1, 0.6]])
    truth = np.array([[1, 0], [1, 0], [0, 0], [0, 0]])
    rule = {"name": "tuned", "threshold": None, "tuned_f1": "micro", "at_least_one": False}
    decision = choose(rule, scores, truth, seen=[True, False])
    assert decision.labels(scores).tolist() == truth.astype(bool).tolist()
    assert decision.thresholds[1] == 1.0
