"""What the tweeteval page computes for itself, by hand and on the real test rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kept_answers import finished

from experiments import measured
from experiments.keeping import keep
from experiments.measured import Shelf
from experiments.pages import tweeteval as page
from experiments.profiles import Planned
from experiments.tables.tweeteval import AS_DISTRIBUTED, LEAK_FREE, MODELS, PAPER, residue_rows
from experiments.tables.tweeteval_reports import LABELS

TRUTH = np.repeat(np.arange(20), 2)
REAL = "cardiffnlp/tweeteval/datasets/emoji"


def keep_all_right(root: Path, name: str, **changed: float) -> None:
    """A run that answers each of 40 rows rightly; some figures of the class 😂 are changed."""
    per_class: list[dict[str, Any]] = [
        {"label": label, "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 2, "predicted": 2}
        for label in LABELS
    ]
    per_class[2].update(changed)
    rows = [f"test/{row}" for row in range(40)]
    predictions = {"test": (rows, TRUTH, np.eye(20, dtype=np.float32)[TRUTH])}
    test = {"accuracy": 1.0, "macro_f1": 1.0, "per_class": per_class}
    directory = finished(root / "runs" / name, predictions, label_names=list(LABELS), test=test)
    assert keep(directory, root / "kept" / name)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A shelf on which the CNN has the run `a0` as distributed, if it is kept."""
    cnn = MODELS[AS_DISTRIBUTED]["CNN"]
    monkeypatch.setattr(measured, "planned", lambda one, *_: [Planned("a0", (), {})] if one == cnn else [])
    return Shelf(tmp_path / "kept")


def test_the_accuracy_falls_into_the_points_of_its_classes() -> None:
    # ❤: 50 of 100 rows, recall 0.4; ☀: 10 rows, recall 0.5; so 20 + 5 of the 40 points.
    support = {"❤": 50, "☀": 10, "😂": 40}
    recall = {"❤": 0.4, "☀": 0.5}
    entries = [
        {"label": label, "support": support.get(label, 0), "recall": recall.get(label, 0.0)}
        for label in LABELS
    ]
    found = page.leaking_points({"test": {"per_class": entries, "accuracy": 0.4}})
    assert found == pytest.approx((0.4, 0.5, 25, 15))
    assert page.leaking_points({"test": {"per_class": [], "accuracy": 0.4}}) is None


def test_points_stand_beside_those_of_the_paper(shelf: Shelf, tmp_path: Path) -> None:
    keep_all_right(tmp_path, "a0")
    (line,) = [line for line in page.accuracy_by_leak(shelf).splitlines() if line.startswith("| CNN")]
    # Table 4: recalls 0.62 and 0.68 of 10,798 and 1,265 of 50,000 rows are 15.1 points of 33.
    assert line == "| CNN | 0.62 | 1.000 | 0.68 | 1.000 | 15.1 | 10.00 | 17.9 | 90.00 |"


def test_the_sign_of_a_stand_in_is_explained(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_all_right(tmp_path, "a0")
    assert "stand-in" not in page.accuracy_by_leak(shelf)
    monkeypatch.setattr(shelf, "stand_in", lambda _: "a smaller encoder")
    text = page.accuracy_by_leak(shelf)
    assert "| CNN \\* | 0.62 |" in text and text.endswith("\n\n\\* a stand-in.")


def test_classes_are_shown_under_both_cleanings(shelf: Shelf, tmp_path: Path) -> None:
    keep_all_right(tmp_path, "a0", f1=0.25)
    text = page.f1_by_class(shelf)
    assert "| 😂 face with tears of joy | 4,534 | 0.25 → – |" in text
    assert "| ❤\ufe0f red heart | 10,798 | 1.00 → – |" in text


@pytest.mark.parametrize("figure", ["precision", "recall", "f1"])
def test_the_check_against_scikit_learn_finds_one_wrong_figure(
    shelf: Shelf, tmp_path: Path, figure: str
) -> None:
    keep_all_right(tmp_path, "a0", **{figure: 0.99})
    text = page.check_against_scikit_learn(shelf)
    assert "the largest difference among 60 figures of classes is 1.0e-02" in " ".join(text.split())


def test_the_check_passes_a_right_table(shelf: Shelf, tmp_path: Path) -> None:
    keep_all_right(tmp_path, "a0")
    assert "figures of classes is 0.0e+00" in " ".join(page.check_against_scikit_learn(shelf).split())


def test_nothing_measured_leaves_nothing_out_of_order(shelf: Shelf) -> None:
    assert "{" not in page.introduction(shelf)
    assert page.sections(shelf) == []
    assert [finding.text(shelf) for finding in PAPER.findings] == ["", ""]


def test_findings_say_nothing_of_other_labels(shelf: Shelf, tmp_path: Path) -> None:
    keep_all_right(tmp_path, "a0")
    assert [finding.text(shelf) for finding in PAPER.findings] == ["", ""], "leak-free runs are missing"


def test_the_leak_is_told_with_kept_numbers() -> None:
    shelf = Shelf()
    runs_of = [shelf.runs(MODELS[clean]["CNN"]) for clean in (AS_DISTRIBUTED, LEAK_FREE)]
    if not all(runs_of):
        pytest.skip("the CNN's runs are not kept")
    leak, _ = PAPER.findings
    text = leak.text(shelf)
    means = [np.mean([run.result["test"]["macro_f1"] for run in found]) for found in runs_of]
    assert all(f"{mean:.3f}" in text for mean in means)
    # Hearts and suns that carry it, counted in the paper's data (see the audit): 85 % and 98 %.
    words = " ".join(page.introduction(shelf).split())
    assert "85.4% of the red hearts, in 98.2% of the suns" in words


def test_residue_rows_are_those_of_the_real_test_texts(shared_data_dir: Path) -> None:
    lines = (shared_data_dir / REAL / "test_text.txt").read_bytes().split(b"\n")[:-1]
    assert residue_rows().tolist() == ["\ufe0f".encode() in line for line in lines]


def test_a_run_that_was_repeated_stands_beside_the_kept_one() -> None:
    text = page.repeated(Shelf())
    for (label, _), then in page.EARLIER.items():
        (line,) = [
            line for line in text.splitlines() if f"{then[0]:.4f}, {then[1]:.4f}, {then[2]:.4f}" in line
        ]
        assert line.startswith(f"| {label}, ")
    kept = [
        kept_run.result["test"]["macro_f1"]
        for clean in page.MODELS
        for kept_run in Shelf().runs(page.MODELS[clean]["FFN"])[:3]
    ]
    for at in (0, 3):
        assert ", ".join(f"{value:.4f}" for value in kept[at : at + 3]) in text
