"""Metrics of several labels a text that look at rows, not at classes; numpy, float64.

The emothreat paper's equations 7 to 10, the same as its authors' notebook computes them, the ranking of
labels, and what constant answers reach under each of them.

A row's ratio may be 0 / 0. Here a row that has no label and is given none is answered rightly and counts 1 in
each ratio; where only one of the two is empty, the ratio that has 0 below counts 0. (scikit-learn with
`zero_division=0` counts 0 for both, and is equal on all other rows.)

Shapes: N rows, C classes. All values are fractions in [0, 1].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

# What a constant answer is called; the last two are of the training rows.
NOTHING, EVERYTHING = "answers nothing", "answers everything"
MAJORITY_LABEL, MAJORITY_SET = "always the most frequent label", "always the most frequent set"


def of_examples(given: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """The metrics that count rows.

    With Y the labels of a row and Z those it is given, means over the rows of |Y n Z| / |Y u Z| (accuracy,
    equation 7), |Y n Z| / |Z| (precision, 8) and |Y n Z| / |Y| (recall, 9), and the harmonic mean of these
    two means (F1, 10). The notebook adds 1 above and below in each ratio.

    Args:
        given: (N, C) zeros and ones.
        truth: likewise.

    Returns:
        example_{accuracy,precision,recall,f1} by the equations; samples_f1, the mean of the rows' own F1, as
        scikit-learn's `average="samples"`; paper_smoothed_{accuracy,precision,recall,f1} as in the notebook;
        labels_per_row and given_per_row; rows_without_label and rows_given_none, which are counts.
    """
    given, truth = (np.asarray(part).astype(bool) for part in (given, truth))
    both, either = (given & truth).sum(axis=1), (given | truth).sum(axis=1)
    given_count, truth_count = given.sum(axis=1), truth.sum(axis=1)
    below = {"accuracy": either, "precision": given_count, "recall": truth_count}
    exact = {name: float(_ratios(both, counts, either).mean()) for name, counts in below.items()}
    smoothed = {name: float(((both + 1) / (counts + 1)).mean()) for name, counts in below.items()}
    return {
        **{f"example_{name}": value for name, value in exact.items()},
        "example_f1": _harmonic(exact["precision"], exact["recall"]),
        "samples_f1": samples_f1(given, truth),
        **{f"paper_smoothed_{name}": value for name, value in smoothed.items()},
        "paper_smoothed_f1": _harmonic(smoothed["precision"], smoothed["recall"]),
        "labels_per_row": float(truth_count.mean()),
        "given_per_row": float(given_count.mean()),
        "rows_without_label": int((truth_count == 0).sum()),
        "rows_given_none": int((given_count == 0).sum()),
    }


def macro_f1(given: Bools, truth: Bools) -> float:
    """The mean over classes of their F1: given (N, C), truth (N, C); 0 of a class in neither."""
    return float(_f1((given & truth).sum(axis=0), given.sum(axis=0), truth.sum(axis=0)).mean())


def micro_f1(given: Bools, truth: Bools) -> float:
    """F1 over all labels of all rows."""
    return float(_f1((given & truth).sum(), given.sum(), truth.sum()))


def samples_f1(given: Bools, truth: Bools) -> float:
    """The mean over rows of their F1."""
    rows = _f1((given & truth).sum(axis=1), given.sum(axis=1), truth.sum(axis=1))
    return float(np.where((given | truth).any(axis=1), rows, 1.0).mean())


def _f1(hits: Any, given: Any, wanted: Any) -> Any:
    return 2 * hits / np.maximum(given + wanted, 1)


def _ratios(hits: NDArray[Any], below: NDArray[Any], either: NDArray[Any]) -> Floats:
    """(N,) hits / below; 0 where there is nothing below, but 1 where a row has no label and is given none."""
    ratios: Floats = np.where(either == 0, 1.0, hits / np.maximum(below, 1))
    return ratios


def _harmonic(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def ranking_precision(probabilities: ArrayLike, truth: ArrayLike) -> float:
    """Label-ranking average precision: of the labels ranked as high as a true one, how many are true.

    Mean over the true labels of a row, then over the rows. As in scikit-learn, equal probabilities share the
    worst of their ranks, and a row that has no label, or all, counts 1.

    Args:
        probabilities: (N, C).
        truth: (N, C) zeros and ones.
    """
    scores, wanted = np.asarray(probabilities, dtype=np.float64), np.asarray(truth).astype(bool)
    sums = np.zeros(len(scores))
    for c in range(scores.shape[1]):  # a table of N x C x C would not fit in memory
        as_high = scores >= scores[:, [c]]
        true_as_high = (as_high & wanted).sum(axis=1)
        sums += np.where(wanted[:, c], true_as_high / as_high.sum(axis=1), 0.0)
    count = wanted.sum(axis=1)
    ranks = (count > 0) & (count < scores.shape[1])
    return float(np.where(ranks, sums / np.maximum(count, 1), 1.0).mean())


def of_answers(given: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """Every metric that needs no probabilities: of a constant answer, or of a rule's.

    Args:
        given: (N, C) zeros and ones.
        truth: likewise.

    Returns:
        macro_f1, micro_f1, weighted_f1, exact_match, hamming_loss as in `metrics.evaluate`, those of
        `of_examples`, and label_ranking_average_precision with the answers as probabilities.
    """
    given, truth = (np.asarray(part).astype(bool) for part in (given, truth))
    support = truth.sum(axis=0)
    of_classes = _f1((given & truth).sum(axis=0), given.sum(axis=0), support)
    return {
        "macro_f1": macro_f1(given, truth),
        "micro_f1": micro_f1(given, truth),
        "weighted_f1": float((of_classes * support).sum() / max(support.sum(), 1)),
        "exact_match": float((given == truth).all(axis=1).mean()),
        "hamming_loss": float((given != truth).mean()),
        **of_examples(given, truth),
        "label_ranking_average_precision": ranking_precision(given, truth),
    }


def paired_bootstrap(
    truth: ArrayLike, first: ArrayLike, second: ArrayLike, resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Differences second - first of metrics with their 95 % intervals over resampled rows.

    The rows are drawn with replacement, the same for both (Efron and Tibshirani 1993).

    Args:
        truth: (N, C) zeros and ones.
        first: (N, C) what one run gives.
        second: (N, C) what the other gives.
        resamples: draws.
        seed: of the draws.

    Returns:
        For macro_f1, micro_f1, exact_match, example_accuracy, example_f1 and paper_smoothed_f1: (difference,
        lower, upper).
    """
    wanted = np.asarray(truth).astype(bool)
    rng, rows = np.random.default_rng(seed), len(wanted)
    parts = [_parts_by_row(np.asarray(given).astype(bool), wanted) for given in (first, second)]
    pairs = []
    for draw in range(resamples + 1):  # the first are the rows as they are; one at a time is in memory
        drawn = rng.integers(rows, size=rows) if draw else np.arange(rows)
        weights = np.bincount(drawn, minlength=rows).astype(float)
        pairs.append([_of_parts(weights @ part / rows, wanted.shape[1]) for part in parts])
    found = {}
    for name in pairs[0][0]:
        values = [two[name] - one[name] for one, two in pairs]
        lower, upper = np.quantile(values[1:], (0.025, 0.975))
        found[name] = (values[0], float(lower), float(upper))
    return found


