"""The tables that loggers show of a finished run."""

from __future__ import annotations

import numpy as np

from emoji_pred.run_tables import run_tables, scalars, worst_predictions

RESULT = {
    "task": "multiclass",
    "label_names": ["❤", "😂"],
    "validation": {"macro_f1": 0.25, "per_class": []},
    "test": {
        "macro_f1": 0.5,
        "per_class": [
            {"label": "❤", "precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1, "predicted": 2},
            {"label": "😂", "precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 2, "predicted": 1},
        ],
        "confusion_matrix": [[1, 0], [1, 1]],
    },
}
PROBABILITIES = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]], dtype=np.float32)
PREDICTIONS = {"test": (["a", "b", "c"], np.array([0, 1, 1]), PROBABILITIES)}


def test_the_numbers_of_both_splits() -> None:
    assert scalars(RESULT) == {"validation/macro_f1": 0.25, "test/macro_f1": 0.5}


def test_tables_by_hand() -> None:
    tables = run_tables(RESULT, PREDICTIONS, {"test": ["x" * 999, "y", "z"]}, 2)
    assert list(tables) == ["per_class", "reliability", "confusion_matrix", "predictions"]
    assert tables["per_class"].columns == ["label", "precision", "recall", "f1", "support", "predicted"]
    assert tables["confusion_matrix"].rows == [["❤", "❤", 1], ["❤", "😂", 0], ["😂", "❤", 1], ["😂", "😂", 1]]
    shown = tables["predictions"]
    assert shown.columns == ["row", "text", "true", "predicted", "confidence", "loss"]
    # Probability of the truth: 0.9, 0.3, 0.8; the lowest comes first.
    assert [row[:4] for row in shown.rows] == [["b", "y", "😂", "❤"], ["c", "z", "😂", "😂"]]
    np.testing.assert_allclose(
        [row[4:] for row in shown.rows], [[0.7, -np.log(0.3)], [0.8, -np.log(0.8)]], 1e-6
    )


def test_a_long_text_is_cut_and_none_is_needed() -> None:
    assert len(run_tables(RESULT, PREDICTIONS, {"test": ["x" * 999] * 3}, 1)["predictions"].rows[0][1]) == 300
    assert run_tables(RESULT, PREDICTIONS, {}, 1)["predictions"].rows[0][1] == ""
    assert "predictions" not in run_tables(RESULT, PREDICTIONS, {}, 0)


def test_without_a_test_split_validation_is_shown() -> None:
    result = {**RESULT, "validation": RESULT["test"], "test": None}
    tables = run_tables(result, {"validation": PREDICTIONS["test"]}, {}, 0)
    assert [row[0] for row in tables["per_class"].rows] == ["❤", "😂"]


def test_several_labels_have_no_confusion_matrix() -> None:
    per_class = RESULT["test"]["per_class"]  # type: ignore[index]
    result = {**RESULT, "task": "multilabel", "test": {"per_class": per_class}}
    predictions = {"test": (["a"], np.array([[1, 0]], dtype=np.uint8), PROBABILITIES[:1])}
    tables = run_tables(result, predictions, {}, 1)
    assert "confusion_matrix" not in tables and "yardsticks" not in tables
    assert tables["predictions"].rows[0][2:4] == ["❤", "❤"]


def test_several_labels_are_decided_as_the_run_decides_and_stand_beside_constant_answers() -> None:
    per_class = RESULT["test"]["per_class"]  # type: ignore[index]
    decision = {"name": "tuned", "thresholds": [0.95, 0.05], "tuned_f1": "macro", "at_least_one": False}
    yardsticks = {"answers nothing": {"micro_f1": 0.0}, "answers everything": {"micro_f1": 0.4}}
    test = {"per_class": per_class, "micro_f1": 0.7, "decision": decision, "yardsticks": yardsticks}
    probabilities = np.array([[0.9, 0.1]], dtype=np.float32)
    predictions = {"test": (["a"], np.array([[1, 0]], dtype=np.uint8), probabilities)}
    tables = run_tables({**RESULT, "task": "multilabel", "test": test}, predictions, {}, 1)
    assert tables["predictions"].rows[0][2:4] == ["❤", "😂"]
    assert tables["yardsticks"].columns == ["metric", "this run", "answers nothing", "answers everything"]
    assert tables["yardsticks"].rows == [["micro_f1", 0.7, 0.0, 0.4]]


# --- the worst predictions


def test_worst_predictions_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.6, 0.4]])
    # Probability of the truth: 0.1, 0.8, 0.4, 0.4.
    assert worst_predictions(np.array([1, 1, 1, 1]), probabilities, 3).tolist() == [0, 2, 3]


def test_worst_predictions_of_several_labels_by_hand() -> None:
    probabilities = np.array([[0.5, 0.5], [0.9, 0.9], [0.1, 0.9]])
    targets = np.array([[1, 0], [1, 0], [1, 0]])
    # Product of the probabilities of the right answers: 0.25, 0.09, 0.01.
    assert worst_predictions(targets, probabilities, 9).tolist() == [2, 1, 0]


def test_certain_and_wrong_is_finite() -> None:
    assert worst_predictions(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]), 1).tolist() == [0]
