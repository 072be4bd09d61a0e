"""What was measured for a cell: its runs, their mean and interval, a verdict on the published number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from emoji_pred import runs
from experiments.keeping import RESULTS, KeptRun, kept
from experiments.profiles import CPU, FULL, SMOKE, Planned, overrides_of, planned, seeds_of
from experiments.resampling import CONFIDENCE, replicates
from experiments.scoring import is_fraction
from experiments.table import Cell, Experiment, Metric

SEEDS, ROWS = "seeds", "rows"


class Verdict(StrEnum):
    """What a measurement says of a published number; the rule is `RULE`."""

    REPRODUCED = "reproduced"
    BETTER = "better"
    WORSE = "worse"
    DIFFERENT = "different"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"
    NOT_RUN = "not run"
    NOT_PUBLISHED = "not published"


WIDEST = 0.05  # of one side of an interval, as a fraction: a wider one holds almost any number
RULE = (
    "A published number is *reproduced* where, as it was rounded, it lies in the 95 % interval in which "
    "one more run of ours would fall: the paper printed one run. Over seeds this is Student's "
    "prediction interval; of a single run it is the bootstrap interval over the rows of the split, "
    "which leaves the seed out and so is too narrow. Where one side of the interval is wider than 5 "
    "points, it is *inconclusive* instead, unless our mean rounds to the very number. Outside the "
    "interval our runs are *better* or *worse*, or *different* where a higher number is neither. Counts, "
    "such as the rows of a class, say nothing of a model and are judged apart: the *same* or *different*. "
    "It is *not comparable* where a stand-in took the place of the paper's encoder or data."
)


@dataclass(frozen=True)
class Measured:
    """The measurement of a cell.

    Attributes:
        cell: what was measured.
        runs: one a seed, with a number each.
        values: their numbers, scaled.
        missing: seeds that have no run.
        interval: of the mean, 95 %: Student's over seeds, or bootstrap over rows of a single run; of a
            fraction it is cut at 0 and at the metric's scale, as nothing lies beyond.
        interval_of: `seeds` or `rows`; "" where there is none, as of a count.
        one_more: where one more run would fall, 95 %; it is cut in the same places.
        stale: where there is no run of today: what changed in the code since earlier ones, that alters their
            numbers.
        before: what those earlier runs said; such a cell counts as not run, and shows this with a mark alone.
        stand_in: what makes the runs something else than the paper's experiment; "": they are that.
    """

    cell: Cell
    runs: tuple[KeptRun, ...]
    values: tuple[float, ...]
    missing: tuple[int, ...]
    interval: tuple[float, float] | None = None
    interval_of: str = ""
    one_more: tuple[float, float] | None = None
    stale: tuple[str, ...] = ()
    before: Measured | None = None
    stand_in: str = ""

    @property
    def mean(self) -> float | None:
        """Over the runs; None where there is none."""
        return math.fsum(self.values) / len(self.values) if self.values else None

    @property
    def difference(self) -> float | None:
        """Measured less published."""
        if self.mean is None or self.cell.published is None:
            return None
        return self.mean - self.cell.published

    @property
    def _hidden(self) -> float:
        """What rounding hides of a published number, either way."""
        return 0.5 * 10.0**-self.cell.metric.decimals + 1e-9

    @property
    def holds_published(self) -> bool:
        """Whether the published number, as it was rounded, lies in the interval of our mean."""
        if self.cell.published is None or self.interval is None:
            return False
        low, high = self.interval
        return low - self._hidden <= self.cell.published <= high + self._hidden

    @property
    def verdict(self) -> Verdict:
        """By `RULE`."""
        if self.mean is None:
            return Verdict.NOT_RUN
        if self.cell.published is None:
            return Verdict.NOT_PUBLISHED
        if self.stand_in:
            return Verdict.NOT_COMPARABLE
        metric, half = self.cell.metric, self._hidden
        low, high = self.one_more or (self.mean, self.mean)
        near = abs(self.mean - self.cell.published) <= half
        if metric.is_count:
            return Verdict.SAME if near else Verdict.DIFFERENT
        if low - half <= self.cell.published <= high + half:
            wide = max(high - self.mean, self.mean - low) > WIDEST * metric.scale + 1e-9
            return Verdict.INCONCLUSIVE if wide and not near else Verdict.REPRODUCED
        if metric.higher_is_better is None:
            return Verdict.DIFFERENT
        above = self.mean > self.cell.published
        return Verdict.BETTER if above == metric.higher_is_better else Verdict.WORSE


class Shelf:
    """The kept runs of experiments, each read once.

    What it shows hangs on the kept runs alone, and not on what was asked for when they were trained, so that
    a page can be verified: all seeds that are kept, and the paper's own experiment in the place of a stand-in
    once every one of its seeds is. Only `smoke` has runs of its own.

    Args:
        results: the directory of `<name>/result.json`.
        profile: whose runs are looked for; `cpu` and `full` are the same here.
    """

    def __init__(self, results: Path = RESULTS, profile: str = CPU) -> None:
        self.results, self.profile = results, profile
        self._runs: dict[str, KeptRun | None] = {}  # by name
        self._measured: dict[Cell, Measured] = {}
        self._shown: dict[Experiment, str] = {}

    def overrides(self, experiment: Experiment) -> tuple[str, ...]:
        """What is typed for the runs that are shown, without the seed; nothing where none can be run here."""
        return overrides_of(experiment, self._shown_as(experiment))

    def seeds(self, experiment: Experiment) -> tuple[int, ...]:
        """Its own seeds, and those that follow as far as they are kept without a gap."""
        profile = self._shown_as(experiment)
        found = seeds_of(experiment, profile)
        while experiment.random and profile != SMOKE and self._is_kept(experiment, profile, len(found)):
            found = (*found, len(found))
        return found

    def stand_in(self, experiment: Experiment) -> str:
        """What makes the runs that are shown something else than the paper's; "": they are the paper's."""
        if not experiment.stand_in or self._shown_as(experiment) == FULL:
            return ""
        have, want = self._of_published(experiment)
        more = f"; of the paper's own {have} of {want} runs are kept, and shown once all are" if have else ""
        return experiment.stand_in + more

    def _shown_as(self, experiment: Experiment) -> str:
        """The profile whose runs of an experiment are shown."""
        if experiment not in self._shown:
            self._shown[experiment] = self.profile if self.profile == SMOKE else self._better(experiment)
        return self._shown[experiment]

    def _better(self, experiment: Experiment) -> str:
        """The published runs if they are whole, or if there are no others."""
        have, want = self._of_published(experiment)
        others = [run for run in planned(experiment, CPU) if self._kept(run.name)] if have else []
        return FULL if have and (have == want or not others) else CPU

    def _of_published(self, experiment: Experiment) -> tuple[int, int]:
        """How many runs of the paper's own experiment are kept, where ours is another; of how many."""
        if not experiment.published or experiment.published == experiment.measured:
            return 0, 0
        wanted = planned(experiment, FULL)
        return sum(self._kept(run.name) is not None for run in wanted), len(wanted)

    def _is_kept(self, experiment: Experiment, profile: str, seed: int) -> bool:
        found = planned(experiment, profile, seed + 1)
        return len(found) > seed and self._kept(found[seed].name) is not None

    def _planned(self, experiment: Experiment) -> list[Planned]:
        return planned(experiment, self._shown_as(experiment), len(self.seeds(experiment)))

    def names(self, experiment: Experiment) -> list[str]:
        """What its runs are called, by seed; none where it cannot be run in this profile."""
        return [run.name for run in self._planned(experiment)]

    def runs(self, experiment: Experiment) -> list[KeptRun]:
        """Its finished runs, by seed.

        A run counts only if its name is what the experiment's command would be called today: a result of
        other settings, or of settings that have changed since, is never shown.
        """
        return [run for run in map(self._kept, self.names(experiment)) if run is not None]

    def stale(self, experiment: Experiment) -> list[tuple[KeptRun, tuple[str, ...]]]:
        """Its runs of before a change of the code that alters their numbers, each with what changed since.

        Of each seed that has no run of today, the latest one (`emoji_pred.changes` declares the changes).
        """
        found = (self._earlier(run) for run in self._planned(experiment) if self._kept(run.name) is None)
        return [earlier for earlier in found if earlier is not None]

    def measured(self, cell: Cell) -> Measured:
        """What the finished runs say of a cell; where there is none, what stale ones said, apart."""
        if cell not in self._measured:
            found = self.runs(cell.experiment)
            measured = _measured(cell, found, self.seeds(cell.experiment))
            measured = replace(measured, stand_in=self.stand_in(cell.experiment))
            self._measured[cell] = measured if found else self._with_stale(measured)
        return self._measured[cell]

    def _with_stale(self, measured: Measured) -> Measured:
        earlier = self.stale(measured.cell.experiment)
        before = _measured(measured.cell, [run for run, _ in earlier], ())
        changed = dict.fromkeys(what for _, since in earlier for what in since)
        return replace(measured, stale=tuple(changed), before=before) if before.values else measured

    def _kept(self, name: str) -> KeptRun | None:
        if name not in self._runs:
            self._runs[name] = kept(name, self.results)
        return self._runs[name]

    def _earlier(self, planned: Planned) -> tuple[KeptRun, tuple[str, ...]] | None:
        for identity, since in runs.earlier_identities(planned.config, {}):
            run = self._kept(runs.run_hash(identity))
            if run is not None:
                return run, tuple(change.what for change in since)
        return None


