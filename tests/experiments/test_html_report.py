"""Parts of the HTML report: words, bars, grids, comparisons, figures from files."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from invented_runs import ACCURACY, ALONE, LABELS, MACRO, PICTURE, SCRIPT, SEEDED, a_paper, put

from experiments import pages
from experiments.html_report import ablation, comparisons, figures, own, wording
from experiments.html_report.bars import Bar, bars, drawn_column
from experiments.html_report.collected import Collected
from experiments.measured import Measured, Shelf
from experiments.page import render
from experiments.ranking import Ranked, Summary
from experiments.significance import Comparison
from experiments.table import Cell, Experiment, Figure, Metric, Row, Table, experiment_row


def seeded(values: tuple[float, ...], published: float | None = None) -> Measured:
    """A measurement whose interval is two points to each side."""
    mean = sum(values) / len(values)
    cell = Cell(SEEDED, ACCURACY, published)
    return Measured(cell, (), values, (), (mean - 0.02, mean + 0.02), "seeds", (0.0, 1.0))


def test_an_interval_over_seeds_is_a_reach_and_one_over_rows_has_two_ends() -> None:
    found = seeded((0.3, 0.4))
    assert wording.interval(found) == "± 0.020"
    assert wording.interval(replace(found, interval=(0.31, 0.40), interval_of="rows")) == "0.310 – 0.400"
    assert wording.interval(replace(found, interval=None)) == ""


@pytest.mark.parametrize(
    ("published", "difference"), [(0.25, "+0.100"), (0.5, "−0.150"), (0.35, "0.000"), (None, "")]
)
def test_a_difference_has_its_sign(published: float | None, difference: str) -> None:
    assert wording.difference(seeded((0.3, 0.4), published)) == difference


def emoji_with_name(drawn: str, called: str) -> str:
    """The name is what is read aloud, and what is left where no font draws the emoji."""
    return (
        f'<span class=named title="{called}"><bdi class=emoji aria-hidden=true>{drawn}</bdi> '
        f"<small>{called}</small></span>"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("❤", emoji_with_name("❤\ufe0f", "red heart")),
        ("❤\ufe0f", emoji_with_name("❤\ufe0f", "red heart")),
        ("🇺🇸", emoji_with_name("🇺🇸", "United States")),
        ("👨‍👩‍👧", emoji_with_name("👨‍👩‍👧", "family man woman girl")),
        ("\u2766", "<bdi>\u2766</bdi>"),
        ("7", "<bdi>7</bdi>"),
        ("FFN ❤", "<bdi>FFN ❤</bdi>"),
        ("خوشی", '<bdi lang="ur" dir="rtl">خوشی</bdi>'),
        ("a<b", "<bdi>a&lt;b</bdi>"),
    ],
)
def test_a_label_is_shown_in_its_own_script(text: str, shown: str) -> None:
    assert wording.name(text) == shown


@pytest.mark.parametrize(
    "text", [PICTURE, SCRIPT, "![](http://example.org/a.png)", "[x](javascript:alert(1))"]
)
def test_prose_makes_no_markup_of_its_own(text: str) -> None:
    made = wording.prose(text)
    assert "<script" not in made and "<img" not in made and 'href="javascript' not in made


def test_prose_is_markdown() -> None:
    assert wording.prose_line("*so* `it` is") == "<em>so</em> <code>it</code> is"


def test_emoji_in_prose_have_their_name_and_signs_are_left_alone() -> None:
    fire = emoji_with_name("🔥\ufe0f", "fire")
    assert wording.prose_line("F1 of 🔥 < 1 → `🔥`") == f"F1 of {fire} &lt; 1 → <code>🔥</code>"


def test_json_in_a_script_ends_no_script_and_is_read_back() -> None:
    value = [SCRIPT, "<!--", "\u2028", "خوشی"]
    text = wording.script_json(value)
    assert "<" not in text and "\u2028" not in text
    assert json.loads(text) == value
    with pytest.raises(ValueError):
        wording.script_json(float("nan"))


def test_bars_share_one_scale_from_zero() -> None:
    wanted = [Bar(0.4, None, None), Bar(0.2, (0.1, 0.3), 0.3), None, Bar(0.1, None, None)]
    longest, half, none, _ = bars(wanted)
    assert 'width="116.0"' in longest and 'width="58.0"' in half and none == ""
    assert 'd="M87.0 1v14"' in half  # the published 0.3 of 0.4


def test_too_few_numbers_draw_no_bars() -> None:
    assert bars([Bar(0.4, None, None), Bar(0.2, None, None)]) == []


def test_the_column_that_is_drawn_is_f1_before_anything_else() -> None:
    support = Metric("rows", "per_class/a/support", decimals=0, higher_is_better=None)
    f1 = Metric("F1", "per_class/a/f1")

    def column(*metrics: Metric) -> int | None:
        row = experiment_row("a", SEEDED, metrics)
        return drawn_column(Table("t", "t", tuple(metric.name for metric in metrics), (row,)))

    assert column(ACCURACY, support, f1, MACRO) == 2
    assert column(support, ACCURACY, MACRO) == 2
    assert column(support, ACCURACY) == 1
    assert column(support) is None


def a_grid() -> tuple[Table, list[Experiment]]:
    """Two losses by two class weights."""
    experiments = [
        Experiment(("data=sample", "model=ffn", f"loss={loss}", f"alpha={alpha}"))
        for loss in ("focal", "weighted_cross_entropy")
        for alpha in ("uniform", "balanced")
    ]
    rows = tuple(experiment_row(str(place), one, (ACCURACY,)) for place, one in enumerate(experiments))
    return Table("t.grid", "Grid", ("accuracy",), rows), experiments


def test_a_grid_of_losses_and_weights_is_a_table_of_shades(tmp_path: Path) -> None:
    table, experiments = a_grid()
    assert ablation.section(table, Collected(Shelf(tmp_path))) == ""  # nothing was measured
    for experiment, accuracy in zip(experiments[:3], (0.2, 0.4, 0.3), strict=True):
        put(experiment, tmp_path / "runs", (accuracy,))
    made = ablation.section(table, Collected(Shelf(tmp_path / "runs")))
    assert [made.count(shade) for shade in ("--depth:8%", "--depth:70%", "--depth:39%", "○")] == [1, 1, 1, 1]
    assert made.index("focal") < made.index("weighted_cross_entropy")


def test_other_tables_are_no_grid(tmp_path: Path) -> None:
    assert ablation.section(a_paper().tables[0], Collected(Shelf(tmp_path))) == ""


def test_rows_are_ranked_and_their_pairs_listed(tmp_path: Path) -> None:
    table, experiments = a_grid()
    assert comparisons.section(table, Shelf(tmp_path)) == ""
    for experiment, accuracy in zip(experiments, (0.2, 0.4, 0.3, 0.1), strict=True):
        put(experiment, tmp_path / "runs", (accuracy,))
    made = comparisons.section(table, Shelf(tmp_path / "runs"))
    assert "Which rows differ in accuracy" in made
    places = [made.index(f"<bdi>{place}</bdi>") for place in (1, 2, 0, 3)]  # the best first
    assert places == sorted(places)
    # All runs gave the same answers, so that no pair is told apart: one bar beside all, and six signs.
    assert made.count("group in") == 4 and made.count(">=</td>") == 6
    constant = Cell(experiments[0], replace(ACCURACY, select=lambda _, answers: answers))
    among = (*table.rows, Row("a constant answer", (constant,), yardstick=True))
    assert comparisons.section(replace(table, rows=among), Shelf(tmp_path / "runs")) == made
    rows = [replace(row, cells=(*row.cells, Cell(row.cells[0].experiment, MACRO))) for row in table.rows]
    two = comparisons.section(
        replace(table, head=("accuracy", "macro F1"), rows=tuple(rows)), Shelf(tmp_path / "runs")
    )
    assert (two.count("class='ranks"), two.count("Every pair")) == (2, 1)  # pairs of the drawn column alone
    assert "differ in macro F1, and in 1 more" in two and "<summary>accuracy</summary>" in two


def test_a_pair_says_which_row_is_better_and_by_how_much() -> None:
    """Of a loss: the second row of the table is the best, as its number is lower by 0.1."""
    places = {"high": 0, "low": 1, "same": 2}
    ranked = [Ranked(places[label], label, 0.0, "", False) for label in ("low", "same", "high")]
    pairs = [
        Comparison("loss", (0, 1), "high", "low", 0.1, (0.05, 0.2), p_rows=0.01, corrected=0.02),
        Comparison("loss", (0, 2), "high", "same", 0.1, (-0.1, 0.3), p_rows=0.2, corrected=0.3),
        Comparison("loss", (1, 2), "low", "same", reason="other <rows>"),
    ]
    made = comparisons._pairs(Summary("loss", tuple(ranked), ()), pairs)
    assert re.findall(r"<td[^>]*>.?</td>", made) == [
        '<td title="other &lt;rows&gt;">–</td>',
        '<td class=better title="-0.1 [-0.2, -0.05], p = 0.02">▲</td>',
        "<td colspan=1></td>",
        '<td title="-0.1 [-0.3, 0.1], p = 0.3">=</td>',
    ]
    assert "1. <bdi>low</bdi>" in made and "Column 3 is <bdi>high</bdi>" in made


OWN = """## A section of *its own*

