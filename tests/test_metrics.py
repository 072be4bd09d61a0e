"""Metrics against scikit-learn, and against sums done by hand."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from emoji_pred.decision import Decision
from emoji_pred.errors import UserError
from emoji_pred.metrics import (
    evaluate,
    evaluate_predicted,
    predicted_of,
    reliability,
    without_unseen,
)

AVERAGES = ("macro", "micro", "weighted")


def random_multiclass(rows: int, classes: int, seed: int, present: list[int] | None = None):
    """Probabilities, targets drawn from `present` only, and names."""
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(size=(rows, classes))).float()
    targets = torch.from_numpy(rng.choice(present or classes, size=rows))
    return logits, logits.softmax(dim=1), targets, [f"class {i}" for i in range(classes)]


def assert_averages(result: dict, truth: np.ndarray, predicted: np.ndarray, labels: list[int] | None) -> None:
    # scikit-learn warns of labels in no true row, which is the case under test.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for average in AVERAGES:
            expected = sk.precision_recall_fscore_support(
                truth, predicted, labels=labels, average=average, zero_division=0
            )[:3]
            actual = [result[f"{average}_{name}"] for name in ("precision", "recall", "f1")]
            assert actual == pytest.approx(expected, abs=1e-12), average
        columns = sk.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    for name, expected in zip(("precision", "recall", "f1", "support"), columns, strict=True):
        assert [row[name] for row in result["per_class"]] == pytest.approx(list(expected), abs=1e-12), name


@pytest.mark.parametrize(
    ("rows", "classes", "present"),
    [
        pytest.param(1000, 20, None, id="all classes"),
        pytest.param(300, 20, [0, 3, 7], id="absent classes"),
        pytest.param(5, 62, [1, 60], id="classes neither present nor predicted"),
        pytest.param(1, 7, [4], id="one row"),
        pytest.param(50, 2, None, id="two classes"),
    ],
)
def test_multiclass_equals_sklearn(rows: int, classes: int, present: list[int] | None) -> None:
    logits, probabilities, targets, names = random_multiclass(rows, classes, seed=rows, present=present)
    result = evaluate(probabilities, targets, "multiclass", names)
    truth, predicted = targets.numpy(), probabilities.argmax(dim=1).numpy()
    labels = list(range(classes))

    assert result["accuracy"] == pytest.approx(sk.accuracy_score(truth, predicted), abs=1e-12)
    assert_averages(result, truth, predicted, labels)
    assert result["confusion_matrix"] == sk.confusion_matrix(truth, predicted, labels=labels).tolist()
    assert [row["predicted"] for row in result["per_class"]] == [int((predicted == c).sum()) for c in labels]
    assert [row["label"] for row in result["per_class"]] == names
    if classes > 2:
        for k in (1, 3, 5, 10):
            expected = sk.top_k_accuracy_score(
                truth, probabilities.numpy(), k=min(k, classes - 1), labels=labels
            )
            assert result[f"top_{k}"] == pytest.approx(1.0 if k >= classes else expected, abs=1e-12), k
    answers = predicted_of(logits, "multiclass")
    assert evaluate_predicted(answers, targets, "multiclass", classes) == pytest.approx(
        {name: result[name] for name in ("macro_f1", "accuracy")}, abs=1e-12
    )


def test_macro_counts_a_class_that_is_neither_present_nor_predicted_as_zero() -> None:
    # Classes 0 and 1 are perfect, class 2 never occurs: 2/3, where torchmetrics alone would say 1.
    result = evaluate(torch.eye(3)[[0, 1]], torch.tensor([0, 1]), "multiclass", ["a", "b", "c"])
    assert result["macro_f1"] == pytest.approx(2 / 3)
    assert result["weighted_f1"] == 1.0
    watched = evaluate_predicted(torch.tensor([0, 1]), torch.tensor([0, 1]), "multiclass", 3)
    assert watched == {"macro_f1": pytest.approx(2 / 3), "accuracy": 1.0}


def test_a_tie_is_answered_with_the_first_class_and_not_with_a_label() -> None:
    logits = torch.tensor([[1.0, -1.0], [1.0, 1.0], [0.0, 0.0]])
    assert predicted_of(logits, "multiclass").tolist() == [0, 0, 0]
    assert predicted_of(logits, "multilabel").tolist() == [[True, False], [True, True], [False, False]]


def test_never_predicted_class_has_precision_zero() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    result = evaluate(probabilities, torch.tensor([0, 1, 1]), "multiclass", ["a", "b"])
    assert result["per_class"][1] == {
        "label": "b",
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 2,
        "predicted": 0,
    }
    assert result["macro_precision"] == pytest.approx((1 / 3 + 0) / 2)
    assert result["macro_f1"] == pytest.approx(0.5 / 2)


def test_top_k_is_capped_and_ties_go_to_the_first_class() -> None:
    probabilities = torch.full((4, 4), 0.25)
    result = evaluate(probabilities, torch.tensor([0, 1, 2, 3]), "multiclass", list("abcd"))
    assert result["top_1"] == result["accuracy"] == 0.25
    assert result["top_3"] == 0.75
    assert result["top_5"] == result["top_10"] == 1.0


def test_calibration_error_by_hand() -> None:
    # 15 bins of 1/15. 0.62 and 0.65 share [0.6, 0.667): one of two right, confidence 0.635, gap 0.135,
    # weight 2/4. 0.95 is in [0.933, 1]: right, gap 0.05, weight 1/4. 0.55 is in [0.533, 0.6): wrong, gap
    # 0.55, weight 1/4.
    confidence = torch.tensor([0.62, 0.65, 0.95, 0.55])
    probabilities = torch.stack([confidence, 1 - confidence], dim=1)
    result = evaluate(probabilities, torch.tensor([0, 1, 0, 1]), "multiclass", ["a", "b"])
    assert result["ece"] == pytest.approx(0.5 * 0.135 + 0.25 * 0.05 + 0.25 * 0.55, abs=1e-6)


def test_certain_and_right_has_no_calibration_error() -> None:
    result = evaluate(torch.eye(4) * (1 + 1e-6), torch.arange(4), "multiclass", list("abcd"))
    assert result["ece"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("rows", "classes"), [(400, 7), (1, 7), (3, 62)])
@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_multilabel_equals_sklearn(rows: int, classes: int, threshold: float) -> None:
    rng = np.random.default_rng(rows)
    logits = torch.from_numpy(rng.normal(size=(rows, classes))).float()
    truth = (rng.random((rows, classes)) < 0.3).astype(np.uint8)
    truth[:, 0] = 0  # absent
    logits[:, 1] = -9.0  # never predicted
    logits[:, 2], truth[:, 2] = -9.0, 0  # neither
    targets = torch.from_numpy(truth)
    names, decision = [str(i) for i in range(classes)], Decision("fixed", (threshold,) * classes)
    result = evaluate(logits.sigmoid(), targets, "multilabel", names, decision=decision)
    predicted = (logits.sigmoid() > threshold).numpy().astype(np.uint8)

    assert_averages(result, truth, predicted, None)
    assert result["exact_match"] == result["accuracy"] == sk.accuracy_score(truth, predicted)
    assert result["hamming_loss"] == pytest.approx(sk.hamming_loss(truth, predicted), abs=1e-12)
    if threshold == 0.5:
        answers = predicted_of(logits, "multilabel")
        assert evaluate_predicted(answers, targets, "multilabel", classes) == pytest.approx(
            {name: result[name] for name in ("macro_f1", "accuracy")}, abs=1e-12
        )


def test_one_label_that_is_given_or_not_equals_sklearn() -> None:
    rng = np.random.default_rng(1)
    scores, truth = rng.random((90, 1)), rng.integers(0, 2, size=(90, 1))
    result = evaluate(torch.tensor(scores), torch.tensor(truth), "multilabel", ["joy"])
    expected = pytest.approx(sk.f1_score(truth[:, 0], scores[:, 0] > 0.5))
    assert result["macro_f1"] == result["micro_f1"] == expected
    watched = evaluate_predicted(torch.tensor(scores > 0.5), torch.tensor(truth), "multilabel", 1)
    assert watched["macro_f1"] == expected


def test_multilabel_calibration_error_by_hand() -> None:
    # Four probabilities, each alone in its bin: gaps to the truth 0.1, 0.2, 0.3, 0.4.
    probabilities = torch.tensor([[0.9, 0.2], [0.7, 0.4]])
    result = evaluate(probabilities, torch.tensor([[1, 0], [1, 0]]), "multilabel", ["a", "b"])
    assert result["ece"] == pytest.approx((0.1 + 0.2 + 0.3 + 0.4) / 4, abs=1e-6)


def test_result_is_plain_json() -> None:
    _, probabilities, targets, _ = random_multiclass(30, 4, seed=1)
    result = evaluate(probabilities, targets, "multiclass", ["❤", "😂", "🇺🇸", "ہنسی"])
    assert json.loads(json.dumps(result)) == result


def test_half_precision_input_is_accepted() -> None:
    _, probabilities, targets, names = random_multiclass(200, 5, seed=2)
    result = evaluate(probabilities.bfloat16(), targets.int(), "multiclass", names)
    assert result["accuracy"] == pytest.approx(
        sk.accuracy_score(targets, probabilities.bfloat16().argmax(dim=1).numpy())
    )


@pytest.mark.parametrize(
    ("probabilities", "targets", "task", "names", "words"),
    [
        (torch.rand(3, 2), torch.tensor([0, 1]), "multiclass", ["a", "b"], "targets must be"),
        (torch.rand(2, 2), torch.tensor([0, 1]), "multilabel", ["a", "b"], "targets must be"),
        (torch.rand(2, 2), torch.tensor([0, 2]), "multiclass", ["a", "b"], r"0\.\.1"),
        (torch.rand(2, 2), torch.tensor([0, -1]), "multiclass", ["a", "b"], r"0\.\.1"),
        (torch.rand(2, 2), torch.tensor([[0, 2], [0, 1]]), "multilabel", ["a", "b"], r"0\.\.1"),
        (torch.rand(2, 2), torch.tensor([0, 1]), "multiclass", ["a"], "label names"),
        (torch.rand(0, 2), torch.zeros(0), "multiclass", ["a", "b"], "not empty"),
        (torch.randn(2, 2) * 9, torch.tensor([0, 1]), "multiclass", ["a", "b"], "softmax"),
        (torch.rand(2, 2), torch.tensor([0, 1]), "regression", ["a", "b"], "task"),
    ],
)
def test_what_does_not_fit_is_refused(probabilities, targets, task, names, words) -> None:
    with pytest.raises(ValueError, match=words):
        evaluate(probabilities, targets, task, names)


def test_not_a_number_names_the_row() -> None:
    probabilities = torch.rand(4, 2)
    probabilities[2, 1] = float("nan")
    with pytest.raises(UserError, match=r"row 2 .*diverged"):
        evaluate(probabilities, torch.tensor([0, 1, 0, 1]), "multiclass", ["a", "b"])


# --- reliability diagram


def test_reliability_by_hand() -> None:
    # Confidences 0.9 (wrong), 0.92 (right) and 1.0 (right): bins 13 of [0.867, 0.933) and 14 of [0.933, 1].
    probabilities = torch.tensor([[0.9, 0.1], [0.08, 0.92], [1.0, 0.0]])
    first, last = reliability(probabilities, torch.tensor([1, 1, 0]), "multiclass")
    assert (first["lower"], first["upper"]) == pytest.approx((13 / 15, 14 / 15))
    assert (first["confidence"], first["accuracy"], first["rows"]) == (pytest.approx(0.91), 0.5, 2)
    assert (last["upper"], last["confidence"], last["accuracy"], last["rows"]) == (1.0, 1.0, 1.0, 1)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_bins_of_the_diagram_give_the_calibration_error(task: str) -> None:
    logits, probabilities, targets, names = random_multiclass(997, 5, seed=3)
    if task == "multilabel":
        rng = np.random.default_rng(4)
        probabilities, targets = logits.sigmoid(), torch.from_numpy(rng.integers(0, 2, size=(997, 5)))
    bins = reliability(probabilities, targets, task)
    total = sum(row["rows"] for row in bins)
    assert total == (997 if task == "multiclass" else 997 * 5)
    distance = sum(row["rows"] * abs(row["accuracy"] - row["confidence"]) for row in bins) / total
    assert distance == pytest.approx(evaluate(probabilities, targets, task, names)["ece"], abs=1e-6)


# --- the largest class of training, and classes that are never predicted


@pytest.mark.parametrize("top_class", [0, 3, 11])
def test_the_top_class_equals_sklearn(top_class: int) -> None:
    _, probabilities, targets, names = random_multiclass(300, 12, seed=4, present=[0, 3, 5, 7])
    result = evaluate(probabilities, targets, "multiclass", names, top_class=top_class)
    truth, predicted = targets.numpy(), probabilities.argmax(dim=1).numpy()
    expected = {
        "top_class": names[top_class],
        "top_class_recall": sk.recall_score(truth == top_class, predicted == top_class, zero_division=0),
        "top_class_precision": sk.precision_score(
            truth == top_class, predicted == top_class, zero_division=0
        ),
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected)


def test_the_top_class_of_several_labels_equals_sklearn() -> None:
    rng = np.random.default_rng(3)
    probabilities, truth = rng.random((80, 4)), rng.integers(0, 2, size=(80, 4))
    result = evaluate(
        torch.tensor(probabilities), torch.tensor(truth), "multilabel", list("abcd"), top_class=2
    )
    given = probabilities[:, 2] > 0.5
    assert result["top_class"] == "c"
    assert result["top_class_recall"] == pytest.approx(sk.recall_score(truth[:, 2], given))
    assert result["top_class_precision"] == pytest.approx(sk.precision_score(truth[:, 2], given))


def test_a_model_that_always_answers_one_class() -> None:
    """The collapse of the Telegram-Rus notebook: recall 1, precision the class' share, all others zeroed."""
    probabilities = torch.tensor([[0.6, 0.3, 0.1, 0.0, 0.0]]).repeat(10, 1)
    targets = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])  # classes 3 and 4 have no row
    result = evaluate(probabilities, targets, "multiclass", list("abcde"), top_class=0)
    assert (result["top_class_recall"], result["top_class_precision"]) == (1.0, pytest.approx(0.3))
    assert (result["zeroed_classes"], result["never_predicted"]) == (2, 4)


