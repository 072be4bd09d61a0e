"""Small invented runs with everything that a report shows, and a shelf of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kept_answers import LABELS, finished, one_hot

from experiments import measured
from experiments.keeping import keep
from experiments.measured import Shelf
from experiments.profiles import CPU, Planned, overrides_of
from experiments.table import Experiment

TRUTH = np.arange(90) % 3
FILES = {"texts.txt": "0123456789abcdef0123456789abcdef01234567"}


def answered(right: int) -> np.ndarray:
    """Answers to `TRUTH` of which the first are right."""
    return np.where(np.arange(90) < right, TRUTH, (TRUTH + 1) % 3)


def curves(epochs: int, shift: float = 0.0) -> list[dict[str, float]]:
    """Losses that fall and accuracies that rise."""
    return [
        {
            **{
                "epoch": epoch,
                "train_loss": 2.0 - 0.1 * epoch + shift,
                "val_loss": 2.1 - 0.05 * epoch + shift,
            },
            **{"train_accuracy": 0.1 * epoch, "val_accuracy": 0.08 * epoch},
        }
        for epoch in range(epochs)
    ]


def keep_run(root: Path, name: str, seed: int, right: int, **more: Any) -> None:
    """A finished run of three classes with so many of 90 test rows right, kept below `root/kept`."""
    given = answered(right)
    per_class = [
        {
            "label": label,
            "precision": 0.5,
            "recall": 0.25 + 0.1 * seed,
            "f1": 0.4,
            "support": 30,
            "predicted": 30,
        }
        for label in LABELS
    ]
    test = {"accuracy": right / 90, "macro_f1": right / 100, "per_class": per_class}
    result: dict[str, Any] = {
        "config": {"seed": seed},
        "overrides": ["model=ffn", f"seed={seed}", "trainer.threads=1"],
        "test": test,
        "validation": {"macro_f1": 0.25},
        "curves": curves(3, 0.1 * seed),
        "best_epoch": 1,
        "wall_seconds": 90.0,
        "provenance": {
            **{"date": "2026-01-01", "python": "3.11.7", "packages": {"torch": "2.13.0"}},
            "code": {"commit": "0123456789abcdef", "dirty": False},
            "machine": {"system": "Linux x86_64", "cores": 2, "device": "cpu", "threads": 1},
            "corpus": {"repository": "someone/texts", "commit": "abc", "files": FILES},
        },
        **more,
    }
    rows = [f"test/{row}" for row in range(90)]
    directory = finished(root / "runs" / name, {"test": (rows, TRUTH, one_hot(given))}, **result)
    assert keep(directory, root / "kept" / name)


def shelf_of(root: Path, monkeypatch: pytest.MonkeyPatch, names: Mapping[str, Sequence[str]]) -> Shelf:
    """A shelf on which an experiment of `model=x` has the runs `names["x"]`, by seed."""

    def planned(experiment: Experiment, profile: str = CPU, *_: object) -> list[Planned]:
        typed = overrides_of(experiment, profile)
        models = [word.partition("=")[2] for word in typed if word.startswith("model=")]
        return [Planned(name, (), {}) for model in models for name in names.get(model, ())]

    monkeypatch.setattr(measured, "planned", planned)
    return Shelf(root / "kept")
