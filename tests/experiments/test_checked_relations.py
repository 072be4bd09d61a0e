"""What the numbers of a result say of each other is checked where no answer gives them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tampered_runs import SAMPLE, copy_of, rewrite

from emoji_pred import runs
from experiments.checked_relations import (
    answers_of_confusion,
    bound_differences,
    count_differences,
    curve_differences,
)
from experiments.checked_runs import run_differences
from experiments.keeping import ANSWERS, RESULTS, kept

EARLY, LATER = (
    next(
        path.parent.name
        for path in sorted(RESULTS.glob(f"*/{ANSWERS}"))
        if ("rank" in pq.read_schema(path).names) is has_ranks
        and (run := kept(path.parent.name)) is not None
        and len(run.result["curves"]) > 2
    )
    for has_ranks in (False, True)
)


def test_answers_that_give_a_confusion_matrix() -> None:
    answers = answers_of_confusion([[2, 1], [0, 3]], 2)
    assert answers is not None
    assert (answers.truth.tolist(), answers.given.tolist()) == ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1])


@pytest.mark.parametrize("matrix", [None, "x", [[1]], [[1, 2], [3]], [[1, -1], [0, 1]], [[0.5, 1], [1, 1]]])
def test_what_is_no_confusion_matrix(matrix: object) -> None:
    assert answers_of_confusion(matrix, 2) is None


def tops(*values: float) -> dict[str, float]:
    return {"accuracy": 0.25} | dict(zip(("top_3", "top_5", "top_10"), values, strict=True))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.5, 0.5, 1), []),
        ((0.5, 0.25, 0.75), ["top_5 is 0.25, not between 0.5, of fewer places, and 1"]),
        ((0.5, 0.75, 1.25), ["top_10 is 1.25, not between 0.75, of fewer places, and 1"]),
        ((0.0, 0.5, 0.75), ["top_3 is 0.0, not between 0.25, of fewer places, and 1"]),
        ((0.3, 0.5, 0.75), ["top_3 is 0.3, no share of 4 rows"]),
    ],
)
def test_a_top_k_is_a_share_of_the_rows_and_none_below_the_one_before(
    values: tuple[float, ...], said: list[str]
) -> None:
    assert list(bound_differences(tops(*values), 4, 20)) == said


def test_with_as_many_places_as_classes_every_row_is_right() -> None:
    assert list(bound_differences(tops(0.5, 0.75, 1), 4, 6)) == []
    assert list(bound_differences(tops(0.5, 0.75, 0.75), 4, 6)) == ["top_10 is 0.75, of 6 classes"]


def trained(
    scores: list[float], losses: list[float], best: int, stopping: dict[str, Any] | None = None, **model: Any
) -> dict[str, Any]:
    """A result of as many epochs of 7 steps; of validation, what the best epoch has."""
    curves = [
        {
            "epoch": epoch,
            "step": 7 * (epoch + 1),
            "val_macro_f1": score,
            "val_loss": loss,
            "val_accuracy": 0.5,
        }
        for epoch, (score, loss) in enumerate(zip(scores, losses, strict=True))
    ]
    options = {"max_epochs": len(scores), "early_stopping": stopping, **model}
    return {
        "config": {"model": options, "trainer": {"max_steps": None}},
        "curves": curves,
        "best_epoch": best,
        "validation": {"macro_f1": scores[best], "loss": losses[best], "accuracy": 0.5},
        "provenance": {},
    }


def test_the_first_best_epoch_is_the_one_that_validation_is_of() -> None:
    assert curve_differences(trained([0.1, 0.3, 0.3], [3, 2, 1], 1)) == ([], 3)
    lines, compared = curve_differences(trained([0.1, 0.3, 0.3], [3, 2, 1], 2))
    assert (lines, compared) == (["best_epoch is 2, and epoch 1 has the first best val_macro_f1"], 3)
    for nowhere in (3, None, "1"):
        lines, compared = curve_differences(trained([0.1, 0.3, 0.3], [3, 2, 1], 1) | {"best_epoch": nowhere})
        assert (lines, compared) == (
            [f"best_epoch is {nowhere!r}, and epoch 1 has the first best val_macro_f1"],
            0,
        )
    changed = trained([0.1, 0.3, 0.2], [3, 2, 1], 1)
    changed["validation"] |= {"macro_f1": 0.31, "loss": 2.1, "accuracy": 0.51}
    assert curve_differences(changed)[0] == [
        "validation/accuracy is 0.51, and 0.5 in the curves at epoch 1",
        "validation/macro_f1 is 0.31, and 0.3 in the curves at epoch 1",
        "validation/loss is 2.1, and 2 in the curves at epoch 1",
    ]


def test_training_ends_where_the_configuration_ends_it() -> None:
    """The loss is best at epoch 1, so with a patience of 2 epochs training ends after epoch 3, the fourth."""
    losses, scores = [3, 2, 2.5, 2.0, 1.0], [0.5, 0.4, 0.3, 0.2, 0.1]
    of_loss = {"monitor": "val/loss", "patience": 2}
    assert curve_differences(trained(scores[:4], losses[:4], 0, of_loss, max_epochs=9))[0] == []
    for epochs in (3, 5):
        lines, _ = curve_differences(trained(scores[:epochs], losses[:epochs], 0, of_loss, max_epochs=9))
        ends = {3: 9, 5: 4}[epochs]
        assert lines == [f"the curves have {epochs} epochs, and training ends after {ends}"]
    of_score = {"monitor": "val/macro_f1", "patience": 2}  # which falls from the first epoch on
    assert curve_differences(trained(scores[:3], losses[:3], 0, of_score, max_epochs=9))[0] == []
    lines, _ = curve_differences(trained(scores, losses, 0, max_epochs=4))
    assert lines == ["the curves have 5 epochs, and training ends after 4"]
    limited = trained(scores[:2], losses[:2], 0, max_epochs=4)
    limited["config"]["trainer"]["max_steps"] = 14
    assert curve_differences(limited)[0] == []


def test_epochs_and_steps_go_on_without_a_gap() -> None:
    changed = trained([0.1, 0.3, 0.2], [3, 2, 1], 1)
    changed["curves"][2]["step"] += 1
    assert curve_differences(changed)[0] == ["the steps of the curves are not the same number in each epoch"]
    changed["curves"].pop(0)
    assert curve_differences(changed)[0] == ["the epochs of the curves do not count from 0 without a gap"]
    assert curve_differences({**changed, "curves": []})[0] == ["best_epoch is 1, and there are no curves"]
    assert curve_differences({**changed, "curves": [], "best_epoch": None}) == ([], 0)


def test_a_class_that_was_never_seen_is_only_left_out_in_the_end() -> None:
    changed = trained([0.1, 0.3, 0.2], [3, 2, 1], 1)
    changed["validation"]["accuracy"] = 0.625
    assert len(curve_differences(changed)[0]) == 1
    changed["provenance"] = {"class_counts": [5, 0]}
    assert curve_differences(changed) == ([], 0)


def counted(counts: list[int], task: str = "multiclass", top: str = "b") -> dict[str, Any]:
    return {
        "task": task,
        "label_names": ["a", "b"],
        "provenance": {"class_counts": counts, "rows": {"train": 10}},
        "test": {"top_class": top},
    }


def test_rows_of_the_classes_are_the_training_rows() -> None:
    assert list(count_differences(counted([4, 6]))) == list(count_differences({"label_names": ["a"]})) == []
    assert list(count_differences(counted([4, 7]))) == [
        "provenance.class_counts has 11 rows, of which provenance.rows counts 10"
    ]
    assert list(count_differences(counted([4, 7], "multilabel"))) == []
    for wrong in ([4, 11], [-1, 4], [10]):
        (line,) = count_differences(counted(wrong, "multilabel"))
        assert line == "provenance.class_counts is not of 2 classes in 10 training rows"
    (line,) = count_differences(counted([6, 4]))
    assert line == "test/top_class is b, and a by provenance.class_counts"


# --- of kept runs


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: copy_of(name, tmp_path)


def raise_by(amount: float, *path: str | int) -> Callable[[dict[str, Any]], None]:
    """Change a number of a result by its place in it."""

    def change(result: Any) -> None:
        for step in path[:-1]:
            result = result[step]
        result[path[-1]] += amount

    return change


@pytest.mark.parametrize(
    "change",
    [
        raise_by(1e-6, "validation", "weighted_recall"),
        raise_by(1e-6, "validation", "top_1"),
        raise_by(1e-6, "validation", "per_class", 3, "f1"),
        raise_by(1, "validation", "per_class", 3, "support"),
        raise_by(1e-3, "validation", "loss"),
        raise_by(1, "validation", "top_3"),
        raise_by(1e-6, "validation", "top_5"),
        raise_by(-1, "test", "top_10"),
        raise_by(-1, "curves", -1, "epoch"),
        raise_by(1, "curves", -1, "step"),
    ],
)
def test_a_number_without_answers_that_was_changed_is_named(
    copied: Callable[[str], Path], change: Callable[[dict[str, Any]], None]
) -> None:
    own = copied(EARLY)
    assert run_differences(own.parent)[0] == []
    assert len(rewrite(own, change)) == 1


def test_a_score_of_validation_stands_in_the_matrix_and_in_the_curves(copied: Callable[[str], Path]) -> None:
    own = copied(EARLY)
    lines = rewrite(own, lambda result: result["validation"].update(macro_f1=0.3))
    assert ["by the confusion matrix" in line for line in lines] == [True, False]
    assert "validation/macro_f1 is 0.3, and " in lines[1] and "in the curves at epoch" in lines[1]


def test_a_row_of_the_matrix_is_one_of_the_split(copied: Callable[[str], Path]) -> None:
    lines = rewrite(copied(EARLY), raise_by(1, "validation", "confusion_matrix", 0, 0))
    assert any("of which provenance.rows counts" in line for line in lines)
    assert any("validation/per_class/" in line and "/support is" in line for line in lines)


def test_a_matrix_of_another_form_is_named(copied: Callable[[str], Path]) -> None:
    (line,) = rewrite(copied(EARLY), lambda result: result["validation"]["confusion_matrix"].pop())
    assert "validation/confusion_matrix is none of 20 classes" in line


@pytest.mark.parametrize("name", [EARLY, LATER])
def test_a_point_of_the_curves_that_was_changed_is_named(copied: Callable[[str], Path], name: str) -> None:
    own = copied(name)
    best = kept(name).result["best_epoch"]  # type: ignore[union-attr]
    (line,) = rewrite(own, raise_by(1e-6, "curves", best, "val_accuracy"))
    assert "validation/accuracy is" in line and f"in the curves at epoch {best}" in line
    rewrite(own, raise_by(-1e-6, "curves", best, "val_accuracy"))
    other = (best + 1) % 3
    (line,) = [line for line in rewrite(own, raise_by(1, "curves", other, "val_macro_f1")) if "best" in line]
    assert f"best_epoch is {best}, and epoch {other} has the first best" in line


def test_training_rows_of_classes_that_were_changed_are_named(copied: Callable[[str], Path]) -> None:
    (line,) = rewrite(copied(SAMPLE), raise_by(1, "provenance", "class_counts", 0))
    assert line.startswith(f"runs/{SAMPLE}: provenance.class_counts has ")


def test_numbers_that_are_only_compared_are_counted(copied: Callable[[str], Path]) -> None:
    """Of 20 classes 5 numbers each, accuracy and top_1, and 9 averages; and 3 points of the curves."""
    own = copied(EARLY)
    assert run_differences(own.parent)[1].related == 20 * 5 + 2 + 9 + 3
    assert (own / runs.RESULT).is_file()
