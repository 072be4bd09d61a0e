"""Bootstrap over the rows of a split: how often each row stands in each resample, the same for every run.

Runs on the same rows are weighed by the same resamples, so that differences of their metrics are paired.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from experiments.keeping import KeptRun
from experiments.scoring import Counts, NoSuchMetric, class_counts, score
from experiments.table import Metric, Select

RESAMPLES = 1000
FEW_ROWS = 10_000
SEED = 20_240_601
CONFIDENCE = 0.95


@functools.lru_cache(maxsize=16)  # of the splits of all papers, 0.4 GB, most of it of TweetEval's test
def resamples(rows: int, count: int = RESAMPLES) -> NDArray[np.floating]:
    """(count, rows) how often each row is drawn, with replacement, `rows` times.

    It lies in memory by rows of the split, as the sums over them are taken. Of many rows it is of half the
    precision, which holds whole numbers as exactly, for its size.
    """
    generator = np.random.default_rng([SEED, rows])
    drawn = np.empty((rows, count), dtype=np.float64 if rows <= FEW_ROWS else np.float32)
    for column in range(count):
        drawn[:, column] = np.bincount(generator.integers(0, rows, rows), minlength=rows)
    return drawn.T


def replicates(run: KeptRun, metric: Metric) -> NDArray[np.float64] | None:
    """(RESAMPLES,) the metric of a run on each resample, scaled; None where its answers were not kept."""
    return _replicates(_Key(run), metric)


class _Key:
    """A run as the key of a cache: by its name and place."""

    def __init__(self, run: KeptRun) -> None:
        self.run = run

    def __hash__(self) -> int:
        return hash((self.run.name, self.run.directory))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and (self.run.name, self.run.directory) == (
            other.run.name,
            other.run.directory,
        )


@functools.lru_cache(maxsize=20_000)
def _replicates(key: _Key, metric: Metric) -> NDArray[np.float64] | None:
    run = key.run
    answers = metric.answers(run) if metric.split else None
    if answers is None or not len(answers.truth):
        return None
    weights = resamples(len(answers.truth))
    counts = _counts(key, metric.split, metric.select)
    try:
        found = score(answers, metric.path, run.labels, run.top_class(metric.split), weights, counts)
    except NoSuchMetric:
        return None
    return metric.scale * found


@functools.lru_cache(maxsize=512)
def _counts(key: _Key, split: str, select: Select | None) -> Counts:
    """Those of a run's classes: the slow part, once for all metrics of a split."""
    answers = Metric("", "", split, select=select).answers(key.run)
    assert answers is not None
    return class_counts(answers, len(key.run.labels), resamples(len(answers.truth)))
