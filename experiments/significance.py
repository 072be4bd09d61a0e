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
asking twice). Over all pairs of rows in a column they are corrected by Holm's method (1979), by statsmodels.
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
        corrected: the larger of both p values by Holm's method over all pairs of the table in this column.
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
class Side:
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
    """Every pair of measured rows, on each column, that have one metric with a better side.

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
        found_sides = sides(table, place, shelf)
        pairs = [
            _compared(column, *pair) for group in found_sides for pair in itertools.combinations(group, 2)
        ]
        corrected = iter(holm([pair.p for pair in pairs if pair.p is not None]))
        found += [replace(pair, corrected=next(corrected)) if pair.p is not None else pair for pair in pairs]
    return tuple(found)


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
def sides(table: Table, place: int, shelf: Shelf) -> list[list[Side]]:
    """The measured rows of a column, but for yardsticks: those of each metric that has a better side.

    A yardstick's metric reads a constant in the place of the run's answers. Rows that are read on something
    else, as on a part of the rows of the split, are of another metric.

    Args:
        table: whose rows.
        place: of the column.
        shelf: the runs.
    """
    groups: dict[Metric, list[Side]] = {}
    for row, line in enumerate(table.rows):
        cell = line.cells[place]
        if cell is None or line.yardstick or cell.metric.higher_is_better is None:
            continue
        found = shelf.measured(cell)
        if found.values:
            # Papers print some rows of a column with more decimals than others: one metric all the same.
            metric = replace(cell.metric, decimals=0)
            groups.setdefault(metric, []).append(_side(row, line.label, found, metric))
    return list(groups.values())


def _side(place: int, label: str, measured: Measured, metric: Metric) -> Side:
    drawn = [replicates(run, metric) for run in measured.runs]
    rows = {_rows(run, metric) for run in measured.runs}
    if len(rows) != 1 or any(replicate is None for replicate in drawn):
        return Side(place, label, measured, "", None)
    whole = np.mean([replicate for replicate in drawn if replicate is not None], axis=0)
    return Side(place, label, measured, rows.pop(), whole)


def _rows(run: KeptRun, metric: Metric) -> str:
    """What must be the same for two runs to be compared row by row: the rows, their truth, their weights."""
    answers = metric.answers(run) if metric.split else None
    if answers is None:
        return ""
    parts = [answers.rows.encode(), "\n".join(run.labels).encode(), str(answers.truth.shape).encode()]
    parts.append(np.ascontiguousarray(answers.truth, dtype=np.int64).tobytes())
    parts.append(b"" if answers.weights is None else np.ascontiguousarray(answers.weights, float).tobytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _compared(column: str, first: Side, second: Side) -> Comparison:
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
