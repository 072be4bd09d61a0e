"""Metrics of kept answers against scikit-learn, with and without weights of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from emoji_pred.multilabel_metrics import of_examples
from experiments.keeping import Answers
from experiments.scoring import NoSuchMetric, class_counts, is_fraction, score

LABELS = ["❤", "😂", "🔥", "🎄", "📷"]
CLASSES = len(LABELS)


def drawn(seed: int, rows: int = 400) -> tuple[Answers, np.ndarray]:
    """Answers of one label that are right by half, without a row of the last class; and weights of rows."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(CLASSES, rows, p=[0.5, 0.3, 0.15, 0.05, 0])
    given = np.where(generator.random(rows) < 0.5, truth, generator.integers(0, 3, rows))
    ranks = np.where(truth == given, 1, generator.integers(2, CLASSES + 1, rows))
    return Answers(truth, given, ranks, None, ""), generator.integers(0, 4, rows).astype(float)


def drawn_sets(seed: int, rows: int = 300) -> tuple[Answers, np.ndarray]:
    """Answers of several labels, each row with one at least and given one at least."""
    generator = np.random.default_rng(seed)
    truth = (generator.random((rows, CLASSES)) < 0.3).astype(np.int64)
    probabilities = np.round(0.5 * truth + 0.6 * generator.random((rows, CLASSES)), 1)  # with ties
    truth[np.arange(rows), generator.integers(0, CLASSES, rows)] = 1
    given = (probabilities > 0.5).astype(np.int64)
    given[np.arange(rows), generator.integers(0, CLASSES, rows)] = 1
    return Answers(truth, given, None, probabilities, ""), generator.integers(0, 4, rows).astype(float)


def value(answers: Answers, path: str, weights: np.ndarray | None = None, top_class: str = "❤") -> float:
    (found,) = score(answers, path, LABELS, top_class, None if weights is None else weights[None])
    return float(found)


def per_class(answers: Answers, weights: np.ndarray | None) -> dict[str, np.ndarray]:
    figures = metrics.precision_recall_fscore_support(
        answers.truth, answers.given, labels=range(CLASSES), sample_weight=weights, zero_division=0
    )
    return dict(zip(("precision", "recall", "f1", "support"), figures, strict=True))


def average(name: str, kind: str, answers: Answers, weights: np.ndarray | None) -> float:
    function = {
        "precision": metrics.precision_score,
        "recall": metrics.recall_score,
        "f1": metrics.f1_score,
    }[name]
    more: dict[str, Any] = {"labels": range(CLASSES)} if kind != "samples" else {}
    return float(
        function(answers.truth, answers.given, average=kind, sample_weight=weights, zero_division=0, **more)
    )


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("draw", [drawn, drawn_sets])
def test_averages_and_classes_are_scikit_learns(draw: Any, weighed: bool) -> None:
    answers, weights = draw(1)
    of_rows = weights if weighed else None
    for kind in ("macro", "micro", "weighted"):
        for name in ("precision", "recall", "f1"):
            wanted = average(name, kind, answers, of_rows)
            assert value(answers, f"{kind}_{name}", of_rows) == pytest.approx(wanted, abs=1e-12)
    for name, figures in per_class(answers, of_rows).items():
        for label, wanted in zip(LABELS, figures, strict=True):
            assert value(answers, f"per_class/{label}/{name}", of_rows) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("draw", [drawn, drawn_sets])
def test_accuracy_is_scikit_learns(draw: Any, weighed: bool) -> None:
    answers, weights = draw(2)
    of_rows = weights if weighed else None
    wanted = metrics.accuracy_score(answers.truth, answers.given, sample_weight=of_rows)
    assert value(answers, "accuracy", of_rows) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("weighed", [False, True])
def test_metrics_of_sets_are_scikit_learns(weighed: bool) -> None:
    answers, weights = drawn_sets(3)
    of_rows = weights if weighed else None
    ranking = metrics.label_ranking_average_precision_score(
        answers.truth, answers.probabilities, sample_weight=of_rows
    )
    assert value(answers, "label_ranking_average_precision", of_rows) == pytest.approx(ranking, abs=1e-12)
    loss = metrics.hamming_loss(answers.truth, answers.given, sample_weight=of_rows)
    assert value(answers, "hamming_loss", of_rows) == pytest.approx(loss, abs=1e-12)
    for ours, theirs in (
        ("samples_f1", "f1"),
        ("example_precision", "precision"),
        ("example_recall", "recall"),
    ):
        wanted = average(theirs, "samples", answers, of_rows)
        assert value(answers, ours, of_rows) == pytest.approx(wanted, abs=1e-12)
    jaccard = metrics.jaccard_score(
        answers.truth, answers.given, average="samples", sample_weight=of_rows, zero_division=0
    )
    assert value(answers, "example_accuracy", of_rows) == pytest.approx(jaccard, abs=1e-12)


