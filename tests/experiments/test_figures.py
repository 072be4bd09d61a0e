"""Figures as SVG: what is on them, the same bytes for the same runs, colours for dark screens."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from reported_runs import curves, keep_run, shelf_of

from emoji_pred.errors import UserError
from experiments import figures
from experiments.measured import Shelf
from experiments.table import Cell, Experiment, Figure, Finding, Metric

pytest.importorskip("matplotlib", reason="figures need matplotlib: pip install -e '.[tables]'")

ACCURACY = Metric("accuracy", "accuracy")
FFN, LINEAR = Experiment(("model=ffn",), seeds=2), Experiment(("model=linear",), random=False)
CURVES = Figure("t.figure1", "Curves", "curves", (("FFN", FFN), ("linear", LINEAR)))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Two runs with curves, of three and of five epochs, and a linear model without."""
    keep_run(tmp_path, "a0", 0, 45)
    keep_run(tmp_path, "a1", 1, 54, curves=curves(5, 0.2))
    keep_run(tmp_path, "b0", 0, 60, curves=[], best_epoch=0)
    return shelf_of(tmp_path, monkeypatch, {"ffn": ("a0", "a1"), "linear": ("b0",)})


def texts(path: Path) -> list[str]:
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    return [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_same_runs_give_the_same_bytes(shelf: Shelf, tmp_path: Path) -> None:
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    assert figures.draw(CURVES, shelf, first) and figures.draw(CURVES, shelf, second)
    assert first.read_bytes() == second.read_bytes()
    assert b"date" not in first.read_bytes().lower().replace(b"update", b"")


def test_curves_have_a_panel_for_loss_and_one_for_accuracy(shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "curves.svg"
    assert figures.draw(CURVES, shelf, path)
    written = texts(path)
    assert {"FFN: loss", "FFN: accuracy"} <= set(written)
    assert not any("linear" in text for text in written), "it has no curves"
    assert "training, mean of 2 seeds" in written


def test_the_mean_goes_as_far_as_every_seed(shelf: Shelf, tmp_path: Path) -> None:
    drawn: dict[str, tuple[list[float], list[float]]] = {}
    with figures.canvas(tmp_path / "x.svg", (4, 3)) as (_, ((axis,),)):
        figures._lines(axis, [run.result["curves"] for run in shelf.runs(FFN)], "train_loss")
        for line in axis.lines:
            drawn[str(line.get_label())] = (list(line.get_xdata()), list(line.get_ydata()))
    epochs, losses = drawn["training, mean of 2 seeds"]
    assert epochs == [1, 2, 3]  # the shorter run has three
    # 2.0, 1.9, 1.8 of the first, and 0.2 more of the second.
    assert losses == pytest.approx([2.1, 2.0, 1.9])


def test_nothing_is_drawn_of_nothing(shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "none.svg"
    other = Experiment(("model=other",))
    assert not figures.draw(Figure("t.f", "", "curves", (("other", other),)), shelf, path)
    assert not figures.draw(Figure("t.f", "", "curves", (("linear", LINEAR),)), shelf, path)
    bar = Finding("t.x", "X", lambda _: "", (("other", Cell(other, ACCURACY)),))
    assert not figures.draw_finding(bar, shelf, path)
    assert not path.exists()


def test_counts_of_classes_with_their_emoji(shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "counts.svg"
    assert figures.draw(Figure("t.f", "", "class_counts", (("", LINEAR),)), shelf, path)
    written = texts(path)
    assert {"❤\ufe0f red heart", "😂 face with tears of joy", "🔥 fire", "test rows"} <= set(written)
    assert written.count("30") >= 3


def test_counts_of_the_training_rows_come_first(shelf: Shelf) -> None:
    (run,) = shelf.runs(LINEAR)
    assert figures.class_counts(run) == ("test", {"❤": 30, "😂": 30, "🔥": 30})
    run.result["provenance"]["class_counts"] = [7, 8, 9]
    assert figures.class_counts(run) == ("training", {"❤": 7, "😂": 8, "🔥": 9})


def test_a_finding_is_drawn_with_its_numbers(shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "finding.svg"
    bars = (
        ("with", Cell(FFN, ACCURACY, 0.4)),
        ("without", Cell(LINEAR, ACCURACY)),
        ("other", Cell(Experiment(("model=other",)), ACCURACY)),
    )
    assert figures.draw_finding(Finding("t.x", "X", lambda _: "", bars), shelf, path)
    # 45 and 54 of 90: 0.55; 60 of 90: 0.667.
    assert {"0.550", "0.667", "not run", "published", "with", "without", "accuracy"} <= set(texts(path))


def test_every_colour_has_one_for_dark_screens(shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "curves.svg"
    figures.draw(CURVES, shelf, path)
    svg = path.read_text(encoding="utf-8")
    body = svg.partition("</style>")[2]
    used = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", body))
    assert used and used <= set(figures.DARK)
    for colour in used:
        assert f'[style*="fill: {colour}"]{{fill:{figures.DARK[colour]} !important}}' in svg
    assert "prefers-color-scheme: dark" in svg


def test_without_matplotlib_one_line_says_what_to_install(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        UserError, match=r"^figures of tables need matplotlib: pip install -e '\.\[tables\]'$"
    ):
        figures.draw(CURVES, shelf, tmp_path / "x.svg")
