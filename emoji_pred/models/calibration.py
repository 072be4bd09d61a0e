"""From the margins of a linear model to probabilities, and their calibration on the validation rows.

Shapes: N rows, C labels. `known` (C,) says what the training rows say of a label: -1 it never stands there, 1
it always does, 0 it was fitted; see `models.linear`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

METHODS = ("none", "sigmoid", "isotonic", "temperature")
LARGEST_TEMPERATURE = 1e3


def margin_probabilities(margins: np.ndarray, known: np.ndarray, task: str, link: str) -> np.ndarray:
    """Probabilities (N, C) float64 of margins (N, C): a margin of 0 is one half, or the largest wins."""
    if task == "multilabel":
        return _with_constants(_logistic(margins), known)
    if link == "softmax":
        return _softmax(margins, known)
    return _normalised(_with_constants(_logistic(margins), known), known)


def rounded(exact: np.ndarray, margins: np.ndarray, known: np.ndarray, task: str) -> np.ndarray:
    """Probabilities (N, C) as float32 that predict what the margins (N, C) do.

    That is the largest, or those above 0, of the labels that were fitted: rounding is kept from changing it.
    """
    found, fitted = exact.astype(np.float32), known == 0
    if task == "multilabel":
        given = (margins > 0) & fitted
        found[given] = np.maximum(found[given], np.nextafter(np.float32(0.5), np.float32(1)))
        found[~given & fitted] = np.minimum(found[~given & fitted], np.float32(0.5))
    elif fitted.any():
        rows, winner = np.arange(len(margins)), np.where(fitted, margins, -np.inf).argmax(axis=1)
        tied = found.argmax(axis=1) != winner
        largest = found[tied].max(axis=1)
        found[rows[tied], winner[tied]] = np.nextafter(largest, np.float32(2))
    return found


@dataclass(frozen=True)
class Calibration:
    """Probabilities from margins, as the validation rows have them.

    Attributes:
        method: `sigmoid` (Platt 1999) and `isotonic` (Zadrozny and Elkan 2002) map each label's margin, and
            may change what is predicted; `temperature` (Guo et al. 2017) divides by one number: it cannot.
        points: of each label that was calibrated, by its number: for `sigmoid` slope and offset of
            1 / (1 + exp(slope * margin + offset)), (2,); for `isotonic` margins and their probabilities,
            (2, K), with K = 1 where it is one number for all margins.
        temperature: of `temperature`.
    """

    method: str
    points: Mapping[int, np.ndarray]
    temperature: float = 1.0

    @classmethod
    def fit(
        cls, method: str, margins: np.ndarray, labels: np.ndarray, known: np.ndarray, task: str, link: str
    ) -> Calibration:
        """Calibrate on rows whose labels are known.

        Args:
            method: one of `METHODS`, not `none`.
            margins: (N, C) of a fitted model.
            labels: (N,) class indices, or (N, C) zeros and ones.
            known: (C,).
            task: `multiclass` or `multilabel`.
            link: see `models.linear`.

        Returns:
            For `sigmoid` and `isotonic`, a label that none or all of the rows have is left as it is; where a
            text has one label, one that no row has gets Platt's probability of it, 1 / (N + 2), whatever the
            margin: beside calibrated probabilities, which are near the shares of the classes, its own would
            be far too large.
        """
        truth = labels.astype(bool) if labels.ndim == 2 else labels[:, None] == np.arange(margins.shape[1])
        if method == "temperature":
            return cls(method, {}, _temperature(margins, truth, known, task, link))
        mixed = truth.any(axis=0) & ~truth.all(axis=0) & (known == 0)
        points = {
            int(label): _curve(method, margins[:, label], truth[:, label]) for label in np.flatnonzero(mixed)
        }
        if task == "multiclass" and points:
            unseen = (known == 0) & ~truth.any(axis=0)
            points |= {int(label): _constant(method, len(truth)) for label in np.flatnonzero(unseen)}
        return cls(method, points)

    def probabilities(self, margins: np.ndarray, known: np.ndarray, task: str, link: str) -> np.ndarray:
        """(N, C) float32 from margins (N, C)."""
        if self.method == "temperature":
            return rounded(_cooled(margins, self.temperature, known, task, link), margins, known, task)
        each = _logistic(margins)
        for label, points in self.points.items():
            each[:, label] = self._map(margins[:, label], points)
        each = _with_constants(each, known)
        exact = each if task == "multilabel" else self._of_one(each, margins, known, link)
        return exact.astype(np.float32)

    def _of_one(self, each: np.ndarray, margins: np.ndarray, known: np.ndarray, link: str) -> np.ndarray:
        """Rows that sum to 1; uncalibrated where every curve says 0, as isotonic ones may."""
        curves = [label for label, points in self.points.items() if points.shape[-1] > 1]
        silent = (each[:, curves] == 0).all(axis=1, keepdims=True)
        return np.where(
            silent, margin_probabilities(margins, known, "multiclass", link), _normalised(each, known)
        )

    def _map(self, margins: np.ndarray, points: np.ndarray) -> np.ndarray:
        if self.method == "sigmoid":
            return _logistic(-(points[0] * margins + points[1]))
        return np.interp(margins, points[0], points[1])


def _curve(method: str, margins: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The calibration of one label as plain points, as scikit-learn's `CalibratedClassifierCV` has it.

    That one divides the rows into folds, and so refuses labels that stand in fewer than five of them.
    """
    if method == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(margins, truth)
        return np.array([curve.X_thresholds_, curve.y_thresholds_])
    from sklearn.linear_model import LogisticRegression

    # Platt's targets are not quite 0 and 1, so that margins which divide the rows have a finite slope: each
    # row counts as both answers, weighted.
    count, hits = len(truth), int(truth.sum())
    target = np.where(truth, (hits + 1) / (hits + 2), 1 / (count - hits + 2))
    fitted = LogisticRegression(C=np.inf, tol=1e-9, max_iter=1000).fit(
        np.tile(margins, 2)[:, None], np.repeat([1, 0], count), np.concatenate([target, 1 - target])
    )
    return -np.array([fitted.coef_[0, 0], fitted.intercept_[0]])


