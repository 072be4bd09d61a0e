"""Figures of a rule "a row has this, so it has that label": from four counts, in NumPy, for many at once.

A rule is marked (has the feature) or not, a label is there or not. With `both` rows that have both, `marked`,
`labelled` and all `rows`: precision both / marked, recall both / labelled, phi the correlation of the two
marks (Matthews), and their mutual information in bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Counts:
    """The four counts of rules, arrays that broadcast against each other.

    Attributes:
        both: rows with the feature and the label.
        marked: rows with the feature.
        labelled: rows with the label.
        rows: all rows.
    """

    both: np.ndarray
    marked: np.ndarray
    labelled: np.ndarray
    rows: int

    @property
    def precision(self) -> np.ndarray:
        """Share of the marked rows that have the label; 0 where none is marked."""
        return self.both / np.maximum(self.marked, 1)

    @property
    def recall(self) -> np.ndarray:
        """Share of the label's rows that are marked; 0 where there is none."""
        return self.both / np.maximum(self.labelled, 1)

    @property
    def phi(self) -> np.ndarray:
        """Matthews correlation, -1 to 1; 0 where one of the two never varies."""
        both, marked, labelled, rows = (
            np.asarray(value, dtype=np.float64)
            for value in (self.both, self.marked, self.labelled, self.rows)
        )
        spread = marked * (rows - marked) * labelled * (rows - labelled)
        return np.where(
            spread > 0, (rows * both - marked * labelled) / np.sqrt(np.where(spread > 0, spread, 1)), 0.0
        )

    @property
    def information(self) -> np.ndarray:
        """Mutual information of feature and label, bits."""
        total = np.zeros(np.broadcast(self.both, self.marked, self.labelled).shape)
        rows = max(self.rows, 1)
        for has in (True, False):
            marked = np.asarray(self.marked if has else self.rows - self.marked, dtype=np.float64)
            for label in (True, False):
                labelled = np.asarray(self.labelled if label else self.rows - self.labelled, dtype=np.float64)
                cell = self._cell(has, label)
                seen = cell > 0
                expected = marked * labelled / rows
                total = total + np.where(
                    seen, cell / rows * np.log2(np.where(seen, cell, 1) / np.where(seen, expected, 1)), 0.0
                )
        return np.maximum(total, 0.0)

    @property
    def entropy(self) -> np.ndarray:
        """Entropy of the label, bits."""
        return binary_entropy(np.asarray(self.labelled) / max(self.rows, 1))

    def chance(self) -> np.ndarray:
        """How likely so many rows would have both by chance (Fisher's exact test, one-sided)."""
        from scipy.stats import hypergeom

        # More than `both - 1` of the marked rows, drawn among all rows, of which `labelled` have the label.
        return np.asarray(
            hypergeom.sf(np.asarray(self.both) - 1, self.rows, self.labelled, self.marked), dtype=np.float64
        )

    def without(self) -> Counts:
        """The rules "a row lacks this, so it has that label"."""
        return Counts(self.labelled - self.both, self.rows - self.marked, self.labelled, self.rows)

    def _cell(self, has: bool, label: bool) -> np.ndarray:
        both, marked, labelled = (np.asarray(v, float) for v in (self.both, self.marked, self.labelled))
        if has:
            return both if label else marked - both
        return labelled - both if label else self.rows - marked - labelled + both


def binary_entropy(share: np.ndarray) -> np.ndarray:
    """Entropy of a yes with that probability, bits."""
    share = np.clip(np.asarray(share, dtype=np.float64), 1e-300, 1.0)
    other = np.clip(1.0 - share, 1e-300, 1.0)
    return -(share * np.log2(share) + other * np.log2(other))


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(N,) class indices or (N, C) multi-hot to (N, C) float32."""
    if labels.ndim == 2:
        return labels.astype(np.float32)
    hot = np.zeros((len(labels), classes), dtype=np.float32)
    hot[np.arange(len(labels)), labels] = 1
    return hot