def test_zeroed_classes_are_those_that_stand_in_the_split() -> None:
    _, probabilities, targets, names = random_multiclass(40, 30, seed=1, present=list(range(10)))
    result = evaluate(probabilities, targets, "multiclass", names)
    answered = set(probabilities.argmax(dim=1).tolist())
    assert result["zeroed_classes"] == len(set(targets.tolist()) - answered) > 0
    assert result["never_predicted"] == 30 - len(answered) > result["zeroed_classes"]
    assert "top_class" not in result


def test_one_class_of_several_labels() -> None:
    predicted, targets = torch.tensor([[1], [1], [0], [0]]), torch.tensor([[1], [0], [1], [0]])
    figures = evaluate_predicted(predicted, targets, "multilabel", 1)
    assert figures["macro_f1"] == pytest.approx(0.5)  # one hit, one false alarm, one miss


def test_a_class_without_training_rows_gets_no_probability() -> None:
    scores = np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]], dtype=np.float32)
    seen = np.array([False, True, True])
    # By hand: 0.3 and 0.2 of 0.5; where nothing is left, the seen classes share.
    assert without_unseen(scores, seen) == pytest.approx(np.array([[0, 0.6, 0.4], [0, 0.5, 0.5]]))
    assert without_unseen(scores, np.ones(3, dtype=bool)) is scores
