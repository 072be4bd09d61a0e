"""Whether the numbers of a result fit to each other: what can be said of those that no kept answer gives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.keeping import Answers

TOLERANCE = 1e-9  # of a fraction: sums taken in another order
OF_A_LOSS = 1e-6  # relative: of float32
# Of validation, and in the curves at the epoch that was chosen.
IN_CURVES = ("accuracy", "macro_f1", "loss")
CHOSEN_BY = "val_macro_f1"
TOPS = (3, 5, 10)  # top_1 is the accuracy, which is computed


def answers_of_confusion(matrix: Any, classes: int) -> Answers | None:
    """Answers that give a confusion matrix, from which all metrics but ranks and calibration follow.

    Args:
        matrix: (C, C) rows of each true and each given class.
        classes: C.

    Returns:
        None: it is no such matrix.
    """
    try:
        counts = np.array(matrix, dtype=object).reshape(classes, classes)
    except ValueError:
        return None
    if not all(type(count) is int and count >= 0 for count in counts.flat):
        return None
    truth, given = np.divmod(np.repeat(np.arange(classes**2), counts.ravel().astype(np.int64)), classes)
    return Answers(truth, given, None, None, "")


def bound_differences(figures: Mapping[str, Any], rows: int | None, classes: int) -> Iterator[str]:
    """What the top-k of a split cannot be: each is a share of the rows, none below the one before.

    Args:
        figures: of a split whose ranks were not kept.
        rows: of the split; None: that is not known.
        classes: C; with k that many, every row is right.
    """
    before = figures["accuracy"]
    for top in TOPS:
        value = figures[f"top_{top}"]
        if not before - TOLERANCE <= value <= 1 + TOLERANCE:
            yield f"top_{top} is {value!r}, not between {before!r}, of fewer places, and 1"
            continue
        before = value
        if top >= classes and abs(value - 1) > TOLERANCE:
            yield f"top_{top} is {value!r}, of {classes} classes"
        elif rows and abs(value * rows - round(value * rows)) > TOLERANCE * rows:
            yield f"top_{top} is {value!r}, no share of {rows} rows"


def curve_differences(result: Mapping[str, Any]) -> tuple[list[str], int]:
    """Whether the curves fit to the configuration, to the epoch that was chosen and to validation.

    Returns:
        What differs, in words, and how many numbers of the curves were compared with those of validation.
    """
    curves, best = result["curves"] or [], result["best_epoch"]
    if not curves:
        return [] if best is None else [f"best_epoch is {best!r}, and there are no curves"], 0
    if [point["epoch"] for point in curves] != list(range(len(curves))):
        return ["the epochs of the curves do not count from 0 without a gap"], 0
    lines = list(_length_differences(result["config"], curves))
    steps = [point["step"] for point in curves]
    if steps != [steps[0] * (place + 1) for place in range(len(steps))]:
        lines.append("the steps of the curves are not the same number in each epoch")
    chosen = int(np.argmax(_column(curves, CHOSEN_BY)))
    if best != chosen:
        lines.append(f"best_epoch is {best!r}, and epoch {chosen} has the first best {CHOSEN_BY}")
    if best not in range(len(curves)):
        return lines, 0
    if 0 in result.get("provenance", {}).get("class_counts", ()):
        return lines, 0  # a class without training rows is only then no answer
    validation = result.get("validation") or {}
    for name in IN_CURVES:
        stored, there = validation.get(name), curves[best][f"val_{name}"]
        if not isinstance(stored, int | float):
            continue  # which is said of the split
        if not math.isclose(stored, there, rel_tol=OF_A_LOSS if name == "loss" else 0, abs_tol=TOLERANCE):
            lines.append(f"validation/{name} is {stored!r}, and {there!r} in the curves at epoch {best}")
    return lines, len(IN_CURVES)


def _column(curves: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """(E,) a figure of each epoch, in the precision in which training compares them."""
    return np.array([point[name] for point in curves], dtype=np.float32)


def _length_differences(config: Mapping[str, Any], curves: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    model = config["model"]
    most, stopping = model["max_epochs"], model["early_stopping"]
    if config["trainer"].get("max_steps"):  # how many epochs that allows hangs on the batches of one
        if len(curves) > most:
            yield f"the curves have {len(curves)} epochs of {most}"
        return
    if stopping:
        figures = _column(curves, stopping["monitor"].replace("/", "_"))
        sign = 1 if stopping["monitor"] == "val/loss" else -1
        most = min(most, _stopped_after(sign * figures, stopping["patience"]))
    if len(curves) != most:
        yield f"the curves have {len(curves)} epochs, and training ends after {most}"


def _stopped_after(figures: np.ndarray, patience: int) -> int | float:
    """Epochs until a figure, the less the better, had not improved for `patience` of them."""
    best, since = np.inf, 0
    for epoch, figure in enumerate(figures, 1):
        best, since = (figure, 0) if figure < best else (best, since + 1)
        if since >= patience:
            return epoch
    return math.inf


def count_differences(result: Mapping[str, Any]) -> Iterator[str]:
    """Whether the training rows of each class fit to all training rows, and to the largest class."""
    provenance, labels = result.get("provenance", {}), result["label_names"]
    counts, rows = provenance.get("class_counts"), provenance.get("rows", {}).get("train")
    if counts is None or rows is None:  # of before they were kept; or said elsewhere
        return
    if len(counts) != len(labels) or not all(0 <= count <= rows for count in counts):
        yield f"provenance.class_counts is not of {len(labels)} classes in {rows} training rows"
    elif result["task"] == "multiclass" and sum(counts) != rows:
        yield f"provenance.class_counts has {sum(counts)} rows, of which provenance.rows counts {rows}"
    else:
        largest = labels[int(np.argmax(counts))]
        for split in ("validation", "test"):
            named = result.get(split, {}).get("top_class", largest)
            if named != largest:
                yield f"{split}/top_class is {named}, and {largest} by provenance.class_counts"
