"""The README's figure and table, from invented runs of the tweeteval models."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from reported_runs import keep_run

from emoji_pred.errors import UserError
from experiments import measured, story
from experiments.measured import Shelf
from experiments.profiles import Planned
from experiments.table import Experiment
from experiments.tables.tweeteval import AS_DISTRIBUTED, LEAK_FREE, MODELS

pytest.importorskip("matplotlib", reason="figures need matplotlib: pip install -e '.[tables]'")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Of the CNN three runs as distributed (macro F1 0.22, 0.23, 0.24), and one leak-free (0.15)."""
    names: dict[Experiment, list[str]] = {
        MODELS[AS_DISTRIBUTED]["CNN"]: ["a0", "a1", "a2"],
        MODELS[LEAK_FREE]["CNN"]: ["b0"],
    }
    for seed, right in enumerate((22, 23, 24)):
        keep_run(tmp_path, f"a{seed}", seed, right)
    keep_run(tmp_path, "b0", 0, 15)
    monkeypatch.setattr(
        measured, "planned", lambda one, *_: [Planned(name, (), {}) for name in names.get(one, [])]
    )
    return Shelf(tmp_path / "kept")


def readme(tmp_path: Path) -> Path:
    page = tmp_path / "README.md"
    lines = [
        "before",
        *story.FIGURE_MARKS,
        "between",
        story.TABLE_MARKS[0],
        "old",
        story.TABLE_MARKS[1],
        "after",
    ]
    page.write_text("\n".join(lines))
    return page


def test_figure_and_table_take_their_places(shelf: Shelf, tmp_path: Path) -> None:
    page, path = readme(tmp_path), tmp_path / "results" / "figures" / "story.svg"
    assert story.write_readme(shelf, page, path) == [page, path]
    text = page.read_text(encoding="utf-8")
    assert text.startswith(
        "before\n<!-- results figure: begin -->\n![Macro F1 on TweetEval-emoji: FFN published 0.18"
    )
    assert "CNN published 0.24, as distributed 0.230, leak-free 0.150" in text
    assert "](results/figures/story.svg)" in text
    assert "\nold\n" not in text and text.endswith("\nafter")
    again = text
    story.write_readme(shelf, page, path)
    assert page.read_text(encoding="utf-8") == again


def test_the_figure_has_the_numbers(shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "story.svg"
    assert story.draw(shelf, path)
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    written = [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"0.230", "0.150", "0.24", "0.34", "CNN", "published", "measured, leak-free"} <= set(written)


def test_the_table_has_published_measured_and_leak_free(shelf: Shelf) -> None:
    (line,) = [line for line in story.table(shelf).splitlines() if line.startswith("| CNN")]
    fields = [field.strip() for field in line.strip("|").split("|")]
    # 0.22, 0.23, 0.24: deviation 0.01, Student's 97.5 % point 4.302653, so 0.0248; one more run: 0.0497.
    assert fields[5:8] == ["0.24", "0.230 [0.205,\u00a00.255]", "reproduced"]
    (bert,) = [line for line in story.table(shelf).splitlines() if line.startswith("| Multi-scale BERT \\*")]
    assert bert.count("not run") == 4


def test_without_runs_there_is_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "planned", lambda *_: [])
    page, path = readme(tmp_path), tmp_path / "story.svg"
    assert story.write_readme(Shelf(tmp_path / "kept"), page, path) == [page]
    assert not path.exists()


def test_a_page_without_marks_is_left_alone(shelf: Shelf, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("no marks")
    with pytest.raises(UserError, match=r"README\.md has no place for the results; put back <!--"):
        story.write_readme(shelf, page, tmp_path / "story.svg")
    assert page.read_text() == "no marks"


def test_the_readme_has_its_marks() -> None:
    text = story.README.read_text(encoding="utf-8")
    for mark in (*story.FIGURE_MARKS, *story.TABLE_MARKS):
        assert text.count(mark) == 1
