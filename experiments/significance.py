"""Which rows of a table can be told apart: paired bootstrap over rows, Student over seeds, Holm over pairs.

Two sources of chance are asked of, and a pair differs only where neither could have made the difference:

* **The rows of the split.** The paired bootstrap (Koehn 2004, "Statistical significance tests for machine
  translation evaluation") draws the rows anew, the same for both sides, and takes the difference each
  time. It is used and not approximate randomisation, which tests that two systems answer alike and gives no
  interval: the bootstrap gives both from the same draws, for averages of F1 too, and those draws also make
  the intervals of single runs. Of several seeds the metric's mean over them is taken, in each resample.
* **The seeds.** Welch's t between the seeds of both sides; where one side has nothing random, Student's t
  of the other's seeds against its number. The rows alone would find differences that another seed turns
  over (Reimers and Gurevych 2017, "Reporting score distributions makes a difference"). Where a random side
  has one run, nobody knows: `one_seed` says so.

The larger of both p values is that of the pair (an intersection-union test: no correction is needed for
asking twice). Over all pairs of rows on a metric they are corrected by Holm's method (1979), by statsmodels.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emoji_pred.errors import UserError
from experiments.keeping import KeptRun
from experiments.resampling import CONFIDENCE, replicates
from experiments.table import Metric, Table

if TYPE_CHECKING:
    from experiments.measured import Measured, Shelf

LEVEL = 0.05
NO_SPREAD = 1e-12  # what is left of equal numbers that were summed in another order
SMALLEST = 1e-6  # the normal law is believed no further
COUNTED = 10  # resamples beyond zero: fewer say little of how small a p value is
OTHER_ROWS = "they answer other rows"
NO_ANSWERS = "the answers to each row were not kept, or do not tell this metric"
SAME = "they are the same runs"


@dataclass(frozen=True)
class Comparison:
    """Two rows of a table on one metric.

    Attributes:
        column: its heading.
        places: of the two rows in the table, from 0.
        first, second: their labels.
        difference: the first's mean less the second's, scaled; None: they cannot be compared.
        interval: of it, 95 %, the percentiles of the bootstrap over rows.
        p_rows: two-sided, of the bootstrap.
        p_seeds: two-sided, of Student's t; None where nothing is random, or a random side has one run.
        one_seed: whether a random side has one run, so that chance of the seed is not asked of.
        corrected: the larger of both p values by Holm's method over all pairs of the table on this metric.
        reason: why they cannot be compared.
    """

    column: str
    places: tuple[int, int]
    first: str
    second: str
    difference: float | None = None
    interval: tuple[float, float] | None = None
    p_rows: float | None = None
    p_seeds: float | None = None
    one_seed: bool = False
    corrected: float | None = None
    reason: str = ""

    @property
    def p(self) -> float | None:
        """The larger of both."""
        return None if self.p_rows is None else max(self.p_rows, self.p_seeds or 0.0)

    @property
    def differs(self) -> bool:
        """Whether the two are told apart at the 5 % level."""
        return self.corrected is not None and self.corrected < LEVEL


@dataclass(frozen=True)
class Ranked:
    """A row of a summary.

    Attributes:
        place: in the table, from 0.
        label: its label.
        mean: the metric, scaled.
        letters: two rows that share a letter are not told apart.
        one_seed: whether it is random and has one run.
    """

    place: int
    label: str
    mean: float
    letters: str
    one_seed: bool


@dataclass(frozen=True)
class Summary:
    """The rows that can be compared on one metric, the best first.

    Attributes:
        column: the metric's heading.
        rows: the best first.
        groups: labels of rows not told apart, as the bars of a critical-difference diagram; the letter `a` is
            the first of them.
    """

    column: str
    rows: tuple[Ranked, ...]
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class LeftOut:
    """Measured rows that are ranked beside no others on a metric.

    Attributes:
        column: the metric's heading.
        labels: of the rows, in the table's order.
        reason: why they cannot be compared.
    """

    column: str
    labels: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class _Side:
    """A row of the table, as it is compared.

    Attributes:
        rows: what tells its rows of the split, their truth and weights; "": it cannot be compared.
        drawn: (R,) the mean of its runs on each resample.
    """

    place: int
    label: str
    measured: Measured
    rows: str
    drawn: NDArray[np.float64] | None

    @property
    def random(self) -> bool:
        """Whether another seed would give another number."""
        return self.measured.cell.experiment.random

    @property
    def one_seed(self) -> bool:
        """Whether it is random and nobody knows how much."""
        return self.random and len(self.measured.values) == 1


def compare(table: Table, shelf: Shelf) -> list[Comparison]:
    """Every pair of measured rows, on each column that is one metric for all rows and has a better side.

    Rows that were not measured are left out. A pair that answers other rows is listed with the reason.

    Args:
        table: whose rows.
        shelf: the runs.

    Raises:
        UserError: statsmodels is not installed.
    """
    return list(_compare(table, shelf))


@functools.lru_cache(maxsize=256)
def _compare(table: Table, shelf: Shelf) -> tuple[Comparison, ...]:
    found: list[Comparison] = []
    for place, column in enumerate(table.head):
        sides = _sides(table, place, shelf)
        pairs = [_compared(column, *pair) for pair in itertools.combinations(sides, 2)]
        corrected = iter(holm([pair.p for pair in pairs if pair.p is not None]))
        found += [replace(pair, corrected=next(corrected)) if pair.p is not None else pair for pair in pairs]
    return tuple(found)


def summary(table: Table, shelf: Shelf) -> list[Summary]:
    """For each column, and each set of rows that can be compared, which of them are told apart.

    Letters are given as in Piepho 2004 ("An algorithm for a letter-based representation of all-pairwise
    comparisons"): rows that share one are not told apart; rows that share none are.
    """
    found = []
    for place, column in enumerate(table.head):
        sides = [side for side in _sides(table, place, shelf) if side.rows]
        for rows in dict.fromkeys(side.rows for side in sides):
            ranked = _in_order([side for side in sides if side.rows == rows])
            if len(ranked) > 1:
                found.append(_summary(column, ranked, compare(table, shelf)))
    return found


def left_out(table: Table, shelf: Shelf, fewest: int = 2) -> list[LeftOut]:
    """The measured rows that no summary holds, of each column that has one.

    Args:
        table: whose rows.
        shelf: the runs.
        fewest: rows of the summaries that are shown.
    """
    shown = [one for one in summary(table, shelf) if len(one.rows) >= fewest]
    found = []
    for place, column in enumerate(table.head):
        ranked = {row.place for one in shown if one.column == column for row in one.rows}
        others = [side for side in _sides(table, place, shelf) if side.place not in ranked] if ranked else []
        for reason, is_why in ((NO_ANSWERS, True), (OTHER_ROWS, False)):
            labels = tuple(side.label for side in others if (side.drawn is None) is is_why)
            found += [LeftOut(column, labels, reason)] if labels else []
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number, in their order (Holm 1979).

    Raises:
        UserError: statsmodels is not installed.
    """
    if not p_values:
        return []
    try:
        from statsmodels.stats.multitest import multipletests
    except ImportError as error:
        raise UserError("comparisons of rows need statsmodels: pip install 'emoji_pred[tables]'") from error
    gc.freeze()  # multipletests collects garbage at every call: 0.1 s where the runs of a report are loaded
    try:
        return [float(value) for value in multipletests(p_values, method="holm")[1]]
    finally:
        gc.unfreeze()


def p_of_rows(difference: float, drawn: NDArray[np.float64]) -> float:
    """Two-sided p value of a difference by its bootstrap.

    Twice the share of resamples at or beyond zero on the lesser side, with 1 added above and below, so that
    it is never 0 (Davison and Hinkley 1997, section 4.2): below 5 % where the percentile interval leaves
    zero out. A thousand resamples count no p value below 0.002, which no correction over many pairs would
    let pass; where fewer than ten lie beyond zero, it is the normal law's with the bootstrap's standard
    error, since the metrics are smooth functions of sums over rows (compare Knijnenburg et al. 2009 on such
    tails), but never more than what was counted, nor less than one in a million.

    Args:
        difference: of the whole split.
        drawn: (R,) on each resample.
    """
    beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    counted = min(1.0, 2 * (1 + beyond) / (1 + len(drawn)))
    if beyond >= COUNTED or not np.ptp(drawn):
        return counted
    spread = float(np.std(drawn, ddof=1))
    return min(counted, max(SMALLEST, math.erfc(abs(difference) / spread / math.sqrt(2))))


def p_of_seeds(first: Measured, second: Measured) -> float | None:
    """Two-sided p value of two rows by their seeds alone; None where these do not tell."""
    from scipy import stats

    random = [side.cell.experiment.random for side in (first, second)]
    counts = [len(side.values) for side in (first, second)]
    if not any(random) or any(
        is_random and count < 2 for is_random, count in zip(random, counts, strict=True)
    ):
        return None
    means = [float(np.mean(side.values)) for side in (first, second)]
    asked = [side for side, is_random in zip((first, second), random, strict=True) if is_random]
    if max(np.ptp(side.values) for side in asked) < NO_SPREAD:  # and so no t
        return 1.0 if abs(means[0] - means[1]) < NO_SPREAD else 0.0
    with warnings.catch_warnings():  # of one side whose seeds all gave the same
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        if all(random):
            return float(stats.ttest_ind(first.values, second.values, equal_var=False).pvalue)
        seeds, fixed = (first, means[1]) if random[0] else (second, means[0])
        return float(stats.ttest_1samp(seeds.values, fixed).pvalue)


@functools.lru_cache(maxsize=1024)
def _sides(table: Table, place: int, shelf: Shelf) -> list[_Side]:
    """The measured rows of a column that is one metric, but for yardsticks; none of another column."""
    cells = [
        (row, line.label, line.cells[place])
        for row, line in enumerate(table.rows)
        if not line.yardstick  # its metric reads a constant in the place of the run's answers
    ]
    # Papers print some rows of a column with more decimals than others: one metric all the same.
    metrics = {replace(cell.metric, decimals=0) for _, _, cell in cells if cell is not None}
    if len(metrics) != 1:
        return []
    (metric,) = metrics
    if metric.higher_is_better is None:
        return []
    measured = [(row, label, shelf.measured(cell)) for row, label, cell in cells if cell is not None]
    return [_side(row, label, found, metric) for row, label, found in measured if found.values]


def _side(place: int, label: str, measured: Measured, metric: Metric) -> _Side:
    drawn = [replicates(run, metric) for run in measured.runs]
    rows = {_rows(run, metric) for run in measured.runs}
    if len(rows) != 1 or any(replicate is None for replicate in drawn):
        return _Side(place, label, measured, "", None)
    whole = np.mean([replicate for replicate in drawn if replicate is not None], axis=0)
    return _Side(place, label, measured, rows.pop(), whole)


def _rows(run: KeptRun, metric: Metric) -> str:
    """What must be the same for two runs to be compared row by row: the rows, their truth, their weights."""
    answers = metric.answers(run) if metric.split else None
    if answers is None:
        return ""
    parts = [answers.rows.encode(), "\n".join(run.labels).encode(), str(answers.truth.shape).encode()]
    parts.append(np.ascontiguousarray(answers.truth, dtype=np.int64).tobytes())
    parts.append(b"" if answers.weights is None else np.ascontiguousarray(answers.weights, float).tobytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _compared(column: str, first: _Side, second: _Side) -> Comparison:
    found = Comparison(column, (first.place, second.place), first.label, second.label)
    if first.measured.cell.experiment == second.measured.cell.experiment:
        return replace(found, reason=SAME)
    if first.drawn is None or second.drawn is None:
        return replace(found, reason=NO_ANSWERS)
    if first.rows != second.rows:
        return replace(found, reason=OTHER_ROWS)
    drawn = first.drawn - second.drawn
    difference = float(np.mean(first.measured.values) - np.mean(second.measured.values))
    low, high = np.percentile(drawn, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return replace(
        found,
        difference=difference,
        interval=(float(low), float(high)),
        p_rows=p_of_rows(difference, drawn),
        p_seeds=p_of_seeds(first.measured, second.measured),
        one_seed=first.one_seed or second.one_seed,
    )


def _in_order(sides: Sequence[_Side]) -> list[_Side]:
    """The best first."""
    falling = -1 if sides[0].measured.cell.metric.higher_is_better else 1
    return sorted(sides, key=lambda side: falling * (side.measured.mean or 0.0))


def _summary(column: str, ranked: Sequence[_Side], pairs: Sequence[Comparison]) -> Summary:
    order = [side.place for side in ranked]
    apart = [
        pair.places
        for pair in pairs
        if pair.column == column and pair.differs and set(pair.places) <= set(order)
    ]
    groups = _groups(order, apart)
    rows = tuple(
        Ranked(
            side.place,
            side.label,
            float(np.mean(side.measured.values)),
            "".join(letter(index) for index, group in enumerate(groups) if side.place in group),
            side.one_seed,
        )
        for side in ranked
    )
    labels = {side.place: side.label for side in ranked}
    return Summary(
        column, rows, tuple(tuple(labels[place] for place in order if place in group) for group in groups)
    )


def _groups(order: Sequence[int], apart: Sequence[tuple[int, int]]) -> list[frozenset[int]]:
    """The largest sets without two that are told apart, by Piepho's insert and absorb; the best first."""
    groups = {frozenset(order)}
    for first, second in apart:
        split = [group for group in groups if first in group and second in group]
        halves = {group - {one} for group in split for one in (first, second)}
        merged = (groups - set(split)) | halves
        groups = {group for group in merged if not any(group < other for other in merged)}
    return sorted(groups, key=lambda group: sorted(order.index(place) for place in group))


def letter(index: int) -> str:
    """a, b, ..., z, then a1, b1, ..."""
    return chr(ord("a") + index % 26) + (str(index // 26) if index >= 26 else "")
