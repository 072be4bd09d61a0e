"""Invented finished runs, kept as those of the tables are: small, with metrics of their own answers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emoji_pred import runs
from emoji_pred.metrics import evaluate
from experiments.keeping import KeptRun, keep, kept
from experiments.profiles import composed

Split = tuple[np.ndarray, np.ndarray]  # truth (N,), probabilities (N, C)


def right_on(truth: np.ndarray, wrong: Sequence[int], classes: int) -> np.ndarray:
    """(N, C) probabilities whose answers are right but on the rows `wrong`, where they are the next class."""
    given = truth.copy()
    given[list(wrong)] = (given[list(wrong)] + 1) % classes
    rest = 0.2 / (classes - 1)
    return np.where(np.arange(classes) == given[:, None], 0.8, rest).astype(np.float32)


def finish(
    directory: Path,
    overrides: Sequence[str],
    splits: Mapping[str, Split],
    labels: Sequence[str],
    corpus: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a finished run of one label a text, as `train.py` would for these overrides."""
    config = runs.public(copy.deepcopy(composed(tuple(overrides))))
    parts = runs.identity(composed(tuple(overrides)), {})
    directory.mkdir(parents=True)
    predictions = {
        name: ([f"{name}-{row}" for row in range(len(truth))], truth, probabilities)
        for name, (truth, probabilities) in splits.items()
    }
    runs.write_predictions(directory / runs.PREDICTIONS, predictions)
    (directory / runs.CHECKPOINT).write_bytes(b"weights")
    files = (runs.PREDICTIONS, runs.CHECKPOINT)
    result = {
        "schema": runs.RESULT_SCHEMA,
        **{"status": "finished", "run": runs.run_hash(parts), "overrides": list(overrides)},
        **{"config": config, "task": "multiclass", "label_names": list(labels)},
        **{"parameters": {"total": 12, "trainable": 8}, "best_epoch": 0},
        **{"curves": [{"epoch": 0, "step": 3, "val_loss": 1.25, "train_loss": 1.5, "val_accuracy": 0.5}]},
        **{name: _metrics(*split, labels) for name, split in splits.items()},
        **{"wall_seconds": 90.0, "interruptions": 0, "peak_memory_mb": 300},
        "provenance": _provenance(parts, corpus or {}, splits),
        "files": {name: runs.file_digest(directory / name) for name in files},
    }
    runs.write_json(directory / runs.RESULT, result)
    return result


def keep_run(
    results: Path, overrides: Sequence[str], splits: Mapping[str, Split], labels: Sequence[str], **more: Any
) -> KeptRun:
    """Finish a run and keep it in `results`."""
    scratch = results.parent / f"scratch-{len(list(results.parent.glob('scratch-*')))}"
    name = finish(scratch, overrides, splits, labels, **more)["run"]
    assert keep(scratch, results / name)
    found = kept(name, results)
    assert found is not None
    return found


def _metrics(truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    found = evaluate(torch.tensor(probabilities), torch.tensor(truth), "multiclass", list(labels))
    top = max(found["per_class"], key=lambda entry: entry["support"])
    return {**found, "top_class": top["label"], "top_class_recall": top["recall"]}


def _provenance(
    parts: Mapping[str, Any], corpus: Mapping[str, Any], splits: Mapping[str, Split]
) -> dict[str, Any]:
    rows = {"train": 10, **{name: len(truth) for name, (truth, _) in splits.items()}}
    return {
        **{"identity": parts, "corpus": {"citation": "Nobody 1999", **corpus}, "rows": rows, "warnings": []},
        **{"code": {"commit": "c0ffee", "dirty": False}, "date": "2026-01-02", "python": "3.11.7"},
        **{"packages": {"torch": "2.13.0"}, "machine": {"system": "Linux", "cores": 2, "device": "cpu"}},
    }
