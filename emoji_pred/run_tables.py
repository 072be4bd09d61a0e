"""Tables of a finished run as plain rows, for every logger that shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emoji_pred.decision import HALF, Decision
from emoji_pred.runs import SplitPredictions

SHOWN_TEXT = 300  # characters of a text in the table of predictions


@dataclass(frozen=True)
class RowTable:
    """A table: names of the columns, and rows of numbers and words."""

    columns: list[str]
    rows: list[list[Any]]


def known_digits(metrics: Mapping[str, float]) -> dict[str, float]:
    """The figures of an epoch as Lightning hands them on, in float32: seven digits are all it knows."""
    return {name: float(f"{value:.7g}") for name, value in metrics.items()}


def scalars(result: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of both splits that are single numbers, as `test/macro_f1` and so on."""
    return {
        f"{split}/{name}": value
        for split in ("validation", "test")
        for name, value in (result.get(split) or {}).items()
        if isinstance(value, int | float)
    }


def last_split(result: Mapping[str, Any]) -> str:
    """The split whose tables are shown: test, or validation where there is no test."""
    return "test" if result.get("test") else "validation"


def run_tables(
    result: Mapping[str, Any],
    predictions: Mapping[str, SplitPredictions],
    texts: Mapping[str, Sequence[str]],
    shown_predictions: int,
) -> dict[str, RowTable]:
    """Every table of the split that was evaluated last.

    Args:
        result: the content of `result.json`.
        predictions: for each split row ids, targets (N,) or (N, C), probabilities (N, C).
        texts: the texts of the splits, in the rows' order; without them predictions are shown by row id.
        shown_predictions: rows of the table `predictions`, worst first; 0 leaves it out.

    Returns:
        `per_class` (precision, recall, F1, support), `reliability` (confidence and accuracy of each bin that
        holds rows), `confusion_matrix` for one label per text (true, predicted, rows), `yardsticks` for
        several (each metric of the run beside what constant answers reach), and `predictions`.
    """
    import torch

    from emoji_pred.metrics import reliability

    split = last_split(result)
    metrics, label_names = result[split], result["label_names"]
    row_ids, targets, probabilities = predictions[split]
    tables = {"per_class": _of_mappings(metrics["per_class"])}
    bins = reliability(torch.tensor(probabilities), torch.tensor(targets), result["task"])
    tables["reliability"] = _of_mappings(bins)
    if "confusion_matrix" in metrics:
        tables["confusion_matrix"] = _confusion(metrics["confusion_matrix"], label_names)
    if "yardsticks" in metrics:
        tables["yardsticks"] = _beside(metrics, metrics["yardsticks"])
    if shown_predictions:
        decision = Decision.from_plain(metrics["decision"]) if metrics.get("decision") else None
        rows = worst_predictions(targets, probabilities, shown_predictions)
        tables["predictions"] = RowTable(
            ["row", "text", "true", "predicted", "confidence", "loss"],
            [
                [row_ids[row], texts[split][row][:SHOWN_TEXT] if split in texts else "", *cells]
                for row, *cells in _prediction_rows(rows, targets, probabilities, label_names, decision)
            ],
        )
    return tables


def _of_mappings(rows: Sequence[Mapping[str, Any]]) -> RowTable:
    return RowTable(list(rows[0]), [list(row.values()) for row in rows])


def _beside(metrics: Mapping[str, Any], yardsticks: Mapping[str, Mapping[str, float]]) -> RowTable:
    names = list(next(iter(yardsticks.values())))
    rows = [[name, metrics[name], *(of_one[name] for of_one in yardsticks.values())] for name in names]
    return RowTable(["metric", "this run", *yardsticks], rows)


def _confusion(counts: Sequence[Sequence[int]], label_names: Sequence[str]) -> RowTable:
    rows = [
        [label_names[truth], label_names[predicted], count]
        for truth, row in enumerate(counts)
        for predicted, count in enumerate(row)
    ]
    return RowTable(["true", "predicted", "rows"], rows)


def worst_predictions(targets: np.ndarray, probabilities: np.ndarray, count: int) -> np.ndarray:
    """The rows with the highest loss, highest first; equal ones in the order of the rows."""
    return np.argsort(-_row_losses(targets, probabilities), kind="stable")[:count]


def _row_losses(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(N,) cross-entropy of each row, or the sum of the binary ones."""
    likelihood = np.clip(probabilities.astype(np.float64), 1e-12, 1 - 1e-12)
    if targets.ndim == 1:
        return -np.log(likelihood[np.arange(len(targets)), targets])
    return -np.where(targets.astype(bool), np.log(likelihood), np.log1p(-likelihood)).sum(axis=1)


def _prediction_rows(
    rows: np.ndarray,
    targets: np.ndarray,
    probabilities: np.ndarray,
    label_names: Sequence[str],
    decision: Decision | None,
) -> list[list[Any]]:
    """Row, true labels, predicted labels, confidence, loss."""
    decision = decision or Decision("fixed", (HALF,) * len(label_names))
    losses = _row_losses(targets, probabilities)
    table = []
    for row in rows.tolist():
        scores = probabilities[row]
        if targets.ndim == 1:
            truth, answer = label_names[targets[row]], label_names[int(scores.argmax())]
        else:
            given = decision.labels(scores[None, :])[0]
            truth = " ".join(label_names[c] for c in np.flatnonzero(targets[row]).tolist())
            answer = " ".join(label_names[c] for c in np.flatnonzero(given).tolist())
        table.append([row, truth, answer, float(scores.max()), float(losses[row])])
    return table
