"""From probabilities to the labels that a text is given, of several, by thresholds chosen on validation.

Only `choose` sees labels, and it is given those of validation. Everything is numpy in float64, so that a
stored threshold decides to the bit as it did when it was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emoji_pred.multilabel_metrics import macro_f1, micro_f1, samples_f1

HALF = 0.5
NEVER = 1.0  # no probability is greater
CANDIDATES = 200  # thresholds tried for one of all classes, besides 0.5

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

F1: dict[str, Callable[[Bools, Bools], float]] = {
    "macro": macro_f1,
    "micro": micro_f1,
    "samples": samples_f1,
}


@dataclass(frozen=True)
class Decision:
    """The thresholds of a model, chosen or set.

    Attributes:
        name: of the rule: `fixed`, `tuned` or `tuned_per_class`.
        thresholds: C probabilities; a label is given where its own is greater.
        at_least_one: give a text without any label its most probable one.
        tuned_f1: the F1 that the thresholds maximise on validation; None where they are set.
    """

    name: str
    thresholds: tuple[float, ...]
    at_least_one: bool = False
    tuned_f1: str | None = None

    def labels(self, probabilities: ArrayLike) -> Bools:
        """Which labels are given, (N, C), for probabilities (N, C)."""
        scores = np.asarray(probabilities, dtype=np.float64)
        given: Bools = scores > np.asarray(self.thresholds)
        if self.at_least_one:
            empty = np.flatnonzero(~given.any(axis=1))
            possible = np.asarray(self.thresholds) < NEVER
            ranked = np.where(possible | ~possible.any(), scores[empty], -1.0)
            given[empty, ranked.argmax(axis=1)] = True  # of equal ones, the first class
        return given

    def with_threshold(self, value: float) -> Decision:
        """Another threshold, for all classes but those that are never given."""
        return replace(self, thresholds=tuple(value if old < NEVER else NEVER for old in self.thresholds))

    def plain(self) -> dict[str, Any]:
        """Plain values for a result; `from_plain` reads them."""
        return {
            "name": self.name,
            "thresholds": list(self.thresholds),
            "at_least_one": self.at_least_one,
            "tuned_f1": self.tuned_f1,
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Decision:
        """The decision that `plain` gave."""
        thresholds = tuple(float(value) for value in values["thresholds"])
        return cls(str(values["name"]), thresholds, bool(values["at_least_one"]), values["tuned_f1"])


def decision_of(result: Mapping[str, Any], classes: int) -> Decision:
    """The decision of a run of several labels a text, from its result."""
    chosen = (result.get("validation") or {}).get("decision")
    return Decision.from_plain(chosen) if chosen else Decision("fixed", (HALF,) * classes)


def choose(
    rule: Mapping[str, Any] | None,
    probabilities: ArrayLike,
    targets: ArrayLike,
    seen: ArrayLike | None = None,
) -> Decision:
    """The decision that a rule makes of the validation rows.

    `tuned` takes of up to 200 thresholds, spread over the probabilities that occur, and 0.5 the one with the
    best F1 of the kind `tuned_f1` names. `tuned_per_class` takes for each class the threshold with the best
    F1 of that class, of all that differ: together they have the best macro F1. Of equally good thresholds
    that nearest to 0.5 is taken; a class without a validation row keeps 0.5. `at_least_one` comes after the
    choice. A class without a training row has the threshold 1, and is never given, by any rule.

    Args:
        rule: the `decision` config group; None: 0.5.
        probabilities: (N, C) of the validation rows.
        targets: (N, C) zeros and ones.
        seen: (C,) whether a class has training rows; None: all have.
    """
    rule = rule or {"name": "fixed", "threshold": HALF, "at_least_one": False}
    truth = np.asarray(targets).astype(bool)
    known = np.ones(truth.shape[1], dtype=bool) if seen is None else np.asarray(seen).astype(bool)
    scores = np.where(known, np.asarray(probabilities, dtype=np.float64), 0.0)  # given by no threshold
    name, classes, tuned_f1 = str(rule["name"]), scores.shape[1], None
    if name == "tuned":
        tuned_f1 = str(rule["tuned_f1"])
        thresholds = [_best_of_all(scores, truth, F1[tuned_f1])] * classes
    elif name == "tuned_per_class":
        tuned_f1 = "each class"
        thresholds = [_best_of_class(scores[:, c], truth[:, c]) for c in range(classes)]
    else:
        thresholds = [float(rule["threshold"])] * classes
    possible = tuple(value if one else NEVER for value, one in zip(thresholds, known.tolist(), strict=True))
    return Decision(name, possible, bool(rule["at_least_one"]), tuned_f1)


def _best_of_class(scores: Floats, truth: Bools) -> float:
    """The threshold with the best F1 of one class: scores (N,), truth (N,)."""
    if not truth.any():
        return HALF
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], truth[order].cumsum()
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of the rows of one probability
    below = np.append(ranked[last[:-1] + 1], 0.0)
    thresholds, above = (ranked[last] + below) / 2, last + 1
    f1 = 2 * hits[last] / (above + truth.sum())
    separates = thresholds < ranked[last]  # a probability of 0 is above no threshold
    half = scores > HALF
    candidates = [*thresholds[separates].tolist(), HALF]
    reached = [*f1[separates].tolist(), 2 * float((half & truth).sum()) / float(half.sum() + truth.sum())]
    return _nearest_to_half(candidates, reached)


def _best_of_all(scores: Floats, truth: Bools, f1: Callable[[Bools, Bools], float]) -> float:
    """One threshold for all classes: scores (N, C), truth (N, C)."""
    levels = np.unique(scores)
    between = np.concatenate([[levels[0] / 2], (levels[1:] + levels[:-1]) / 2])
    places = np.unique(np.linspace(0, len(between) - 1, CANDIDATES).round().astype(int))
    candidates = [*between[places].tolist(), HALF]
    return _nearest_to_half(candidates, [f1(scores > value, truth) for value in candidates])


def _nearest_to_half(candidates: Sequence[float], reached: Sequence[float]) -> float:
    """Of the candidates that reached the most, the one nearest to 0.5."""
    best = max(reached) - 1e-12  # sums of the same numbers in another order
    good = [value for value, f1 in zip(candidates, reached, strict=True) if f1 >= best]
    return min(good, key=lambda value: (abs(value - HALF), value))
