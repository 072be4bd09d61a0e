"""Linear models of n-grams, one label against the rest: fitted by scikit-learn, kept as plain arrays.

Naive Bayes, a linear SVM and logistic regression all end in one margin for each label, `x @ w + b`, whose
sign or size is their decision. So one class holds all three, and one file.

Shapes: N texts, F features, C labels.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from emoji_pred.models.calibration import Calibration, margin_probabilities, rounded
from emoji_pred.models.ngrams import KINDS, Ngrams

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Link = Literal["logistic", "softmax"]
SEVERAL_PROCESSES = 20_000_000  # stored features times labels from which they pay
NEVER, FITTED, ALWAYS = -1, 0, 1  # what the training rows say of a label


@dataclass(frozen=True)
class LinearClassifier:
    """A fitted model.

    Attributes:
        ngrams: one or two kinds; their columns stand side by side.
        weights: (F, C) float64.
        intercepts: (C,) float64.
        known: (C,) int8: `FITTED`; `NEVER` in the training rows, and never predicted; `ALWAYS` there.
        task: `multiclass` or `multilabel`.
        link: from margins to probabilities of one label per text. `logistic` normalises those of each label
            against the rest, as scikit-learn's one-vs-rest does; `softmax` is for the margins of an SVM,
            which are no logarithms of odds.
        calibration: on validation; None: none.
    """

    ngrams: tuple[Ngrams, ...]
    weights: np.ndarray
    intercepts: np.ndarray
    known: np.ndarray
    task: str
    link: Link
    calibration: Calibration | None = None

    def margins(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) float64; meaningless where a label is not `FITTED`."""
        return self.margins_of(beside([part.transform(texts) for part in self.ngrams]))

    def margins_of(self, features: csr_matrix) -> np.ndarray:
        """(N, C) float64 from features (N, F)."""
        margins: np.ndarray = features @ self.weights + self.intercepts
        return margins

    def probabilities(self, margins: np.ndarray) -> np.ndarray:
        """(N, C) float32 from margins (N, C); calibrated, if the model is.

        Without calibration and with a temperature, what they predict (the largest, or those above one half)
        is what the margins do.
        """
        if self.calibration is not None:
            return self.calibration.probabilities(margins, self.known, self.task, self.link)
        exact = margin_probabilities(margins, self.known, self.task, self.link)
        return rounded(exact, margins, self.known, self.task)

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities (N, C) float32 of N texts, in their order."""
        return self.probabilities(self.margins(texts))


def fit_linear(
    texts: Sequence[str],
    labels: np.ndarray,
    num_labels: int,
    features: Mapping[str, Any],
    estimator: Any,
    processes: int = 1,
) -> tuple[LinearClassifier, dict[str, Any]]:
    """Fit one binary estimator for each label, all others against it.

    Args:
        texts: N.
        labels: (N,) class indices, or (N, C) zeros and ones.
        num_labels: C.
        features: `model.features` of the configuration.
        estimator: of scikit-learn, unfitted. With `class_weight="balanced"` and one label per text, rows of a
            class weigh N / (K x rows of the class) and all others 1, as in scikit-learn's LinearSVC, K being
            the classes that have rows; with two of them or several labels, both sides of each question are
            balanced.
        processes: at most; a small problem is solved in this one. They change nothing.

    Returns:
        The model, and for the result: `features`, how many of each kind, `iterations`, the most that a solver
        took, and `not_converged`, the labels whose solver stopped before it had converged.

    Raises:
        UserError: no text holds an n-gram that is to count.
    """
    kinds = [kind for kind in KINDS if features[kind]["ngrams"] is not None]
    parts = [Ngrams.fit(kind, features[kind], texts, alone=len(kinds) == 1) for kind in kinds]
    matrix = beside([part for _, part in parts])
    truth = labels.astype(bool) if labels.ndim == 2 else labels[:, None] == np.arange(num_labels)
    known = np.where(truth.all(axis=0), ALWAYS, np.where(truth.any(axis=0), FITTED, NEVER)).astype(np.int8)
    columns = np.flatnonzero(known == FITTED).tolist()
    mirrored = labels.ndim == 1 and len(columns) == 2  # one question with two answers
    asked = columns[1:] if mirrored else columns
    estimators = [_weighted(estimator, truth, column, labels.ndim) for column in asked]
    fitted = dict(zip(asked, _fit_labels(estimators, matrix, truth[:, asked], processes), strict=True))
    weights, intercepts = np.zeros((matrix.shape[1], num_labels)), np.zeros(num_labels)
    for column, one in fitted.items():
        weights[:, column], intercepts[column] = one.weights, one.intercept
    if mirrored:
        weights[:, columns[0]], intercepts[columns[0]] = -weights[:, columns[1]], -intercepts[columns[1]]
    model = LinearClassifier(
        tuple(ngrams for ngrams, _ in parts),
        weights,
        intercepts,
        known,
        "multiclass" if labels.ndim == 1 else "multilabel",
        "logistic" if hasattr(estimator, "predict_proba") else "softmax",
    )
    return model, {
        "features": {ngrams.kind: len(ngrams.terms) for ngrams, _ in parts},
        "iterations": max((one.iterations for one in fitted.values() if one.iterations), default=None),
        "not_converged": [column for column, one in fitted.items() if one.cut],
    }


def _fit_labels(
    estimators: Sequence[Any], features: csr_matrix, truth: np.ndarray, processes: int
) -> list[_Fitted]:
    """Fit each estimator to its column of `truth`, in several processes where that pays."""
    from sklearn.utils.parallel import Parallel, delayed

    small = features.nnz * len(estimators) < SEVERAL_PROCESSES
    found: list[_Fitted] = Parallel(n_jobs=1 if small else max(1, min(processes, len(estimators))))(
        delayed(_fit_label)(estimator, features, column)
        for estimator, column in zip(estimators, truth.T, strict=True)
    )
    return found


def beside(parts: Sequence[csr_matrix]) -> csr_matrix:
    """Features of several kinds side by side."""
    from scipy.sparse import hstack

    return parts[0] if len(parts) == 1 else hstack(parts, format="csr")


def _weighted(estimator: Any, truth: np.ndarray, column: int, dimensions: int) -> Any:
    from sklearn.base import clone

    one, classes = clone(estimator), int(truth.any(axis=0).sum())
    # Two classes are one question, whose sides scikit-learn balances as LinearSVC does.
    if dimensions == 1 and classes > 2 and getattr(one, "class_weight", None) == "balanced":
        one.set_params(class_weight={0: 1.0, 1: len(truth) / (classes * int(truth[:, column].sum()))})
    return one


@dataclass(frozen=True)
class _Fitted:
    weights: np.ndarray
    intercept: float
    iterations: int | None  # None: no solver
    cut: bool  # before it had converged


def _fit_label(estimator: Any, features: csr_matrix, truth: np.ndarray) -> _Fitted:
    """Fit one label against the rest, as scikit-learn's `OneVsRestClassifier` does."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        estimator.fit(features, truth.astype(np.int64))
    cut = any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    if hasattr(estimator, "feature_log_prob_"):
        # Naive Bayes: the logarithm of the odds of the label is a difference of two linear functions.
        rest, label = estimator.feature_log_prob_
        prior_of_rest, prior = estimator.class_log_prior_
        return _Fitted(label - rest, float(prior - prior_of_rest), None, cut)
    iterations = int(np.max(estimator.n_iter_))
    return _Fitted(estimator.coef_[0], float(estimator.intercept_[0]), iterations, cut)
