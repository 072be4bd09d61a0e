"""Precision, recall, phi, mutual information and chance of rules, against scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact
from sklearn.metrics import matthews_corrcoef, mutual_info_score, precision_score, recall_score

from emoji_pred.audit.counting import Counts, binary_entropy, one_hot


def counts_of(marked: np.ndarray, labelled: np.ndarray) -> Counts:
    both = np.asarray((marked & labelled).sum())
    return Counts(both, np.asarray(marked.sum()), np.asarray(labelled.sum()), len(marked))


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_scikit_learn_and_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labelled = rng.random(200) < 0.3
    marked = np.where(rng.random(200) < 0.6, labelled, rng.random(200) < 0.5)
    for counts, given in (
        (counts_of(marked, labelled), marked),
        (counts_of(marked, labelled).without(), ~marked),
    ):
        assert float(counts.precision) == pytest.approx(precision_score(labelled, given))
        assert float(counts.recall) == pytest.approx(recall_score(labelled, given))
        assert float(counts.phi) == pytest.approx(matthews_corrcoef(labelled, given))
        assert float(counts.information) == pytest.approx(mutual_info_score(labelled, given) / np.log(2))
        table = [
            [(given & labelled).sum(), (given & ~labelled).sum()],
            [(~given & labelled).sum(), (~given & ~labelled).sum()],
        ]
        assert float(counts.chance()) == pytest.approx(fisher_exact(table, alternative="greater").pvalue)


def test_nothing_is_divided_by_nothing() -> None:
    for both, marked, labelled in ((0, 0, 3), (3, 5, 3), (0, 2, 0), (2, 2, 5)):
        counts = Counts(np.asarray(both), np.asarray(marked), np.asarray(labelled), 5)
        figures = (counts.precision, counts.recall, counts.phi, counts.information, counts.entropy)
        assert np.isfinite([float(figure) for figure in figures]).all()


def test_entropy_by_hand() -> None:
    assert binary_entropy(np.array([0.5, 0.25, 0.0, 1.0])) == pytest.approx(
        [1.0, 0.811278, 0.0, 0.0], abs=1e-6
    )


def test_one_hot_of_both_tasks() -> None:
    assert one_hot(np.array([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert one_hot(np.array([[1, 1], [0, 0]], dtype=np.uint8), 2).tolist() == [[1, 1], [0, 0]]
