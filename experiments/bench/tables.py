"""`make reproduce-tables` where nothing is left to train: the plan, and the whole report."""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path

from experiments.bench.commands import copy_run, run_command
from experiments.bench.measure import Finding, Row, seconds_row, spread
from experiments.bench.settings import Settings
from experiments.keeping import RESULTS
from experiments.planning import experiments_of
from experiments.profiles import planned
from experiments.table import papers

REPORTED_RUNS = 200


def reproduce_tables(settings: Settings) -> Finding:
    """Seconds of the plan, first with nothing kept between commands, and of the report of 200 runs.

    The runs are those of `results/runs/`, and copies of them in the places of further seeds.
    """
    number = settings.rows or REPORTED_RUNS
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        seeds, count = _multiply(place / "report" / RESULTS.name, number)
        first = _timed(place, seeds, "--dry")
        plans = [_timed(place, seeds, "--dry") for _ in range(settings.repetitions)]
        reports = [_timed(place, seeds, "--no-train") for _ in range(settings.repetitions)]
        size = (place / "report" / "report.html").stat().st_size
    rows = [
        seconds_row(f"the plan of all tables, {count} runs", plans, at_most=3.0),
        seconds_row("the same after a change of conf/, when all is composed anew", [first]),
        seconds_row(f"the plan and the whole report of {count} runs", reports, at_most=20.0),
        Row("size of its HTML file", size / 2**20, "MB"),
    ]
    details = [
        f"`make reproduce-tables SEEDS={seeds}`, whole commands: `DRY=1` {spread(plans)}, with an empty "
        f"cache {first:.2f} s; `TRAIN=0` (Markdown, figures, comparisons, HTML) {spread(reports)}. The kept "
        "runs stand in for those of further seeds, so that there are as many."
    ]
    return Finding(rows, details)


def _multiply(target: Path, number: int) -> tuple[int, int]:
    """Copy the kept runs, and once more for further seeds, until there are enough: seeds and runs."""
    kept = [
        (experiment, [RESULTS / run.name for run in planned(experiment) if (RESULTS / run.name).is_dir()])
        for experiment in experiments_of(papers())
    ]
    for seeds in itertools.count(1):
        sources = {
            run.name: (source, int(run.config["seed"]))
            for experiment, there in kept
            for run, source in zip(planned(experiment, seeds=seeds), itertools.cycle(there), strict=False)
        }
        if len(sources) >= number:
            break
    for name, (source, seed) in sources.items():
        copy_run(source, target / name, seed)
    return seeds, len(sources)


def _timed(place: Path, seeds: int, option: str) -> float:
    command = [
        *(sys.executable, "-m", "experiments.reproduce", option, "--seeds", str(seeds)),
        *("--runs-dir", str(place / "runs"), "--out", str(place / "report")),
    ]
    return run_command(command, {"EMOJI_PRED_CACHE": str(place / "cache")})[1]
