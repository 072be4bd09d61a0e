"""Metrics by rows against scikit-learn, the paper's equations and arithmetic by hand; constant answers."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
import torch

from emoji_pred import multilabel_metrics as metrics
from emoji_pred.metrics import evaluate

EXAMPLE = ("accuracy", "precision", "recall")


def drawn(rows: int, classes: int, seed: int, share: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    given, truth = (rng.random((2, rows, classes)) < share).astype(np.uint8)
    return given, truth


def literally(given: np.ndarray, truth: np.ndarray, plus: int = 0) -> dict[str, float]:
    """Equations 7 to 10 as they stand, row by row, with sets; `plus` is the notebook's +1."""
    sums = dict.fromkeys(EXAMPLE, 0.0)
    for z_row, y_row in zip(given, truth, strict=True):
        z, y = set(np.flatnonzero(z_row)), set(np.flatnonzero(y_row))
        below = {"accuracy": len(y | z), "precision": len(z), "recall": len(y)}
        for name, count in below.items():
            if count + plus:
                sums[name] += (len(y & z) + plus) / (count + plus)
            elif not y | z:
                sums[name] += 1
    means = {name: value / len(given) for name, value in sums.items()}
    precision, recall = means["precision"], means["recall"]
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {**means, "f1": f1}


@pytest.mark.parametrize(("rows", "classes"), [(500, 7), (40, 1), (1, 7), (60, 62)])
def test_example_metrics_equal_sklearn_where_a_row_is_not_empty_twice(rows: int, classes: int) -> None:
    given, truth = drawn(rows, classes, seed=rows)
    filled = (given | truth).any(axis=1)
    given[~filled, 0] = 1
    found = metrics.of_examples(given, truth)
    options: dict[str, Any] = {"average": "samples", "zero_division": 0}
    if classes > 1:  # of one column scikit-learn makes a task without samples
        assert found["example_accuracy"] == pytest.approx(sk.jaccard_score(truth, given, **options))
        assert found["example_precision"] == pytest.approx(sk.precision_score(truth, given, **options))
        assert found["example_recall"] == pytest.approx(sk.recall_score(truth, given, **options))
        assert found["samples_f1"] == pytest.approx(sk.f1_score(truth, given, **options))
    assert {name: found[f"example_{name}"] for name in (*EXAMPLE, "f1")} == pytest.approx(
        literally(given, truth)
    )


def test_rows_that_are_empty_twice_count_1_and_sklearn_counts_0() -> None:
    given, truth = drawn(300, 4, seed=5, share=0.2)
    empty = int((~(given | truth).any(axis=1)).sum())
    assert empty > 20
    found = metrics.of_examples(given, truth)
    options: dict[str, Any] = {"average": "samples", "zero_division": 0}
    for name, score in (
        ("example_accuracy", sk.jaccard_score),
        ("example_precision", sk.precision_score),
        ("example_recall", sk.recall_score),
        ("samples_f1", sk.f1_score),
    ):
        assert found[name] == pytest.approx(score(truth, given, **options) + empty / 300)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("plus", [0, 1])
def test_the_equations_as_they_stand(seed: int, plus: int) -> None:
    given, truth = drawn(50, 5, seed, share=0.25)
    found = metrics.of_examples(given, truth)
    kind = "paper_smoothed" if plus else "example"
    expected = literally(given, truth, plus)
    assert {name: found[f"{kind}_{name}"] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_four_rows_by_hand() -> None:
    # Y = {0,1}, Z = {1,2}: both 1, either 3.   Y = {0}, Z = {}.   Y = {}, Z = {0}.   Y = Z = {}.
    truth = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]])
    given = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 0]])
    found = metrics.of_examples(given, truth)
    assert found["example_accuracy"] == pytest.approx((1 / 3 + 0 + 0 + 1) / 4)
    assert found["example_precision"] == pytest.approx((1 / 2 + 0 + 0 + 1) / 4)
    assert found["example_recall"] == pytest.approx((1 / 2 + 0 + 0 + 1) / 4)
    assert found["example_f1"] == pytest.approx(1.5 / 4)
    assert found["samples_f1"] == pytest.approx((1 / 2 + 0 + 0 + 1) / 4)
    assert found["paper_smoothed_accuracy"] == pytest.approx((2 / 4 + 1 / 2 + 1 / 2 + 1) / 4)
    assert found["paper_smoothed_precision"] == pytest.approx((2 / 3 + 1 + 1 / 2 + 1) / 4)
    assert found["paper_smoothed_recall"] == pytest.approx((2 / 3 + 1 / 2 + 1 + 1) / 4)
    p, r = 19 / 24, 19 / 24
    assert found["paper_smoothed_f1"] == pytest.approx(2 * p * r / (p + r))
    assert (found["labels_per_row"], found["given_per_row"]) == (3 / 4, 3 / 4)
    assert (found["rows_without_label"], found["rows_given_none"]) == (2, 2)


