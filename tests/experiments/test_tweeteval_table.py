from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments import tweeteval, tweeteval_report
from experiments.kept_runs import put_between_marks, run_names


def a_result(
    run: str, *, seed: int, clean: str, model: str = "cnn", overrides: list[str] | None = None
) -> dict[str, Any]:
    per_class = [
        {"label": f"e{index}", "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 2}
        for index in range(20)
    ]
    metrics = {
        "accuracy": 1.0,
        "macro_f1": 0.25 + seed / 100,
        "weighted_f1": 1.0,
        **{f"{way}_{name}": 0.5 for way in ("macro", "weighted") for name in ("precision", "recall")},
        "top_10": 1.0,
        "per_class": per_class,
    }
    return {
        "schema": runs.RESULT_SCHEMA,
        "status": "finished",
        "run": run,
        "overrides": [f"model={model}", f"data.clean={clean}", f"seed={seed}"]
        if overrides is None
        else overrides,
        "config": {
            "data": {"name": "tweeteval", "clean": clean},
            "model": {"name": "cnn"},
            "loss": {"name": "focal"},
            "seed": seed,
        },
        "best_epoch": 0,
        "curves": [{}],
        "validation": metrics,
        "test": metrics,
        "wall_seconds": 60.0,
        "provenance": {
            "code": {"commit": "0123456789", "dirty": False},
            "machine": {"system": "Linux x86_64", "cores": 2, "device": "cpu"},
        },
    }


def a_run(root: Path, result: dict[str, Any]) -> None:
    directory = runs.prepare_directory(root / result["run"])
    targets = np.repeat(np.arange(20), 2)
    predictions = ([f"test/{row}" for row in range(40)], targets, np.eye(20, dtype=np.float32)[targets])
    runs.write_predictions(directory / runs.PREDICTIONS, {"test": predictions})
    files = {runs.PREDICTIONS: runs.file_digest(directory / runs.PREDICTIONS)}
    runs.write_json(directory / runs.RESULT, {**result, "files": files})


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tweeteval, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(tweeteval_report, "residue_rows", lambda: np.arange(40) < 1)
    return tmp_path / "results"


def names(label: str, clean: str) -> list[str]:
    row = next(row for row in tweeteval.ROWS if row.label == label)
    return run_names(tweeteval.command(row, clean, row.seeds))


def test_a_run_has_the_name_that_train_py_gives_it() -> None:
    # The hash of another seed, cleaning or model is another; the same cell has the same names again.
    all_names = [
        name for row in tweeteval.ROWS for clean in tweeteval.CLEANINGS for name in names(row.label, clean)
    ]
    assert len(set(all_names)) == len(all_names) == 2 * (3 + 3 + 3 + 1 + 5)


def test_a_run_is_looked_for_under_the_name_that_train_py_gives_it(
    train: Any, quick: Any, tmp_path: Path
) -> None:
    overrides = quick("ffn")
    typed = ["train.py", "-m", *overrides, "seed=3,4"]
    _, second = run_names(typed)
    assert train(*overrides, "seed=4").directory.name == second


def test_runs_of_the_table_are_kept_and_others_are_not(tmp_path: Path, results: Path) -> None:
    root = tmp_path / "runs"
    first, second, _ = names("CNN", "as_distributed")
    a_run(root, a_result(first, seed=0, clean="as_distributed"))
    a_run(root, a_result(second, seed=1, clean="as_distributed"))
    a_run(root, a_result("0123456789ab", seed=0, clean="as_distributed"))  # of other settings
    cells = tweeteval.collect(root)
    kept = {(cell.row.label, cell.clean): [result["run"] for result in cell.results] for cell in cells}
    assert kept[("CNN", "as_distributed")] == [first, second]
    assert sum(map(len, kept.values())) == 2
    assert sorted(path.name for path in results.iterdir()) == sorted([first, second])


def test_the_report_has_mean_and_spread_and_says_what_was_not_run(tmp_path: Path, results: Path) -> None:
    root = tmp_path / "runs"
    for seed, name in enumerate(names("CNN", "as_distributed")):
        a_run(root, a_result(name, seed=seed, clean="as_distributed"))
    text = tweeteval_report.render(tweeteval.collect(root), tweeteval.collect_choices(root))
    # Mean and standard deviation of 0.25, 0.26, 0.27 by hand.
    assert "| CNN | as distributed | 3 | 0.33 | 1.000 ± 0.000 | 0.24 | 0.260 ± 0.010 |" in text
    assert "| FFN | leak-free | 0 | – | not run |" in text
    # The paper's Table 4, beside three runs with every class right and macro averages of 0.5.
    assert "## Table 4, whole: CNN" in text and "## Table 2, whole" not in text
    assert "| ❤ | 0.96 | 1.00 ± 0.00 | 0.62 | 1.00 ± 0.00 | 0.75 | 1.00 ± 0.00 | 10,798 |" in text
    assert "| macro average | 0.25 | 0.50 ± 0.00 | 0.28 | 0.50 ± 0.00 | 0.24 | 0.26 ± 0.01 | 50,000 |" in text
    assert "stand-in encoder: all-MiniLM-L6-v2" in text
    assert "the largest difference among 180 per-class figures is 0.0e+00" in text


@pytest.mark.parametrize(("figure", "label"), [("precision", 0), ("recall", 7), ("f1", 19)])
def test_the_check_against_scikit_learn_finds_one_wrong_figure(
    tmp_path: Path, results: Path, figure: str, label: int
) -> None:
    root = tmp_path / "runs"
    wrong = a_result(names("CNN", "as_distributed")[0], seed=0, clean="as_distributed")
    wrong["test"]["per_class"][label][figure] = 0.99
    a_run(root, wrong)
    text = tweeteval_report.render(tweeteval.collect(root), [])
    assert "the largest difference among 60 per-class figures is 1.0e-02" in text


def test_the_accuracy_falls_into_the_points_of_its_classes() -> None:
    # Class 0: 50 of 100 rows, recall 0.4; class 12: 10 rows, recall 0.5; so 20 + 5 of the 40 points.
    per_class = [{"support": {0: 50, 12: 10, 1: 40}.get(label, 0), "recall": 0.0} for label in range(20)]
    per_class[0]["recall"], per_class[12]["recall"] = 0.4, 0.5
    found = tweeteval_report._leaking_points({"test": {"per_class": per_class, "accuracy": 0.4}})
    assert found["shares"] == [0.5, 0.1]
    assert found["points"] == pytest.approx(25)
    assert found["rest"] == pytest.approx(15)


def test_a_choice_shows_both_values_and_what_was_not_run(tmp_path: Path, results: Path) -> None:
    root = tmp_path / "runs"
    cnn, transformer = tweeteval.CHOICES
    others = run_names(tweeteval.choice_command(cnn, cnn.seeds))
    kept = names("CNN", "as_distributed")
    assert not set(others) & set(kept)
    for seed, (one, other) in enumerate(zip(kept, others, strict=True)):
        a_run(root, a_result(one, seed=seed, clean="as_distributed"))
        a_run(root, a_result(other, seed=seed + 4, clean="as_distributed"))
    found = tweeteval.collect_choices(root)
    assert [[result["run"] for result in results] for results in found[0][1:]] == [kept, others]
    assert found[1][1:] == ([], [])
    text = tweeteval_report.render(tweeteval.collect(root), found)
    # 0.25, 0.26, 0.27 and 0.29, 0.30, 0.31.
    assert "| CNN | weight decay | 3 | 1e-4 | 0.2600 ± 0.0100 | 0 | 0.3000 ± 0.0100 |" in text
    assert "| Transformer | dropout on the embeddings | 0 | 0 | not run | 0.3 | not run |" in text
    assert transformer.override in text


def test_a_sweep_that_failed_is_told_after_the_others(
    tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def fail_once(command: list[str], **_: Any) -> Any:
        started.append(command)
        return subprocess.CompletedProcess(command, returncode=len(started) == 1)

    monkeypatch.setattr(subprocess, "run", fail_once)
    with pytest.raises(UserError, match=r"^1 command\(s\) failed"):
        tweeteval.run_missing(tmp_path / "runs", only="model=cnn", threads=1)
    assert len(started) == 3, "two cleanings and the choice"


def test_scores_of_a_subset_by_hand() -> None:
    # Two rows of class 0 (one found) and one of class 1 (found, and predicted once too often).
    found = tweeteval.scores(np.array([0, 0, 1]), np.array([0, 1, 1]))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 20)
    assert found["weighted_f1"] == pytest.approx(2 / 3)


def test_residue_rows_of_the_real_test_set(shared_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOJI_PRED_DATA", str(shared_data_dir))
    lines = (
        (shared_data_dir / "cardiffnlp/tweeteval/datasets/emoji/test_text.txt").read_bytes().split(b"\n")[:-1]
    )
    rows = tweeteval.residue_rows()
    assert rows.tolist() == ["\ufe0f".encode() in line for line in lines]


def test_the_table_takes_the_place_between_the_marks(tmp_path: Path) -> None:
    begin, end = tweeteval.MARKS
    page = tmp_path / "page.md"
    page.write_text(f"before {begin}\nold\n{end} after")
    put_between_marks(page, tweeteval.MARKS, "new")
    assert page.read_text() == f"before {begin}\nnew\n{end} after"
    page.write_text("no marks")
    with pytest.raises(UserError, match=r"page\.md has no place for the table"):
        put_between_marks(page, tweeteval.MARKS, "new")
    assert page.read_text() == "no marks"
