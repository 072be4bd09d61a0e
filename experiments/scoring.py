"""Metrics of kept answers, as they are or as a resample weighs the rows.

A table's numbers come from results. Here they are computed once more, so that they can be verified, read on
a part of the rows, and given intervals. All are ratios of sums over rows, so any number of resamples is one
product with the rows' weights. Ratios follow `emoji_pred.metrics`: 0 / 0 is 0, but a row without labels that
is given none is right.

Shapes: N rows, C classes, R resamples.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.keeping import Answers

Floats = NDArray[np.float64]
OF_CLASSES = ("precision", "recall", "f1")
AVERAGES = ("macro", "weighted", "micro")
COUNTS = ("zeroed_classes", "never_predicted")
EXAMPLE, SMOOTHED = "example_", "paper_smoothed_"
_FRACTION = re.compile(
    r"(.*_)?(precision|recall|f1|accuracy)|top_\d+|exact_match|hamming_loss|ece|"
    r"label_ranking_average_precision"
)
# Every metric of a split that a result holds, by its path.
_OF_SPLIT = re.compile(
    r"(macro|weighted|micro)_(precision|recall|f1)|samples_f1|top_class_(precision|recall)|top_\d+|"
    r"(example|paper_smoothed)_(accuracy|precision|recall|f1)|accuracy|exact_match|hamming_loss|ece|loss|"
    r"label_ranking_average_precision|zeroed_classes|never_predicted|labels_per_row|given_per_row|"
    r"rows_without_label|rows_given_none|per_class/[^/]+/(precision|recall|f1|support|predicted)"
)


class NoSuchMetric(LookupError):
    """A metric that cannot be computed from the kept answers."""


@dataclass(frozen=True)
class Counts:
    """Of each class in each resample, (R, C): rows that have it and are given it, are given it, have it."""

    hits: Floats
    given: Floats
    wanted: Floats


def is_fraction(path: str) -> bool:
    """Whether a metric lies in [0, 1] whatever was answered, by its path in a result."""
    return _FRACTION.fullmatch(path.rpartition("/")[2]) is not None


def is_of_split(path: str) -> bool:
    """Whether a result holds a metric by this path, of one label a row or of several."""
    return _OF_SPLIT.fullmatch(path) is not None


def class_counts(answers: Answers, classes: int, weights: NDArray[np.floating] | None = None) -> Counts:
    """What all metrics of classes are made of; the slow part of them, worth keeping for several metrics.

    Args:
        answers: of a split; its own weights count in each resample.
        classes: C.
        weights: (R, N) how often a row stands in a resample; None: once, R = 1.
    """
    weighed = _weighed(answers, weights)
    if answers.truth.ndim > 1:
        truth, given = answers.truth.astype(bool), answers.given.astype(bool)
        return Counts(*(weighed @ part.astype(np.float64) for part in (truth & given, given, truth)))
    confusion = _confusion(answers, weighed, classes)  # (R, C, C), a row is the true class
    hits = confusion.diagonal(axis1=1, axis2=2).copy()  # a view would keep all the rest, 31 MB of 62 classes
    return Counts(hits, confusion.sum(axis=1), confusion.sum(axis=2))


def score(
    answers: Answers,
    path: str,
    labels: Sequence[str],
    top_class: str | None = None,
    weights: NDArray[np.floating] | None = None,
    counts: Counts | None = None,
) -> Floats:
    """A metric of a split, one value for each resample.

    Args:
        answers: of the split; its own weights count in each resample.
        path: as in a result, such as `macro_f1`, `per_class/❤/f1` or `example_accuracy`.
        labels: C names, in class order.
        top_class: the largest class of the training rows, for the metrics of that class.
        weights: (R, N) how often a row stands in a resample; None: once, R = 1.
        counts: `class_counts` of these answers and weights, where they are at hand.

    Returns:
        (R,) fractions, or counts of a metric that is one.

    Raises:
        NoSuchMetric: the answers do not hold what it needs, or resamples say nothing of it.
    """
    if path in COUNTS and weights is not None:
        raise NoSuchMetric(f"{path}: a resample leaves rare classes out, so it says nothing of this count")
    name = path.removeprefix("top_class_")
    if name != path:
        path = f"per_class/{top_class}/{name}"
    if counts is not None and answers.truth.ndim == 1 and path in ("accuracy", "top_1"):
        return _ratio(counts.hits.sum(axis=1), counts.wanted.sum(axis=1))  # without a look at the rows
    of_rows = _of_one_label if answers.truth.ndim == 1 else _of_many_labels
    found = of_rows(answers, path, _weighed(answers, weights))
    if found is not None:
        return found
    return _of_counts(path, labels, counts or class_counts(answers, len(labels), weights))


def _weighed(answers: Answers, weights: NDArray[np.floating] | None) -> NDArray[np.floating]:
    """(R, N) what each row counts in each resample."""
    weighed = np.ones((1, len(answers.truth))) if weights is None else weights
    return weighed if answers.weights is None else weighed * answers.weights


def _of_one_label(answers: Answers, path: str, weights: NDArray[np.floating]) -> Floats | None:
    """A metric that looks at rows; None: it looks at classes."""
    if path in ("accuracy", "top_1"):
        return _mean(answers.truth == answers.given, weights)
    if path.startswith("top_"):
        if answers.ranks is None:
            raise NoSuchMetric(f"{path}: the ranks of this run were not kept")
        return _mean(answers.ranks <= int(path.removeprefix("top_")), weights)
    return None


def _confusion(answers: Answers, weights: NDArray[np.floating], classes: int) -> Floats:
    """(R, C, C) sums of the weights of the rows of each true and each given class, by one product."""
    from scipy.sparse import csr_array

    rows = len(answers.truth)
    ones = np.ones(rows, dtype=weights.dtype)  # of float32 weights, whole numbers stay exact
    pair = answers.truth * classes + answers.given
    of_pair = csr_array((ones, (pair, np.arange(rows))), shape=(classes**2, rows))
    return np.asarray(of_pair @ weights.T, dtype=np.float64).T.reshape(-1, classes, classes)


def _of_many_labels(answers: Answers, path: str, weights: NDArray[np.floating]) -> Floats | None:
    truth, given = answers.truth.astype(bool), answers.given.astype(bool)
    if path in ("accuracy", "exact_match"):
        return _mean((truth == given).all(axis=1), weights)
    if path == "hamming_loss":
        return _mean((truth != given).mean(axis=1), weights)
    if path == "label_ranking_average_precision":
        return _mean(_ranking_precision(answers), weights)
    if path == "samples_f1":
        nothing = ~(truth | given).any(axis=1)
        rows = _ratio(2 * (truth & given).sum(axis=1), truth.sum(axis=1) + given.sum(axis=1))
        return _mean(np.where(nothing, 1.0, rows), weights)
    for prefix, plus in ((EXAMPLE, 0), (SMOOTHED, 1)):
        if path.startswith(prefix):
            return _of_examples(path.removeprefix(prefix), truth, given, plus, weights)
    for name, part in (("labels_per_row", truth), ("given_per_row", given)):
        if path == name:
            return _mean(part.sum(axis=1), weights)
    for name, part in (("rows_without_label", truth), ("rows_given_none", given)):
        if path == name:
            return weights @ (~part.any(axis=1)).astype(np.float64)
    return None


def _of_examples(
    name: str, truth: NDArray[np.bool_], given: NDArray[np.bool_], plus: int, weights: NDArray[np.floating]
) -> Floats:
    """The emothreat paper's equations 7 to 10, with `plus` added above and below in each ratio."""
    if name == "f1":
        precision, recall = (
            _of_examples(part, truth, given, plus, weights) for part in ("precision", "recall")
        )
        return _ratio(2 * precision * recall, precision + recall)
    below = {"accuracy": truth | given, "precision": given, "recall": truth}
    if name not in below:
        raise NoSuchMetric(f"no metric of rows is called {name}")
    above, under = (truth & given).sum(axis=1) + plus, below[name].sum(axis=1) + plus
    nothing = (truth | given).sum(axis=1) + plus == 0  # no label, and none given
    return _mean(np.where(nothing, 1.0, _ratio(above, under)), weights)