@pytest.mark.parametrize(
    ("precision", "recall", "printed"),
    [(0.453, 0.758, 0.567), (0.358, 0.8559, 0.5048), (0.989, 0.683, 0.808), (0.917, 0.844, 0.879)],
)
def test_equation_10_gives_the_f1_that_paper_and_notebook_print(
    precision: float, recall: float, printed: float
) -> None:
    """Table 3 (urduhack, mBERT) and the notebook's Naive Bayes and LinearSVC: F1 of the two means."""
    assert metrics._harmonic(precision, recall) == pytest.approx(printed, abs=6e-4)


def test_a_model_that_answers_nothing_is_precise_by_the_notebook() -> None:
    _, truth = drawn(200, 7, seed=1)
    truth[:, 6] |= ~truth.any(axis=1)  # each row has a label
    found = metrics.of_examples(np.zeros_like(truth), truth)
    assert [found[f"example_{name}"] for name in (*EXAMPLE, "f1")] == [0, 0, 0, 0]
    assert found["paper_smoothed_precision"] == 1
    assert found["paper_smoothed_recall"] == pytest.approx((1 / (1 + truth.sum(axis=1))).mean())


# --- ranking


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("rows", "classes"), [(200, 7), (3, 2), (50, 40)])
def test_ranking_precision_equals_sklearn(rows: int, classes: int, ties: bool) -> None:
    rng = np.random.default_rng(classes)
    scores = rng.integers(0, 4, (rows, classes)) / 4 if ties else rng.random((rows, classes))
    truth = (rng.random((rows, classes)) < 0.3).astype(int)
    truth[0], truth[1] = 0, 1  # none and all
    expected = sk.label_ranking_average_precision_score(truth, scores)
    assert metrics.ranking_precision(scores, truth) == pytest.approx(expected, abs=1e-12)


def test_ranking_precision_by_hand() -> None:
    # True labels 0 and 2 stand at ranks 1 and 3: (1/1 + 2/3) / 2. Tied with the other: rank 2, 1/2.
    scores, truth = np.array([[0.9, 0.5, 0.3], [0.4, 0.4, 0.1]]), np.array([[1, 0, 1], [1, 0, 0]])
    assert metrics.ranking_precision(scores, truth) == pytest.approx((5 / 6 + 1 / 2) / 2)


# --- all of them together


def test_answers_have_the_figures_of_evaluate() -> None:
    rng = np.random.default_rng(8)
    probabilities = rng.random((120, 5)).round(1)
    truth = (rng.random((120, 5)) < 0.3).astype(np.uint8)
    whole = evaluate(torch.tensor(probabilities), torch.tensor(truth), "multilabel", list("abcde"))
    found = metrics.of_answers(probabilities > 0.5, truth)
    ranking = "label_ranking_average_precision"
    assert {name: whole[name] for name in found if name != ranking} == pytest.approx(
        {name: value for name, value in found.items() if name != ranking}
    )
    assert whole[ranking] == pytest.approx(sk.label_ranking_average_precision_score(truth, probabilities))


