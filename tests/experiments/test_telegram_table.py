from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emoji_pred import runs
from experiments import telegram_rus, telegram_rus_report
from experiments.kept_runs import run_names

LABELS = ["😂", "❤", "🔥"]
CEILING = {split: {"top_1": 0.9, "top_10": 1.0} for split in ("validation", "test")}
STEPS = dict.fromkeys(("messages", "with_emoji", "pairs", "distinct", "rows", "classes", "emoji"), 7)


def metrics(top_1: float) -> dict[str, Any]:
    per_class = [
        {"label": label, "precision": 0.5, "recall": 0.25, "f1": 1 / 3, "support": 2 - place, "predicted": 1}
        for place, label in enumerate(LABELS)
    ]
    return {
        **{"accuracy": top_1, "top_10": 0.75, "macro_f1": top_1 / 2, "per_class": per_class},
        **{"top_class": "😂", "top_class_recall": 0.5, "top_class_precision": 0.25, "zeroed_classes": 1},
    }


def a_result(name: str, seed: int, top_1: float) -> dict[str, Any]:
    return {
        **{"schema": runs.RESULT_SCHEMA, "status": "finished", "run": name, "config": {"seed": seed}},
        **{"label_names": LABELS, "best_epoch": 0, "curves": [{}], "wall_seconds": 60.0},
        **{"validation": metrics(top_1), "test": metrics(top_1 / 2)},
        "provenance": {
            "rows": {"train": 8000, "validation": 1000, "test": 1000},
            "corpus": {"steps": {"file.csv": STEPS}, "ceiling": CEILING},
            "code": {"commit": "0123456789", "dirty": False},
        },
    }


def a_run(root: Path, result: dict[str, Any]) -> None:
    directory = runs.prepare_directory(root / result["run"])
    predictions = (["a"], np.zeros(1, dtype=np.int64), np.ones((1, 3), dtype=np.float32))
    runs.write_predictions(directory / runs.PREDICTIONS, {"test": predictions})
    files = {runs.PREDICTIONS: runs.file_digest(directory / runs.PREDICTIONS)}
    runs.write_json(directory / runs.RESULT, {**result, "files": files})


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(telegram_rus, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def names(label: str) -> list[str]:
    row = next(row for row in telegram_rus.ROWS if row.label == label)
    return run_names(telegram_rus.command(row, row.seeds))


def test_every_row_composes_and_has_runs_of_its_own() -> None:
    of_overrides: dict[tuple[str, ...], list[str]] = {}
    for row in telegram_rus.ROWS:
        if row.seeds:
            of_overrides[row.overrides] = run_names(telegram_rus.command(row, row.seeds))
    every = [name for some in of_overrides.values() for name in some]
    assert len(set(every)) == len(every)
    # Tables 2 and 4 show one run: the paper's two rows are one experiment but for the encoder.
    assert names("with LoRA") == names("ru-en-RoSBERTa")


def test_the_commands_of_the_paper_compose() -> None:
    from experiments.compose import compose_config

    for row in telegram_rus.ROWS:
        if row.full:
            _, _, *overrides = row.full.split()
            config = compose_config(overrides)
            assert config["data"]["name"] == "telegram_rus"


def test_the_report_has_paper_and_measurement_and_says_what_was_not_run(
    tmp_path: Path, results: Path
) -> None:
    root = tmp_path / "runs"
    for seed, (name, top_1) in enumerate(zip(names("word2vec"), (0.1, 0.2, 0.3), strict=True)):
        a_run(root, a_result(name, seed, top_1))
    a_run(root, a_result("0123456789ab", 0, 0.9))  # of other settings
    cells = telegram_rus.collect(root)
    assert len(list(results.iterdir())) == 3
    page = telegram_rus_report.render(cells)
    # Mean and standard deviation of 10, 20, 30 and of 5, 10, 15 by hand.
    assert "| word2vec | 3 | 16.34 | 20.00 ± 10.00 | 10.00 ± 5.00 | 59.55 | 75.00 ± 0.00 |" in page
    assert "| with LoRA (1) | 0 | 16.26 | not run | not run | 57.10 |" in page
    assert "(1) stand-in encoder: all-MiniLM-L6-v2" in page
    assert "| validation | 90.0% | 100.0% | 66.7% |" in page  # 2 of 3 rows are of the top class
    assert "| Table 4: word2vec | 1.0 ± 0.0 of 2 |" in page  # the third class has no test row
    assert "python train.py data=telegram_rus model=lora encoder=ru_en_rosberta" in page
    again = telegram_rus_report.render(telegram_rus.collect(tmp_path / "nothing"))
    assert again == page, "what is kept is enough"


def test_a_page_without_runs_says_so(tmp_path: Path, results: Path) -> None:
    assert "not run" in telegram_rus_report.render(telegram_rus.collect(tmp_path))


def test_a_linear_model_is_ranked_with_the_networks_and_has_no_epochs(tmp_path: Path, results: Path) -> None:
    root, label = tmp_path / "runs", "TF-IDF of words and characters, logistic regression"
    a_run(root, a_result(names("word2vec")[0], 0, 0.1))
    linear = a_result(names(label)[0], 0, 0.4)
    a_run(root, {**linear, "best_epoch": None, "curves": []})
    cells = telegram_rus.collect(root)
    page = telegram_rus_report.render(cells)
    ranked = [
        line.split(" |")[0]
        for line in page.splitlines()
        if line.startswith(("| TF-IDF of", "| Table 4: word2vec"))
    ]
    assert ranked[:2] == [f"| {label}", "| Table 4: word2vec"]
    assert f"| ours | {label} | 0 | – |" in page
    assert telegram_rus.best_of(cells)["run"] == names("word2vec")[0]  # its figures are drawn