def of_runs(metric: Metric, kept_runs: Sequence[KeptRun]) -> Measured:
    """What some runs of one experiment say of a metric, whether or not a table asks for them."""
    return _measured(Cell(Experiment(("runs that were named",)), metric), kept_runs, ())


def _measured(cell: Cell, found: Sequence[KeptRun], seeds: Sequence[int]) -> Measured:
    numbers = [(run, cell.metric.read(run)) for run in found]
    pairs = [(run, value) for run, value in numbers if value is not None]
    runs, values = tuple(run for run, _ in pairs), tuple(value for _, value in pairs)
    missing = tuple(seed for seed in seeds if seed not in {run.seed for run in found})
    if not values or cell.metric.is_count:
        return Measured(cell, runs, values, missing)
    if len(values) > 1:
        of_mean, of_one = (_within(cell.metric, *ends) for ends in over_seeds(values))
        return Measured(cell, runs, values, missing, of_mean, SEEDS, of_one)
    interval = _over_rows(runs[0], cell.metric)
    return Measured(cell, runs, values, missing, interval, ROWS if interval else "", interval)


def _within(metric: Metric, low: float, high: float) -> tuple[float, float]:
    """An interval cut at what a fraction can be."""
    return (max(low, 0.0), min(high, metric.scale)) if is_fraction(metric.path) else (low, high)


def over_seeds(values: Sequence[float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Student's 95 % intervals of the mean, and of one more value: of two values or more."""
    from scipy import stats

    count, mean, deviation = len(values), float(np.mean(values)), float(np.std(values, ddof=1))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * deviation
    of_mean, of_one = reach / math.sqrt(count), reach * math.sqrt(1 + 1 / count)
    return (mean - of_mean, mean + of_mean), (mean - of_one, mean + of_one)


def _over_rows(run: KeptRun, metric: Metric) -> tuple[float, float] | None:
    """The percentile interval of the bootstrap."""
    found = replicates(run, metric)
    if found is None:
        return None
    low, high = np.percentile(found, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return float(low), float(high)