def _constant(method: str, rows: int) -> np.ndarray:
    """A curve that is 1 / (rows + 2) everywhere: Platt's target for rows none of which has the label."""
    return np.array([[0.0], [1 / (rows + 2)]]) if method == "isotonic" else np.array([0.0, np.log(rows + 1)])


def _temperature(margins: np.ndarray, truth: np.ndarray, known: np.ndarray, task: str, link: str) -> float:
    """The temperature of the lowest cross-entropy."""
    from scipy.optimize import minimize_scalar

    fitted = known == 0

    def cross_entropy(logarithm: float) -> float:
        exact = _cooled(margins, float(np.exp(logarithm)), known, task, link)
        if task == "multiclass":  # a class that was never trained has no probability to judge
            likelihood = exact[truth & fitted]
        else:
            likelihood = np.where(truth, exact, 1 - exact)[:, fitted]
        return float(-np.log(np.maximum(likelihood, 1e-300)).sum())

    bound = np.log(LARGEST_TEMPERATURE)
    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-bound, bound), method="bounded").x))


def _cooled(margins: np.ndarray, temperature: float, known: np.ndarray, task: str, link: str) -> np.ndarray:
    if task == "multilabel":
        return _with_constants(_logistic(margins / temperature), known)
    if link == "softmax":
        return _softmax(margins / temperature, known)
    # The logarithms of the probabilities, up to what is the same for all classes.
    return _softmax(-np.logaddexp(0.0, -margins) / temperature, known)


def _logistic(margins: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    probabilities: np.ndarray = expit(margins)
    return probabilities


def _softmax(scores: np.ndarray, known: np.ndarray) -> np.ndarray:
    if (known > 0).any():  # one class alone has training rows
        return np.broadcast_to((known > 0).astype(np.float64), scores.shape).copy()
    shifted = np.where(known < 0, -np.inf, scores)
    shifted = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    softmax: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return softmax


def _with_constants(each: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.where(known == 0, each, (known > 0).astype(np.float64))


def _normalised(each: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Rows that sum to 1; where all are 0, the classes that have training rows are alike."""
    totals = each.sum(axis=1, keepdims=True)
    alike = np.broadcast_to((known >= 0) / (known >= 0).sum(), each.shape).copy()
    return np.divide(each, totals, out=alike, where=totals > 0)
