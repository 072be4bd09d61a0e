"""Small invented runs, kept as the runs of tables are."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred import runs
from experiments.keeping import KeptRun, keep, kept

LABELS = ["❤", "😂", "🔥"]


def one_hot(given: np.ndarray, classes: int = len(LABELS)) -> np.ndarray:
    """(N, C) float32 probabilities of which the given class has the most."""
    return np.where(np.arange(classes) == given[:, None], 0.8, 0.1).astype(np.float32)


def finished(
    directory: Path, predictions: dict[str, runs.SplitPredictions], task: str = "multiclass", **more: Any
) -> Path:
    """A finished run of the three classes: its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    runs.write_predictions(directory / runs.PREDICTIONS, predictions)
    result = {
        "schema": runs.RESULT_SCHEMA,
        "status": "finished",
        "run": directory.name,
        "config": {"seed": 0},
        "task": task,
        "label_names": LABELS,
        "provenance": {"date": datetime.date(2026, 1, 1).isoformat()},
        "files": {runs.PREDICTIONS: runs.file_digest(directory / runs.PREDICTIONS)},
        **{split: {} for split in predictions},
        **more,
    }
    runs.write_json(directory / runs.RESULT, result)
    return directory


def kept_run(
    tmp_path: Path,
    name: str,
    truth: np.ndarray,
    given: np.ndarray,
    *,
    rows: str = "row",
    seed: int = 0,
    **figures: Any,
) -> KeptRun:
    """A run whose answers to the test split are given, kept."""
    row_ids = [f"{rows}{index}" for index in range(len(truth))]
    directory = finished(
        tmp_path / "runs" / name,
        {"test": (row_ids, truth, one_hot(given))},
        config={"seed": seed},
        test={"accuracy": float((truth == given).mean()), **figures},
    )
    assert keep(directory, tmp_path / "kept" / name)
    run = kept(name, tmp_path / "kept")
    assert run is not None
    return run