def test_the_bootstrap_has_the_differences_and_about_the_normal_intervals() -> None:
    rng = np.random.default_rng(2)
    truth = (rng.random((400, 3)) < 0.4).astype(int)
    first = np.where(rng.random((400, 3)) < 0.7, truth, 1 - truth)
    second = np.where(rng.random((400, 3)) < 0.8, truth, 1 - truth)
    found = metrics.paired_bootstrap(truth, first, second, resamples=500)
    one, two = metrics.of_answers(first, truth), metrics.of_answers(second, truth)
    for name, (difference, lower, upper) in found.items():
        assert difference == pytest.approx(two[name] - one[name], abs=1e-12)
        assert lower < difference < upper
    # A mean over rows: its standard error is that of the differences of the rows.
    each = (second == truth).all(axis=1).astype(float) - (first == truth).all(axis=1)
    error = 1.96 * each.std() / np.sqrt(400)
    _, lower, upper = found["exact_match"]
    assert (upper - lower) / 2 == pytest.approx(error, rel=0.15)
    assert set(metrics.paired_bootstrap(truth, first, first, resamples=20).values()) == {(0.0, 0.0, 0.0)}


def test_the_bootstrap_is_that_of_the_rows_drawn_anew() -> None:
    rng = np.random.default_rng(4)
    truth, first, second = (rng.random((3, 90, 4)) < 0.4).astype(int)
    found = metrics.paired_bootstrap(truth, first, second, resamples=40, seed=9)
    again, drawn = np.random.default_rng(9), []
    for _ in range(40):
        rows = again.integers(90, size=90)
        one, two = (metrics.of_answers(given[rows], truth[rows]) for given in (first, second))
        drawn.append({name: two[name] - one[name] for name in found})
    for name, (_, *ends) in found.items():
        values = [one[name] for one in drawn]
        assert ends == pytest.approx(np.quantile(values, (0.025, 0.975)).tolist(), abs=1e-12)


def test_the_bootstrap_keeps_one_draw_in_memory() -> None:
    rows = 20_000
    truth, first, second = (np.random.default_rng(1).random((3, rows, 2)) < 0.4).astype(np.uint8)
    tracemalloc.start()
    metrics.paired_bootstrap(truth, first, second, resamples=200)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < rows * 8 * 60  # bytes: two tables of 12 columns and what makes them; 200 draws are 32 MB


# --- constant answers


def test_yardsticks_by_hand() -> None:
    train = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1], [0, 1, 1], [1, 1, 0], [0, 1, 1]])
    truth = np.array([[1, 0, 0], [0, 1, 1], [0, 1, 0], [0, 0, 1]])
    found = metrics.yardsticks(train, truth)
    nothing, everything = found["answers nothing"], found["answers everything"]
    assert nothing["micro_f1"] == nothing["example_accuracy"] == nothing["exact_match"] == 0
    assert nothing["paper_smoothed_precision"] == 1
    assert nothing["hamming_loss"] == pytest.approx(5 / 12)
    assert everything["example_recall"] == everything["paper_smoothed_recall"] == 1
    assert everything["example_precision"] == everything["example_accuracy"] == pytest.approx(5 / 12)
    assert everything["hamming_loss"] == pytest.approx(7 / 12)
    label = found["always the most frequent label"]  # 1: four of the six rows
    assert label["example_precision"] == pytest.approx(2 / 4)
    assert label["exact_match"] == 1 / 4
    assert label["macro_f1"] == pytest.approx((0 + 2 * 2 / (4 + 2) + 0) / 3)
    most = found["always the most frequent set"]  # {1, 2}: three of the six rows
    assert most["exact_match"] == 1 / 4
    assert most["example_accuracy"] == pytest.approx((0 + 1 + 1 / 2 + 1 / 2) / 4)


def test_of_equally_frequent_sets_the_first_in_the_rows_is_taken() -> None:
    train = np.array([[1, 1], [0, 1], [1, 1], [0, 1]])
    most = metrics.yardsticks(train, np.array([[1, 1]]))["always the most frequent set"]
    assert most["exact_match"] == 1