def _ranking_precision(answers: Answers) -> Floats:
    """(N,) of each row: the mean over its labels of the share of labels among those ranked as high."""
    if answers.probabilities is None:
        raise NoSuchMetric("label_ranking_average_precision: the probabilities of this run were not kept")
    truth, scores = answers.truth.astype(bool), answers.probabilities
    as_high = scores[:, None, :] >= scores[:, :, None]  # (N, C, C): whether the last stands as high
    share = (as_high & truth[:, None, :]).sum(axis=2) / as_high.sum(axis=2)
    return np.where(truth.any(axis=1), _ratio((share * truth).sum(axis=1), truth.sum(axis=1)), 1.0)


def _of_counts(path: str, labels: Sequence[str], counts: Counts) -> Floats:
    """Precision, recall and F1 of a class, or averaged."""
    hits, given, wanted = counts.hits, counts.given, counts.wanted
    if path in COUNTS:
        unseen = given == 0 if path == "never_predicted" else (wanted > 0) & (given == 0)
        return unseen.sum(axis=1).astype(np.float64)
    if path.startswith("per_class/"):
        _, label, name = (*path.split("/"), "", "")[:3]
        if label not in labels:
            raise NoSuchMetric(f"there is no class {label}")
        place = [list(labels).index(label)]
        if name in ("support", "predicted"):
            return (wanted if name == "support" else given)[:, place[0]]
        if name not in OF_CLASSES:
            raise NoSuchMetric(f"no metric of a class is called {name}")
        return _figure(name, hits[:, place], given[:, place], wanted[:, place])[:, 0]
    average, _, name = path.partition("_")
    if average not in AVERAGES or name not in OF_CLASSES:
        raise NoSuchMetric(f"no metric is called {path}")
    if average == "micro":
        return _figure(name, *(part.sum(axis=1) for part in (hits, given, wanted)))
    values = _figure(name, hits, given, wanted)
    return (
        values.mean(axis=1)
        if average == "macro"
        else _ratio((values * wanted).sum(axis=1), wanted.sum(axis=1))
    )


def _figure(name: str, hits: Floats, given: Floats, wanted: Floats) -> Floats:
    above, below = {
        "precision": (hits, given),
        "recall": (hits, wanted),
        "f1": (2 * hits, given + wanted),
    }[name]
    return _ratio(above, below)


def _mean(values: NDArray[np.generic], weights: NDArray[np.floating]) -> Floats:
    # Sums of zeros and ones with whole weights are exact in float32 too, and nothing is copied.
    exact = weights.dtype if values.dtype == bool else np.float64
    return _ratio(weights @ values.astype(exact), weights.sum(axis=1))


def _ratio(above: NDArray[np.generic], below: NDArray[np.generic]) -> Floats:
    over, under = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(over, under, out=np.zeros_like(over), where=under != 0)
