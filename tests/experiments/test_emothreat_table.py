from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emoji_pred import runs
from emoji_pred.decision import Decision
from emoji_pred.multilabel_metrics import of_answers, yardsticks
from experiments import emothreat, emothreat_report
from experiments.compose import compose_config
from experiments.kept_runs import run_names

LABELS = ("anger", "sadness", "neutral")
# Two tweets and a review. The first tweet is given anger alone of its two labels, the second nothing.
TRUTH = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype=np.uint8)
PROBABILITIES = np.array([[0.9, 0.2, 0.0], [0.1, 0.4, 0.1], [0.0, 0.1, 0.8]], dtype=np.float32)
DECISION = Decision("fixed", (0.5, 0.5, 0.5))


def a_result(name: str, seed: int = 0) -> dict[str, Any]:
    per_class = [{"label": label, "f1": 0.5, "support": 1} for label in LABELS]
    metrics = {
        **of_answers(DECISION.labels(PROBABILITIES), TRUTH),
        **{"per_class": per_class, "decision": DECISION.plain(), "yardsticks": yardsticks(TRUTH, TRUTH)},
    }
    return {
        **{"schema": runs.RESULT_SCHEMA, "status": "finished", "run": name, "config": {"seed": seed}},
        **{"label_names": list(LABELS), "wall_seconds": 60.0, "validation": metrics, "test": metrics},
        "provenance": {
            "rows": {"train": 3, "validation": 3, "test": 3},
            "class_counts": [1, 2, 1],
            "corpus": {
                "reviews": {"train": 602, "test": 1},
                "paper_training_labels": {"anger": 811, "sadness": 2190, "neutral": 3014},
                "tweets_left": {"labels": {"anger": 810, "sadness": 2185}},
                "recovered_test": {
                    **{"found_among_tweets": 1197, "neutral_reviews": 1197},
                    "labels": {"anger": 203, "sadness": 548, "neutral": 753},
                },
            },
            "code": {"commit": "0123456789", "dirty": False},
            "machine": {"system": "Linux x86_64", "cores": 2, "device": "cpu"},
        },
    }


def a_run(root: Path, result: dict[str, Any]) -> None:
    directory = runs.prepare_directory(root / result["run"])
    rows = (["a", "b", "c"], TRUTH, PROBABILITIES)
    runs.write_predictions(directory / runs.PREDICTIONS, {"validation": rows, "test": rows})
    files = {runs.PREDICTIONS: runs.file_digest(directory / runs.PREDICTIONS)}
    runs.write_json(directory / runs.RESULT, {**result, "files": files})


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(emothreat, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def names(label: str, reading: str) -> list[str]:
    row = next(row for row in emothreat.ROWS if row.label == label)
    return run_names(emothreat.command(row, reading, row.seeds))


def test_every_row_composes_and_has_runs_of_its_own() -> None:
    every = [
        name
        for reading in emothreat.READINGS
        for row in emothreat.ROWS
        if row.seeds
        for name in run_names(emothreat.command(row, reading, row.seeds))
    ]
    assert len(set(every)) == len(every) == 2 * (3 + 1 + 2 + 3 + 3)


def test_the_commands_of_the_paper_compose() -> None:
    for row in emothreat.ROWS:
        if row.full:
            _, _, *overrides = row.full.split()
            assert compose_config(overrides)["data"]["name"] == "emothreat"


def test_the_report_has_both_metrics_and_says_what_was_not_run(tmp_path: Path, results: Path) -> None:
    root = tmp_path / "runs"
    (name,) = names("linear SVC", emothreat_report.ALL_ROWS)
    a_run(root, a_result(name))
    a_run(root, a_result("0123456789ab"))  # of other settings
    cells = emothreat.collect(root)
    assert [path.name for path in results.iterdir()] == [name]
    page = emothreat_report.render(cells)
    # By hand. Accuracy, +1: tweets 2/3 and 1/2, review 1; by equation 7: 1/2, 0, 1. Official share, here
    # one half: +1 1/2 * 7/12 + 1/2. Precision, +1: 1, 1, 1; by equation 8: 1, 0, 1. Recall, +1: 2/3, 1/2, 1;
    # by equation 9: 1/2, 0, 1.
    row = next(line for line in page.splitlines() if line.startswith("| linear SVC | 1 | 0.79"))
    assert row.startswith("| linear SVC | 1 | 0.79 | 0.792 | 0.722 | 0.500 | 0.91 | 1.000 | 1.000 | 0.667 |")
    assert "| 0.84 | 0.792 | 0.722 | 0.500 |" in row
    # A model that answers nothing, +1: accuracy (1/3 + 1/2 + 1/2) / 3, precision 1; at the official share
    # the tweets' 5/12 and the review's 1/2.
    nothing = next(line for line in page.splitlines() if line.startswith("| *answers nothing*"))
    assert nothing.startswith(
        "| *answers nothing* | – | – | 0.458 | 0.444 | 0.000 | – | 1.000 | 1.000 | 0.000 |"
    )
    # The largest difference from 0.79, 0.91, 0.84 and 0.87 is that of the precision.
    assert "gives the paper's 4 numbers to within 0.090" in page
    assert "| naive Bayes | 0 | 0.68 | not run |" in page
    assert "seven heads, UrduHack * | 0 | 0.394 | not run |" in page
    assert "| anger | 811 | 810 | 203 | 1 | 1 | 1 |" in page and "| neutral | 3,014 | – | 753 | 1 |" in page
    assert "python train.py data=emothreat model=seven_heads encoder=urduhack" in page
    assert emothreat_report.render(emothreat.collect(tmp_path / "nothing")) == page, "what is kept is enough"


def test_the_comparison_names_the_best_of_both_sides(tmp_path: Path, results: Path) -> None:
    root = tmp_path / "runs"
    for label in ("linear SVC", "seven heads, stand-in"):
        a_run(root, a_result(names(label, emothreat_report.ALL_ROWS)[0]))
    page = emothreat_report.render(emothreat.collect(root))
    assert "| all rows | accuracy, equation 7 | 0.500 | linear SVC | 0.500 | seven heads, stand-in |" in page
    # Of the two tweets: one label of two found, and none of one.
    assert (
        "| the tweets alone, trained on all rows | accuracy, equation 7 | 0.250 | linear SVC | 0.250 |"
        in page
    )
    assert "| without the neutral reviews | not run |" in page


def test_a_page_without_runs_says_so(tmp_path: Path, results: Path) -> None:
    assert "not run" in emothreat_report.render(emothreat.collect(tmp_path))
