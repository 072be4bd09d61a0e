"""Whether a kept result has every metric that a run of its task has, each of them a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emoji_pred import runs

OF_CLASSES = ("precision", "recall", "f1")
OF_AN_ENTRY = (*OF_CLASSES, "support", "predicted")
AVERAGED = tuple(f"{average}_{name}" for average in ("macro", "micro", "weighted") for name in OF_CLASSES)
OF_BOTH = ("accuracy", "ece", *AVERAGED)
OF_ROWS = ("accuracy", *OF_CLASSES)  # of several labels, by the equations and with +1
METRICS = {
    "multiclass": (*OF_BOTH, "top_1", "top_3", "top_5", "top_10"),
    "multilabel": (
        *(*OF_BOTH, "exact_match", "hamming_loss", "samples_f1", "label_ranking_average_precision"),
        *(f"{prefix}{name}" for prefix in ("example_", "paper_smoothed_") for name in OF_ROWS),
        *("labels_per_row", "given_per_row", "rows_without_label", "rows_given_none"),
    ),
}
# What results have since ranks are kept with the answers.
LATER = ("zeroed_classes", "never_predicted", "top_class_recall", "top_class_precision")


def lacking_metrics(result: Mapping[str, Any], split: str, before_ranks: bool) -> Iterator[str]:
    """What a split of a result lacks, in words.

    Args:
        result: of a run.
        split: that the result has.
        before_ranks: whether it was kept before ranks were.
    """
    figures = result[split]
    wanted = [*METRICS[result["task"]], *(() if before_ranks else LATER)]
    if not runs.is_linear(result["config"]):
        wanted.append("loss")
    yield from (
        f"{split}/{name} is not there, or no number" for name in wanted if not _is_number(figures, name)
    )
    if result["task"] == "multiclass" and not isinstance(figures.get("confusion_matrix"), list):
        yield f"{split}/confusion_matrix is not there"
    yield from _of_entries(figures.get("per_class", ()), split, result["label_names"])


def _of_entries(entries: Sequence[Mapping[str, Any]], split: str, labels: Sequence[str]) -> Iterator[str]:
    if [entry.get("label") for entry in entries] != list(labels):
        yield f"{split}/per_class is not of the labels, in their order"
        return
    for entry in entries:
        for name in OF_AN_ENTRY:
            if not _is_number(entry, name):
                yield f"{split}/per_class/{entry['label']}/{name} is not there, or no number"


def _is_number(figures: Mapping[str, Any], name: str) -> bool:
    value = figures.get(name)
    return isinstance(value, int | float) and not isinstance(value, bool)
