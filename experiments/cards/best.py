"""The best of the kept runs on a dataset, chosen on validation, and its siblings under another setting."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoji_pred import runs
from experiments.keeping import RESULTS, KeptRun, kept
from experiments.profiles import composed
from experiments.table import Metric

VALIDATION_F1 = Metric("validation macro F1", "macro_f1", "validation", decimals=3)
ANY_VALUE = ("clean", "clusters")  # of a dataset: runs that differ in them have the same validation rows


@dataclass(frozen=True)
class Trained:
    """The runs of one experiment: they differ in the seed alone.

    Attributes:
        runs: at least one, by seed.
    """

    runs: tuple[KeptRun, ...]

    @property
    def validation(self) -> float:
        """Mean over the seeds of the macro F1 on validation, a fraction."""
        return math.fsum(map(_validation_f1, self.runs)) / len(self.runs)

    @property
    def best(self) -> KeptRun:
        """The seed that is best on validation; of equal ones the first."""
        return max(self.runs, key=_validation_f1)

    @property
    def data(self) -> dict[str, Any]:
        """The settings of its dataset that determine numbers."""
        return dict(identity(self.best)["data"])


def identity(run: KeptRun) -> dict[str, Any]:
    """What determines the numbers of a run, as its result holds it."""
    return dict(run.result["provenance"]["identity"])


def all_kept(results: Path = RESULTS) -> list[KeptRun]:
    """Every kept run, by name."""
    names = sorted(path.parent.name for path in results.glob(f"*/{runs.RESULT}"))
    found = (kept(name, results) for name in names)
    return [run for run in found if run is not None]


def experiments_of(found: Sequence[KeptRun]) -> list[Trained]:
    """The runs put together by experiment."""
    together: dict[str, list[KeptRun]] = {}
    for run in found:
        together.setdefault(_without(identity(run), "seed"), []).append(run)
    return [Trained(tuple(sorted(group, key=lambda run: run.seed))) for group in together.values()]


def on_dataset(name: str, trained: Sequence[Trained]) -> list[Trained]:
    """Those on a dataset as `data=NAME` gives it, whatever their cleaning, best on validation first.

    Runs on other rows (another split, without a class) are left out: their validation scores do not compare.
    """
    rows = runs.identity(composed((f"data={name}",)), {})["data"]
    fitting = [group for group in trained if _without(group.data, *ANY_VALUE) == _without(rows, *ANY_VALUE)]
    return sorted(fitting, key=lambda group: -group.validation)


def same_experiment(run: KeptRun, found: Iterable[KeptRun]) -> Trained:
    """A run and, of those found, the runs that differ from it in the seed alone."""
    wanted = _without(identity(run), "seed")
    others = {other.seed: other for other in found if _without(identity(other), "seed") == wanted}
    together = {**others, run.seed: run}
    return Trained(tuple(together[seed] for seed in sorted(together)))


def sibling(of: KeptRun, key: str, value: Any, trained: Sequence[Trained]) -> Trained | None:
    """The experiment that differs from that of a run in one setting of the dataset; None: it was not run."""
    own = identity(of)
    wanted = _without({**own, "data": {**own["data"], key: value}}, "seed")
    return next((group for group in trained if _without(identity(group.best), "seed") == wanted), None)


def _validation_f1(run: KeptRun) -> float:
    value = VALIDATION_F1.read(run)
    return -1.0 if value is None else value


def _without(parts: Mapping[str, Any], *keys: str) -> str:
    left = {key: value for key, value in parts.items() if key not in keys}
    return json.dumps(left, sort_keys=True, ensure_ascii=False)
