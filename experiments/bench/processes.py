"""What a user waits for before training starts, and the memory of a run: each in a process of its own."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from experiments.bench.child import STARTED, WATCHED
from experiments.bench.commands import run_command
from experiments.bench.measure import Finding, Row, seconds_row, spread
from experiments.bench.settings import Settings


def startup(settings: Settings) -> Finding:
    """Seconds to `--help`, and from the start of the process to the end of a cnn run's first step."""
    helped, stepped, imported = [], [], set()
    _child("first_step", settings)  # fills the caches of tokens and of the operating system
    for repetition in range(settings.repetitions):
        started = time.perf_counter()
        _checked([sys.executable, "train.py", "--help"])
        helped.append(time.perf_counter() - started)
        report = _child("first_step", settings)
        stepped.append(report["seconds"])
        imported |= set(report["imported"])
        print(
            f"startup {repetition + 1}/{settings.repetitions}  help {helped[-1]:.2f} s, "
            f"first step {stepped[-1]:.2f} s",
            flush=True,
        )
    note = f"{', '.join(sorted(imported))} imported" if imported else f"{', '.join(WATCHED)} not imported"
    rows = [
        seconds_row("python train.py --help", helped, at_most=3.0),
        seconds_row("first training step of a cnn run on cached data", stepped, at_most=8.0, note=note),
    ]
    if imported:
        rows.append(
            Row("heavy packages imported by a cnn run", float(len(imported)), "", at_most=0.0, note=note)
        )
    details = [
        f"--help {spread(helped)}; first step {spread(stepped)}, counted from the start of the process."
    ]
    return Finding(rows, details)


def memory(settings: Settings) -> Finding:
    """Peak resident memory of a whole cnn run, evaluation and writing of results included."""
    peaks = [_child("memory", settings, *_limits(settings))["peak_mb"] / 1024]
    print(f"memory {peaks[0]:.3f} GB", flush=True)
    row = Row("peak memory of a cnn run", statistics.median(peaks), "GB", at_most=1.5)
    return Finding([row], ["One whole run: training, validation, test, results. GB is 2^30 bytes (VmHWM)."])


def _limits(settings: Settings) -> list[str]:
    limits = [f"model.max_epochs={settings.epochs}"] if settings.epochs else []
    return [*limits, *([f"trainer.max_steps={-(-settings.rows // 32)}"] if settings.rows else [])]


def _child(what: str, settings: Settings, *overrides: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as runs:
        words = [
            "model=cnn",
            f"data={settings.data}",
            f"data_dir={settings.data_dir}",
            f"cache_dir={settings.cache_dir}",
            f"trainer={settings.trainer}",
            f"runs_dir={runs}",
            *([f"trainer.threads={settings.threads}"] if settings.threads else []),
            *overrides,
        ]
        output = _checked([sys.executable, "-m", "experiments.bench.child", what, *words])
    report: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return report


def _checked(command: Sequence[str]) -> str:
    return run_command(command, {STARTED: repr(time.time())})[0]
