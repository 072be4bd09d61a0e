"""Sweeps: finding what is finished, and training on several processes against one."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emoji_pred import runs
from emoji_pred.run import identify
from experiments.bench.commands import copy_run, run_command
from experiments.bench.measure import Finding, Row, interleave, ratio_row, seconds_row, spread
from experiments.bench.settings import Settings
from experiments.profiles import composed

FOUND_RUNS = 1000
SHORT_RUNS = 32
# A tenth of a second, and some four seconds, once torch is loaded; one thread, so that all sides round alike.
FOUND = ("data=sample", "data.rows=300", "model=ffn", "model.max_epochs=1", "trainer.threads=1")
SHORT = ("data=sample", "model=cnn", "model.max_epochs=6", "model.early_stopping=null", "trainer.threads=1")


def sweep_finding(settings: Settings) -> Finding:
    """Seconds of a sweep whose runs are all finished: the files read for the first time, and again."""
    number = settings.rows or FOUND_RUNS
    command = [*FOUND, "trainer.progress=none", "logger=none", f"seed=range({number})"]
    with tempfile.TemporaryDirectory() as place:
        _timed(Path(place), [*command[:-1], "seed=0"])
        _multiply(Path(place), command[:-1], number)
        time.sleep(2 * runs.SETTLED_SECONDS)  # files as new as these are read again
        first = _timed(Path(place), command)
        again = [_timed(Path(place), command) for _ in range(settings.repetitions)]
    rows = [
        seconds_row(f"a sweep of {number:,} finished runs, whole command", again, at_most=2.0),
        seconds_row("the same the first time, when every file is read", [first]),
    ]
    details = [
        f"`train.py -m ... seed=range({number})`: {spread(again)}; the first time {first:.2f} s. It composes "
        "and names every configuration, reads its result, checks its files, and prints the table."
    ]
    return Finding(rows, details)


def sweep_workers(settings: Settings) -> Finding:
    """The same short runs in one process, and on two."""
    number = settings.rows or SHORT_RUNS
    command = [*SHORT, "trainer.progress=none", "logger=none", f"seed=range({number})"]
    commands = {"one process": command, "two workers": [*command, *_workers(2)]}
    with tempfile.TemporaryDirectory() as place:
        sides = {name: (lambda turn, name=name: side(turn, name)) for name in commands}

        def side(turn: int, name: str) -> float:
            directory = Path(place) / f"{name} {turn}"
            return _timed(directory, commands[name])

        seconds = interleave("sweep_workers", sides, settings.repetitions)
        alone, together = (_answers(Path(place) / f"{name} 0") for name in commands)
    if alone.keys() != together.keys() or any(not np.array_equal(alone[run], together[run]) for run in alone):
        raise RuntimeError("one process and two workers gave different results")
    slow, fast = seconds["one process"], seconds["two workers"]
    row = ratio_row(f"{number} short runs: one process / two workers", slow, fast, at_least=1.7)
    details = [
        f"`train.py -m {' '.join(SHORT)} seed=range({number})`, whole commands: one process "
        f"{spread(slow, 1)}, `hydra/launcher=joblib hydra.launcher.n_jobs=2` {spread(fast, 1)}; one thread a "
        "run, all probabilities equal."
    ]
    return Finding([row, Row("runs with other results on two workers", 0.0, "", at_most=0.0)], details)


def _workers(number: int) -> list[str]:
    return ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={number}"]


def _timed(place: Path, overrides: Sequence[str]) -> float:
    command = [sys.executable, "train.py", "-m", *overrides, f"runs_dir={place}", f"cache_dir={place}/cache"]
    return run_command(command)[1]


def _multiply(place: Path, overrides: Sequence[str], number: int) -> None:
    """Copies of the run of seed 0 that lie where those of the other seeds would."""
    config = composed([*overrides, f"runs_dir={place}"])
    trained = identify({**config, "seed": 0}).directory
    for seed in range(1, number):
        copy_run(trained, identify({**config, "seed": seed}).directory, seed)


def _answers(place: Path) -> dict[str, np.ndarray]:
    """The test probabilities of every run."""
    files = place.glob(f"*/{runs.PREDICTIONS}")
    return {file.parent.name: runs.read_predictions(file)["test"][2] for file in files}
