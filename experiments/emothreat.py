"""EmoThreat, published beside measured: `python -m experiments.emothreat [run|report]`.

`run` starts what is missing through `train.py`, as a user would, on what can be built from public files;
`report` copies each finished run's result and answers to `results/emothreat/<hash>/` and renders
`results/emothreat.md`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred import runs
from experiments.kept_runs import (
    ROOT,
    kept_results,
    mistakes_in_one_line,
    parser_of,
    run_names,
    seeds_without,
    start,
)

RESULTS = ROOT / "results" / "emothreat"
REPORT = ROOT / "results" / "emothreat.md"
DATA = "data=emothreat_public"
# The test set's reviews are told from its tweets by their length alone, so both are looked at.
READINGS = {"all rows": (), "without the neutral reviews": ("data.neutral=false",)}
STAND_IN = (
    "stand-in encoder: all-MiniLM-L6-v2, 22.7 M parameters, trained on English; "
    "batches of 32 at 5e-5, for want of time"
)
NO_WEIGHTS = "not run: the encoder's weights cannot be had without the Hugging Face Hub"


@dataclass(frozen=True)
class Row:
    """One row of a published table, or a model of ours beside it.

    Attributes:
        table: of the paper, or "ours".
        label: in the table.
        overrides: on the command line, without data and seed; none: it is not run.
        seeds: one run each.
        paper: accuracy, precision, recall and F1 as printed.
        full: what to type for the paper's own experiment on the official data; not run here.
        note: what makes the row something else than the paper's.
    """

    table: str
    label: str
    overrides: tuple[str, ...]
    seeds: tuple[int, ...]
    paper: tuple[float, float, float, float] | None = None
    full: str = ""
    note: str = ""


def _full(*overrides: str) -> str:
    return " ".join(("python train.py data=emothreat", *overrides))


# The paper trains with batches of 2 at 1e-5, ten times as many steps: an hour and more a run on one core.
ENCODER = (
    *("encoder=minilm", "trainer.precision=bf16-mixed"),
    *("model.batch_size=32", "model.optimizer.lr=5.0e-5"),
)

ROWS = (
    Row(
        "Table 3",
        "seven heads, UrduHack",
        (),
        (),
        (0.394, 0.453, 0.758, 0.567),
        _full("model=seven_heads", "encoder=urduhack", "loss=pos_neg_weighted"),
        NO_WEIGHTS,
    ),
    Row(
        "Table 3",
        "seven heads, multilingual BERT",
        (),
        (),
        (0.340, 0.358, 0.8559, 0.5048),
        _full("model=seven_heads", "encoder=mbert", "loss=pos_neg_weighted"),
        NO_WEIGHTS,
    ),
    Row(
        "Table 3",
        "seven heads, stand-in",
        ("model=seven_heads", "loss=pos_neg_weighted", *ENCODER),
        (0,),
        note=STAND_IN,
    ),
    Row(
        "Table 4",
        "naive Bayes",
        ("model=tfidf_nb",),
        (0,),
        (0.68, 0.98, 0.68, 0.80),
        _full("model=tfidf_nb"),
    ),
    Row(
        "Table 4",
        "linear SVC",
        ("model=tfidf_svc",),
        (0,),
        (0.79, 0.91, 0.84, 0.87),
        _full("model=tfidf_svc"),
    ),
    Row(
        "Table 4",
        "logistic regression",
        ("model=tfidf_logreg",),
        (0,),
        (0.77, 0.96, 0.79, 0.86),
        _full("model=tfidf_logreg"),
    ),
    Row("ours", "linear SVM of character and word n-grams", ("model=ngram_svc",), (0,)),
    Row(
        "ours",
        "one linear layer on the encoder",
        ("model=multilabel", "loss=bce", *ENCODER),
        (0,),
        note=STAND_IN,
    ),
    Row("ours", "CNN from scratch", ("model=cnn", "loss=bce"), (0, 1, 2)),
    Row("ours", "Transformer from scratch", ("model=transformer", "loss=bce"), (0, 1, 2)),
)


@dataclass
class Measured:
    """The finished runs of a row under one reading."""

    row: Row
    reading: str
    results: list[dict[str, Any]] = field(default_factory=list)


def command(row: Row, reading: str, seeds: Sequence[int]) -> list[str]:
    """The sweep over seeds that a user would type for a row."""
    return ["train.py", "-m", DATA, *READINGS[reading], *row.overrides, f"seed={','.join(map(str, seeds))}"]


def collect(runs_dir: Path) -> list[Measured]:
    """The rows under each reading with their results; finished runs are copied to the results first."""
    cells = []
    for reading in READINGS:
        for row in ROWS:
            names = run_names(command(row, reading, row.seeds)) if row.seeds else []
            cells.append(Measured(row, reading, kept_results(runs_dir, RESULTS, names, _keep_answers)))
    return cells


def _keep_answers(result: dict[str, Any], directory: Path, target: Path) -> None:
    """Keep a run's probabilities: 2,000 rows of seven, from which any metric can be computed."""
    shutil.copyfile(directory / runs.PREDICTIONS, target / runs.PREDICTIONS)


def answers(run: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """True labels (N, C) and probabilities (N, C) of a kept run."""
    _, targets, probabilities = runs.read_predictions(RESULTS / run / runs.PREDICTIONS)[split]
    return targets, probabilities


def run_missing(runs_dir: Path, only: str | None, threads: int | None) -> None:
    """Start what is neither kept in the results nor finished: a sweep over seeds for each cell.

    Raises:
        UserError: a command failed; the others ran nevertheless.
    """
    wanted = []
    for cell in collect(runs_dir):
        seeds = seeds_without(cell.row.seeds, cell.results)
        if seeds and (not only or only in cell.row.overrides):
            wanted.append(command(cell.row, cell.reading, seeds))
    start(wanted, runs_dir, threads)


def main() -> None:
    """Run what is missing, or render what is there."""
    parser = parser_of(__doc__, "run", "report")
    arguments = parser.parse_args()
    with mistakes_in_one_line():
        if arguments.action == "run":
            run_missing(arguments.runs_dir, arguments.only, arguments.threads)
        else:
            from experiments.emothreat_report import render

            REPORT.write_text(render(collect(arguments.runs_dir)), encoding="utf-8")
            print(f"written: {REPORT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