| emoji | F1 |
| --- | ---: |
| 😂 face with tears of joy | 0.5 |

See [the table](#invented-1), [a file](invented/x.html), [the web](https://example.org/), <img src=x>.
"""


@pytest.fixture
def with_own_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page with an introduction and two sections of its own, of which one is drawn as a figure."""
    monkeypatch.setattr(pages, "introduction", lambda *_: "**Stand-ins** alone, see [there](#invented-1).")
    monkeypatch.setattr(pages, "sections", lambda *_: ["## The paper's phrases\n\nA list.", OWN])


def test_the_introduction_and_own_sections_of_a_page_stand_in_the_report(
    with_own_texts: None, tmp_path: Path
) -> None:
    page = render((a_paper(),), Shelf(tmp_path))
    introduction = (
        '<div class=introduction><p><strong>Stand-ins</strong> alone, see <a href="#invented.1">there</a>.'
    )
    assert introduction in page and page.index(introduction) < page.index('id="invented.1"')
    assert '<section class="figure own" id="invented.own2"><h3>A section of <em>its own</em>' in page
    assert '<a href="#invented.own2">' in page and "A list." not in page
    body = page[page.index('id="invented.own2"') :]
    assert "<div class=scroll tabindex=0><table>" in body
    # The name of an emoji stands there once, and a link to a file that is not here is its text.
    laughing = emoji_with_name("😂\ufe0f", "face with tears of joy")
    assert f"<td>{laughing}</td>" in body
    links = 'See <a href="#invented.1">the table</a>, a file, <a href="https://example.org/">the web</a>, '
    assert f"{links}&lt;img src=x&gt;." in body


def test_sections_that_are_drawn_as_figures_are_sections_that_there_are() -> None:
    shelf = Shelf()
    titles = [pages.titled(text)[0] for text in pages.sections("telegram_rus", shelf)]
    if not titles:
        pytest.skip("there are no kept runs")
    assert set(own.DRAWN) < set(titles)


def test_curves_of_a_figure_are_those_of_its_runs(tmp_path: Path) -> None:
    names = put(SEEDED, tmp_path / "runs", (0.3, 0.4))
    paper = a_paper()
    made = figures.section(paper.figures[0], paper, Collected(Shelf(tmp_path / "runs")))
    assert f'data-curves="{names[0]} {names[1]}"' in made and "2 seeds" in made


def test_rows_of_classes_are_drawn_the_largest_first(tmp_path: Path) -> None:
    put(ALONE, tmp_path / "runs", (0.3,))
    figure = Figure("invented.figure2", "Figure 2", "class_counts", (("all", ALONE),))
    made = figures.section(figure, a_paper(), Collected(Shelf(tmp_path / "runs")))
    assert "test rows of each class" in made and made.count("<tr>") == len(LABELS)


@pytest.fixture
def with_files(tmp_path: Path) -> Shelf:
    """Label embeddings and answers to phrases beside the runs."""
    folder = tmp_path / "invented"
    (folder / "figures").mkdir(parents=True)
    head = "label,name,cluster,training_rows,f1,pca_x,pca_y,tsne_x,tsne_y"
    lines = [head, "😂,joy,1,10,0.5,0,0,1,1", f'"{PICTURE}",odd,2,,0.25,1,2,3,4', "❤,heart,2,5,0.75,2,1,0,0"]
    (folder / "figures" / "coordinates.csv").write_text("\n".join(lines), encoding="utf-8")
    answer = {"label": PICTURE, "probability": 0.51}
    asked = {"run": "abc", "text": SCRIPT, "predictions": [answer], "paper": "😂", "rank_of_paper": None}
    (folder / "examples.jsonl").write_text(json.dumps(asked) + "\n", encoding="utf-8")
    return Shelf(tmp_path / "runs")


def test_embeddings_are_drawn_and_then_their_clusters(with_files: Shelf) -> None:
    places = Figure("invented.figure2", "Figure 2", "embeddings", (("all", ALONE),))
    paper = replace(a_paper(), figures=(places, replace(places, name="invented.figure3", title="Figure 3")))
    page = render((paper,), with_files)
    assert page.count("<svg class=plane") == 2  # there are no places by UMAP
    assert page.count("<td class=number>0.500</td>") == 2  # the mean F1 of (0.25, 0.75), and of 0.5 alone
    assert PICTURE not in page


def test_the_papers_phrases_are_shown_with_our_answers(with_files: Shelf) -> None:
    made = figures.phrases(a_paper(), Collected(with_files))
    assert "0.51" in made and "<script" not in made and "<img" not in made
    assert figures.phrases(replace(a_paper(), key="other"), Collected(with_files)) == ""


def test_a_stale_number_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(SEEDED, tmp_path / "runs", (0.3, 0.4))
    shelf = Shelf(tmp_path / "runs")
    real = shelf.measured

    def stale(cell: Cell) -> Measured:
        before = real(cell)
        return Measured(cell, (), (), (0, 1), stale=("the loss was wrong",), before=before)

    monkeypatch.setattr(shelf, "measured", stale)
    page = render((a_paper(),), shelf)
    assert "</span>(0.350)</b> <small>stale</small>" in page and "2 stale" in page
    cell = next(cell for cell in _data(page)["cells"] if cell["id"] == "invented.1-1-1")
    assert cell["verdict"] == "not run" and cell["stale"] == ["the loss was wrong"]
    assert [value for _, value in cell["values"]] == [0.3, 0.4] and "difference" not in cell


def _data(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)
    assert found is not None
    return dict(json.loads(found[1]))
