"""Rules of one feature: found on the training rows, tried on rows that had no part in finding them.

For a measure the rule is a range of its values. The best one for each label is looked for among the quantiles
of the training rows; that it was chosen is paid for on held-out rows, where it is tried as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from emoji_pred.audit.counting import Counts
from emoji_pred.audit.features import Kind, Marks, Measures

BINS = 48  # ranges of values, of about equally many training rows
FINE = 64  # values that are tried for an end of a range
REFINED = 0.2  # phi from which the ends of a range are worth it

HIDDEN_KINDS: tuple[Kind, ...] = ("invisible", "blank")  # of marks that no reader sees

Ends = tuple[float | None, float | None]  # of a range of values, both included; None: open


@dataclass(frozen=True)
class Rule:
    """A row for which it holds is said to have the label.

    Attributes:
        kind: of the feature.
        name: of the feature, as a report shows it.
        label: the class.
        column: of the feature among the marks or measures.
        has: for a mark: whether the row must have it.
        low, high: for a measure: the range of its values, ends included; None where it has no end.
    """

    kind: Kind
    name: str
    label: int
    column: int
    has: bool = True
    low: float | None = None
    high: float | None = None

    @property
    def is_measure(self) -> bool:
        """A rule of a number, not of a mark."""
        return self.low is not None or self.high is not None

    @property
    def is_hidden(self) -> bool:
        """It reads a character that no reader sees."""
        return self.kind in HIDDEN_KINDS

    def words(self) -> str:
        """The rule as a person says it."""
        if not self.is_measure:
            name = f"the token {self.name}" if self.kind == "token" else self.name
            return name if self.has else f"no {name}"
        if self.low is None:
            return f"{self.name} at most {_number(self.high)}"
        if self.high is None:
            return f"{self.name} at least {_number(self.low)}"
        if self.low == self.high:
            return f"{self.name} exactly {_number(self.low)}"
        return f"{self.name} {_number(self.low)} to {_number(self.high)}"

    def holds(self, marks: Marks, measures: Measures) -> np.ndarray:
        """(N,) bool: the rows for which it holds."""
        if not self.is_measure:
            column = marks.matrix[:, [self.column]].toarray().ravel() > 0
            return column if self.has else ~column
        values = measures.values[:, self.column]
        low = values >= np.float32(self.low) if self.low is not None else True
        high = values <= np.float32(self.high) if self.high is not None else True
        return np.asarray(low & high)


def _number(value: float | None) -> str:
    assert value is not None
    return f"{value:.0f}" if abs(value - round(value)) < 1e-6 else f"{value:.3g}"


def mark_counts(marks: Marks, hot: np.ndarray) -> Counts:
    """Of all marks and labels: (K, C)."""
    both = np.asarray(marks.matrix.T @ hot)
    marked = np.asarray(marks.matrix.sum(axis=0)).reshape(-1, 1)
    return Counts(both, marked, hot.sum(axis=0)[None, :], len(hot))


def mark_rules(marks: Marks, columns: np.ndarray, labels: np.ndarray, has: bool) -> list[Rule]:
    """The rules of M marks, by column, each for one label: two (M,)."""
    return [
        Rule(marks.marks[mark].kind, marks.marks[mark].name, label, mark, has=has)
        for mark, label in zip(columns.tolist(), labels.tolist(), strict=True)
    ]


def measure_rules(measures: Measures, hot: np.ndarray) -> list[Rule]:
    """For each measure that varies, and each label with rows: the range that tells it best by phi."""
    rules = []
    for column, (name, kind) in enumerate(zip(measures.names, measures.kinds, strict=True)):
        values = measures.values[:, column]
        edges = bin_edges(values)
        if len(edges) < 2:
            continue
        lows, highs, strength = best_ranges(values, edges, hot)
        for label in np.flatnonzero(lows >= 0).tolist():
            first, last = int(lows[label]), int(highs[label])
            low, high = _ends(values, edges, first, last)
            if strength[label] >= REFINED:
                low, high = _refined(values, edges, (first, last), (low, high), hot[:, label] > 0)
            if low is not None or high is not None:
                rules.append(Rule(kind, name, label, column, low=low, high=high))
    return rules


def _ends(values: np.ndarray, edges: np.ndarray, first: int, last: int) -> Ends:
    """The ends of a range of bins; one without a bin beyond it is None: the range is open there."""
    low = None if first == 0 else float(edges[first])
    # The end of a range is the greatest value below the next one, as it stands in the rows.
    high = None if last == len(edges) - 1 else float(values[values < edges[last + 1]].max())
    return low, high


def _refined(
    values: np.ndarray, edges: np.ndarray, bins: tuple[int, int], ends: Ends, labelled: np.ndarray
) -> Ends:
    """Each end moved to the best value within the bins on its two sides."""
    (first, last), (low, high) = bins, ends
    if low is not None:
        tried_values = _between(values, edges, first - 1, first + 1)
        low = max(tried_values, key=lambda end: _phi_of(values, (end, high), labelled))
    if high is not None:
        tried_values = _between(values, edges, last, last + 2)
        high = max(tried_values, key=lambda end: _phi_of(values, (low, end), labelled))
    return low, high


def _between(values: np.ndarray, edges: np.ndarray, first: int, last: int) -> list[float]:
    """Distinct values of the bins from `first` to before `last`, at most `FINE`."""
    upper = edges[last] if last < len(edges) else np.inf
    inside = np.unique(values[(values >= edges[first]) & (values < upper)])
    step = max(1, len(inside) // FINE)
    return [float(value) for value in inside[::step]]


def _phi_of(values: np.ndarray, ends: Ends, labelled: np.ndarray) -> float:
    held, (low, high) = np.ones(len(values), dtype=bool), ends
    if low is not None:
        held &= values >= np.float32(low)
    if high is not None:
        held &= values <= np.float32(high)
    both, marked, has = (
        np.asarray(number) for number in ((held & labelled).sum(), held.sum(), labelled.sum())
    )
    return float(Counts(both, marked, has, len(values)).phi)


def bin_edges(values: np.ndarray) -> np.ndarray:
    """The lowest value of each of at most `BINS` bins: the values themselves where they are few."""
    distinct = np.unique(values)
    if len(distinct) <= BINS:
        return distinct
    return np.unique(np.quantile(values, np.linspace(0, 1, BINS, endpoint=False), method="lower"))


def best_ranges(
    values: np.ndarray, edges: np.ndarray, hot: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each label the first and last bin of its best range and its phi: three (C,).

    The bins are -1 where no range tells anything.

    Args:
        values: (N,).
        edges: (B,) of the bins.
        hot: (N, C) labels.
    """
    bins = np.searchsorted(edges, values, side="right") - 1
    sums = _running(bins, len(edges), hot)  # (B + 1, C)
    sizes = np.concatenate([[0], np.cumsum(np.bincount(bins, minlength=len(edges)))])
    first, last = np.triu_indices(len(edges))
    counts = Counts(
        both=sums[last + 1] - sums[first],
        marked=(sizes[last + 1] - sizes[first])[:, None],
        labelled=hot.sum(axis=0)[None, :],
        rows=len(hot),
    )
    phi = counts.phi  # (ranges, C)
    best = phi.argmax(axis=0)
    strength = phi[best, np.arange(phi.shape[1])]
    none = strength <= 0
    return np.where(none, -1, first[best]), np.where(none, -1, last[best]), strength


def _running(bins: np.ndarray, size: int, hot: np.ndarray) -> np.ndarray:
    from scipy.sparse import csr_array

    members: Any = csr_array((np.ones(len(bins)), (bins, np.arange(len(bins)))), shape=(size, len(bins)))
    return np.concatenate([np.zeros((1, hot.shape[1])), np.cumsum(members @ hot, axis=0)])


def tried(rule: Rule, marks: Marks, measures: Measures, labels: np.ndarray) -> Counts:
    """The counts of a rule on rows of a split, whose labels are (N,) classes or (N, C) zeros and ones."""
    held = rule.holds(marks, measures)
    # Of one column only: a table of all labels for each rule and split would be most of the work.
    has_label = labels == rule.label if labels.ndim == 1 else labels[:, rule.label] > 0
    return Counts(
        both=np.asarray((held & has_label).sum()),
        marked=np.asarray(held.sum()),
        labelled=np.asarray(has_label.sum()),
        rows=len(labels),
    )
