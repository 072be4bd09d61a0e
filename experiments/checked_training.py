"""Whether a kept number comes out again: one run trained from nothing, by the command that made it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments.keeping import FORMS, ROOT, KeptRun, kept

# A linear model's answers are the same on every machine. A network's are so on one processor with the same
# versions; elsewhere sums are rounded otherwise, and training carries that on.
EXACTLY, OF_NETWORKS = 1e-9, 0.02
# A run on data that are at hand everywhere; no cell of a table, and so not among the runs of tables.
BUNDLED = ROOT / "results" / "bundled"
QUIETLY = ("logger=none", "trainer.progress=none")
SPLITS = ("validation", "test")
NOT_COMPARED = ("yardsticks", "decision")  # of the data alone; thresholds, which the metrics show


def retrain(results: Path, name: str = "") -> tuple[list[str], KeptRun]:
    """Train a kept run again and compare its metrics.

    Args:
        results: the kept runs.
        name: of the run; "": the linear one that took the least time, of those whose data are at hand, or
            else the one on bundled data.

    Returns:
        A line for each metric that differs, and the run.

    Raises:
        UserError: there is no such run, or it cannot be trained here.
    """
    if name:
        run = kept(name, results)
        if run is None:
            raise UserError(f"there is no kept run {name}")
        return _again(run), run
    refused = "no linear model is kept"
    for run in [*cheapest(results), *cheapest(BUNDLED)]:
        try:
            return _again(run), run
        except UserError as error:
            refused = str(error)
    raise UserError(f"no kept run can be trained here; the last one said: {refused}")


def cheapest(results: Path) -> list[KeptRun]:
    """Of each dataset the linear run that took the least time, the cheapest first; none that is damaged."""
    first: dict[str, KeptRun] = {}
    for _, _, data, run in sorted(_linear(results), key=lambda found: found[:2]):
        first.setdefault(data, run)
    return list(first.values())


def _linear(results: Path) -> Iterator[tuple[float, str, str, KeptRun]]:
    """Seconds, name, dataset and run."""
    for path in results.glob(f"*/{runs.RESULT}"):
        with suppress(UserError, *FORMS):
            run = kept(path.parent.name, results)
            if run is not None and runs.is_linear(run.result["config"]):
                yield float(run.result["wall_seconds"]), run.name, run.result["config"]["data"]["name"], run


def command(run: KeptRun) -> list[str]:
    """The overrides that train a run again: what was typed, its seed, and the threads that it had.

    A network's sums are rounded otherwise with other threads, which is no change of the code.
    """
    threads = run.result["config"].get("trainer", {"threads": 1})["threads"]  # linear models have no trainer
    ours = [f"seed={run.seed}", f"trainer.threads={'null' if threads is None else threads}", *QUIETLY]
    given = tuple(f"{part.partition('=')[0]}=" for part in ours)
    return [*(part for part in run.result["overrides"] if not part.startswith(given)), *ours]


def _again(run: KeptRun) -> list[str]:
    typed = command(run)
    with tempfile.TemporaryDirectory(prefix="emoji_pred_verify_") as folder:
        _train(run.name, [*typed, f"runs_dir={folder}"])
        result = runs.read_finished(Path(folder) / run.name)
    if result is None:
        return [f"{run.name}: {' '.join(typed)} is another run by the code of today"]
    return list(metric_differences(run, result))


def _train(name: str, overrides: Sequence[str]) -> None:
    environment = {"WANDB_MODE": "offline", **os.environ}
    done = subprocess.run(
        [sys.executable, "train.py", *overrides], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise UserError(f"run {name} cannot be trained again: {' '.join(last)}")


def metric_differences(run: KeptRun, result: Mapping[str, Any]) -> Iterator[str]:
    """The metrics of a result that are not those of a kept run.

    Args:
        run: the kept one.
        result: of the same command, trained anew.
    """
    tolerance = EXACTLY if runs.is_linear(run.result["config"]) else OF_NETWORKS
    for split in SPLITS:
        now = dict(_numbers(result.get(split, {}), tolerance != EXACTLY))
        for path, value in _numbers(run.result.get(split, {}), tolerance != EXACTLY):
            if path not in now or abs(now[path] - value) > tolerance:
                yield f"{run.name}: {split}/{path} was {value!r}, and is {now.get(path)!r} when trained again"


def _numbers(figures: Mapping[str, Any], fractions_alone: bool) -> Iterator[tuple[str, float]]:
    """The metrics of a split by path; of a network not those by class, counts or losses, which swing."""
    for name, value in figures.items():
        if name in NOT_COMPARED or isinstance(value, bool):
            continue
        if isinstance(value, int | float):
            if not fractions_alone or (isinstance(value, float) and name != "loss"):
                yield name, float(value)
        elif name == "per_class" and not fractions_alone:
            for entry in value:
                label = entry["label"]
                yield from (
                    (f"per_class/{label}/{key}", float(entry[key])) for key in entry if key != "label"
                )