def test_metrics_of_rows_are_those_of_the_result() -> None:
    """Rows without a label and given none too, which scikit-learn counts otherwise."""
    generator = np.random.default_rng(4)
    truth, given = (generator.random((2, 500, CLASSES)) < 0.2).astype(np.int64)
    answers = Answers(truth, given, None, None, "")
    assert ((truth == 0) & (given == 0)).all(axis=1).any()
    for name, wanted in of_examples(given, truth).items():
        assert value(answers, name) == pytest.approx(wanted, abs=1e-12), name


def test_top_k_by_hand() -> None:
    truth, given = np.array([0, 1, 2, 3]), np.array([0, 2, 0, 4])
    answers = Answers(truth, given, np.array([1, 2, 3, 5]), None, "")
    assert [value(answers, f"top_{k}") for k in (1, 2, 3, 4, 5)] == [0.25, 0.5, 0.75, 0.75, 1.0]
    assert value(answers, "top_2", np.array([1.0, 0, 3, 0])) == 0.25
    with pytest.raises(NoSuchMetric, match="ranks"):
        value(Answers(truth, given, None, None, ""), "top_3")
    assert value(Answers(truth, given, None, None, ""), "top_1") == 0.25


def test_the_top_class_and_unseen_classes_by_hand() -> None:
    answers = Answers(np.array([0, 0, 1, 3]), np.array([0, 2, 2, 2]), None, None, "")
    assert value(answers, "top_class_recall") == 0.5
    assert value(answers, "top_class_precision", top_class="🔥") == 0.0
    assert value(answers, "zeroed_classes") == 2  # 😂 and 🎄
    assert value(answers, "never_predicted") == 3  # and 📷
    assert value(answers, "per_class/🔥/predicted") == 3


def test_a_rows_own_weight_counts_in_each_resample() -> None:
    answers, weights = drawn(5)
    own = np.random.default_rng(6).random(len(weights))
    weighed = Answers(answers.truth, answers.given, answers.ranks, None, "", own)
    for path in ("accuracy", "macro_f1", "per_class/❤/f1", "top_3"):
        assert value(weighed, path) == pytest.approx(value(answers, path, own), abs=1e-12)
        assert value(weighed, path, weights) == pytest.approx(value(answers, path, own * weights), abs=1e-12)


@pytest.mark.parametrize("draw", [drawn, drawn_sets])
def test_many_resamples_are_each_by_itself(draw: Any) -> None:
    answers, _ = draw(7)
    weights = np.random.default_rng(8).integers(0, 3, (6, len(answers.truth))).astype(np.float32)
    counts = class_counts(answers, CLASSES, weights)
    for path in ("accuracy", "macro_f1", "weighted_precision", "per_class/😂/recall", "micro_f1"):
        wanted = [value(answers, path, row.astype(float)) for row in weights]
        assert score(answers, path, LABELS, None, weights) == pytest.approx(wanted, abs=1e-12)
        assert score(answers, path, LABELS, None, weights, counts) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    "path", ["ece", "macro_g1", "f1", "per_class/❤", "per_class/❤/g1", "per_class/x/f1", "example_loss", ""]
)
def test_what_cannot_be_computed_is_said(path: str) -> None:
    for answers in (drawn(1)[0], drawn_sets(1)[0]):
        with pytest.raises(NoSuchMetric):
            value(answers, path)


def test_which_metrics_are_fractions() -> None:
    fractions = ("accuracy", "macro_f1", "per_class/a_b/recall", "top_10", "exact_match", "example_f1", "ece")
    others = ("loss", "per_class/f1/support", "zeroed_classes", "labels_per_row", "wall_seconds", "")
    assert all(map(is_fraction, fractions))
    assert not any(map(is_fraction, others))