def _parts_by_row(given: Bools, truth: Bools) -> Floats:
    """(N, 3 C + 6): of each row what the means of `_of_parts` are taken of."""
    both, either = (given & truth).sum(axis=1), (given | truth).sum(axis=1)
    below = [either, given.sum(axis=1), truth.sum(axis=1)]
    columns = [_ratios(both, counts, either) for counts in below]
    columns += [(both + 1) / (counts + 1) for counts in below[1:]]
    columns += [(given == truth).all(axis=1)]
    return np.hstack([given & truth, given, truth, np.stack(columns, axis=1)]).astype(np.float64)


def _of_parts(means: Floats, classes: int) -> dict[str, float]:
    hits, given, wanted = means[: 3 * classes].reshape(3, classes)
    below = np.where(given + wanted > 0, given + wanted, 1.0)
    accuracy, precision, recall, smoothed_precision, smoothed_recall, exact = means[3 * classes :].tolist()
    return {
        "macro_f1": float((2 * hits / below).mean()),
        "micro_f1": float(2 * hits.sum() / ((given + wanted).sum() or 1.0)),
        "exact_match": exact,
        "example_accuracy": accuracy,
        "example_f1": _harmonic(precision, recall),
        "paper_smoothed_f1": _harmonic(smoothed_precision, smoothed_recall),
    }


def yardsticks(train: ArrayLike, truth: ArrayLike) -> dict[str, dict[str, float]]:
    """What constant answers reach on a split: a model must be better, under a metric that means something.

    Args:
        train: (M, C) zeros and ones, the labels of the training rows, whose most frequent label and most
            frequent set of labels are taken (of equal ones, the first in the order of classes, or of rows).
        truth: (N, C) the labels of the split.

    Returns:
        For `answers nothing`, `answers everything`, `always the most frequent label` and `always the most
        frequent set` the metrics of `of_answers`.
    """
    wanted = np.asarray(truth).astype(bool)
    answers = constant_answers(train)
    return {name: of_answers(np.broadcast_to(row, wanted.shape), wanted) for name, row in answers.items()}


def constant_answers(train: ArrayLike) -> dict[str, Bools]:
    """The answers of `yardsticks`, each (C,), of training labels (M, C)."""
    labels = np.asarray(train).astype(bool)
    classes = labels.shape[1]
    sets, first, counts = np.unique(labels, axis=0, return_index=True, return_counts=True)
    return {
        NOTHING: np.zeros(classes, dtype=bool),
        EVERYTHING: np.ones(classes, dtype=bool),
        MAJORITY_LABEL: np.arange(classes) == labels.sum(axis=0).argmax(),
        MAJORITY_SET: sets[np.lexsort((first, -counts))[0]],
    }
