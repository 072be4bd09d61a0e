"""Invented runs of small tables, for tests of what is rendered: hostile labels, two scripts, one stand-in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred import runs
from experiments.keeping import keep
from experiments.measured import Shelf
from experiments.page import write
from experiments.profiles import planned
from experiments.table import Cell, Experiment, Figure, Finding, Metric, Paper, Row, Table, experiment_row

SCRIPT = "</script><script>alert(1)</script>"
LABELS = ("❤", SCRIPT, "خوشی", "😂")
PICTURE = "<img src=x onerror=alert(2)>"
COMMENT = "<!-- <script>"

SEEDED = Experiment(("data=sample", "data.rows=300", "model=ffn"), seeds=2)
ALONE = Experiment(
    ("data=sample", "data.rows=300", "model=tfidf_nb"),
    ("data=tweeteval", "model=bert"),
    random=False,
    stand_in="a `small` model for the paper's",
)
MISSING = Experiment(("data=sample", "data.rows=300", "model=cnn"), seeds=2)
LACKING = Experiment((), ("data=telegram_rus", "encoder=rubert"), lacking="the weights cannot be had")

ACCURACY, MACRO = Metric("accuracy", "accuracy"), Metric("macro F1", "macro_f1")
SUPPORT = Metric("rows", "per_class/❤/support", decimals=0, higher_is_better=None)


def a_result(name: str, seed: int, accuracy: float, labels: tuple[str, ...] = LABELS) -> dict[str, Any]:
    """A finished result: what the page reads, and nothing else."""
    count = len(labels)
    classes = [
        {"label": one, "precision": 0.5, "recall": 0.25, "f1": 1 / 3, "support": 8, "predicted": 4}
        for one in labels
    ]
    split = {
        **{"accuracy": accuracy, "macro_f1": accuracy / 2, "per_class": classes},
        "confusion_matrix": [[7 if row == column else 1 for column in range(count)] for row in range(count)],
    }
    return {
        **{"schema": runs.RESULT_SCHEMA, "status": "finished", "run": name, "task": "multiclass"},
        "overrides": ["data=sample", f"note={SCRIPT}", f"seed={seed}"],
        "config": {"seed": seed, "data": {"name": "sample", "note": COMMENT}, "model": {"name": "ffn"}},
        "label_names": list(labels),
        "best_epoch": 1,
        "curves": [
            {"epoch": epoch, "train_loss": 2 - epoch, "val_loss": 2.5 - epoch, "val_accuracy": 0.1 * epoch}
            for epoch in range(3)
        ],
        "validation": split,
        "test": split,
        "wall_seconds": 61.0,
        "peak_memory_mb": 512,
        "provenance": {
            "corpus": {"repository": "some/where", "commit": "abc123", "files": {"a.txt": "blob9876"}},
            "rows": {"train": 100, "validation": 8, "test": 32},
            "warnings": [f"odd: {PICTURE}"],
            "code": {"commit": "0123456789abcdef", "dirty": True},
            **{"date": "2026-01-02", "python": "3.11.7", "packages": {"numpy": "2.4.6"}},
            "machine": {"system": "Linux x86_64", "cores": 2, "device": "cpu"},
        },
    }


def put(experiment: Experiment, results: Path, accuracies: tuple[float, ...]) -> list[str]:
    """Keep a run of an experiment for each accuracy; their names."""
    truth = np.repeat(np.arange(len(LABELS)), 8)
    probabilities = np.full((len(truth), len(LABELS)), 0.1, dtype=np.float32)
    probabilities[np.arange(len(truth)), np.where(np.arange(len(truth)) % 2, truth, 0)] = 0.7
    ids = [f"test/{row}" for row in range(len(truth))]
    names = []
    for run, (seed, accuracy) in zip(planned(experiment), enumerate(accuracies), strict=True):
        directory = runs.prepare_directory(results.parent / "own" / run.name)
        runs.write_predictions(directory / runs.PREDICTIONS, {"test": (ids, truth, probabilities)})
        digests = {runs.PREDICTIONS: runs.file_digest(directory / runs.PREDICTIONS)}
        runs.write_json(directory / runs.RESULT, a_result(run.name, seed, accuracy) | {"files": digests})
        assert keep(directory, results / run.name)
        names.append(run.name)
    return names


def a_paper() -> Paper:
    """Tables with every kind of cell, a figure, a finding."""
    first = Table(
        "invented.1",
        f"Table 1: {PICTURE}",
        ("accuracy", "macro F1", "rows"),
        (
            experiment_row("❤", SEEDED, (ACCURACY, MACRO, SUPPORT), (0.31, None, 8), note="a *note*"),
            Row("خوشی", (Cell(ALONE, ACCURACY, 0.9), Cell(ALONE, MACRO, 0.1), None), note=PICTURE),
            Row(SCRIPT, (Cell(MISSING, ACCURACY, 0.5), None, None)),
            Row("out of reach", (Cell(LACKING, ACCURACY, 0.5), None, None)),
        ),
        about="What is *measured*.",
        contradictions=("0.5 and `0.6` are both printed",),
    )
    return Paper(
        "invented",
        "An invented paper",
        "Nobody, 2026",
        (first,),
        (Figure("invented.figure1", "Figure 1: curves", "curves", (("FFN", SEEDED),)),),
        (
            Finding(
                "invented.1",
                "Something is odd",
                lambda shelf: f"It is **odd**: {PICTURE}",
                (("with", Cell(SEEDED, ACCURACY)), ("without", Cell(ALONE, ACCURACY))),
                ("invented.1",),
                "invented",
            ),
        ),
    )


def put_page(directory: Path) -> Path:
    """Put two seeds of one experiment and a run of another into `directory`/runs, and their page beside."""
    results = directory / "runs"
    put(SEEDED, results, (0.30, 0.34))
    put(ALONE, results, (0.625,))
    (directory / "audit" / "invented").mkdir(parents=True)
    path = directory / "report.html"
    write((a_paper(),), Shelf(results), path)
    return path
