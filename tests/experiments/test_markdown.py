"""A table as Markdown: every number, mark and reason stands where a reader looks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from reported_runs import keep_run, shelf_of

from experiments import markdown, markup, numbers
from experiments.markup import Links
from experiments.measured import Measured, Shelf
from experiments.table import Cell, Experiment, Figure, Finding, Metric, Row, Table, experiment_row

ACCURACY, MACRO = Metric("accuracy", "accuracy"), Metric("macro F1", "macro_f1")
ROWS = Metric("rows", "per_class/❤/support", decimals=0, higher_is_better=None)
FFN = Experiment(("model=ffn",), seeds=3)
CNN = Experiment(("model=cnn",))
LACKING = Experiment((), ("model=bert", "encoder=bertweet"), lacking="the weights cannot be fetched here")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Three runs of `model=ffn` with accuracies 0.4, 0.5, 0.6; one of `model=cnn` with 0.8."""
    for seed, right in enumerate((36, 45, 54)):
        keep_run(tmp_path, f"a{seed}", seed, right)
    keep_run(tmp_path, "b0", 0, 72)
    return shelf_of(tmp_path, monkeypatch, {"ffn": ("a0", "a1", "a2"), "cnn": ("b0",)})


def table(*rows: Row, head: tuple[str, ...] = ("accuracy", "macro F1"), **more: object) -> Table:
    return Table("t.1", "A title", head, rows, **more)  # type: ignore[arg-type]


def lines_of(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(start)]


def fields(line: str) -> list[str]:
    return [field.strip() for field in line.strip("|").split("|")]


def test_a_cell_has_published_mean_interval_difference_and_verdict(shelf: Shelf) -> None:
    text = markdown.table(table(experiment_row("FFN", FFN, (ACCURACY, MACRO), (0.9, None))), shelf)
    # 0.4, 0.5, 0.6: deviation 0.1, Student's 97.5 % point with 2 degrees of freedom 4.302653 (any table), so
    # 0.2484 to either side; one more run falls within 0.4968 of 0.5, and 0.9 is far inside of that.
    (line,) = lines_of(text, "| FFN")
    # The macro F1 is 0.36, 0.45, 0.54: 0.45 and 0.9 times the reach.
    assert fields(line) == [
        "FFN",
        "0.90",
        "0.500 [0.252,\u00a00.748]",
        "−0.400 ?",
        "0.450 [0.226,\u00a00.674]",
    ]
    (head,) = lines_of(text, "|  | accuracy")
    assert fields(head) == ["", "accuracy: paper", "measured", "difference", "macro F1"]
    assert "? inconclusive" in text and "✓" not in text
    assert "the 95 % interval, over seeds (Student's t)." in text
    assert "Each row: 3 runs, one a seed." in text


def test_every_verdict_has_a_sign_of_its_own(shelf: Shelf) -> None:
    rows = [
        experiment_row(label, CNN, (ACCURACY,), (published,))
        for label, published in (("right", 0.8), ("above", 0.5), ("below", 0.99))
    ]
    other = Experiment(("model=cnn",), stand_in="a smaller encoder")
    rows.append(experiment_row("other", other, (ACCURACY,), (0.5,)))
    text = markdown.table(table(*rows, head=("accuracy",)), shelf)
    marks = {fields(line)[0]: fields(line)[3].split()[-1] for line in lines_of(text, "| ")[2:]}
    assert marks == {"right": "✓", "above": "▲", "below": "▼", "other \\*": "n/c"}
    assert "✓ reproduced; ▲ better than published; ▼ worse; n/c not comparable, a stand-in." in text
    assert "\n\\* A smaller encoder." in text
    assert "of one run, over the rows of its split (bootstrap)" in text


def test_a_stand_in_of_every_row_is_said_once(shelf: Shelf) -> None:
    other = Experiment(("model=cnn",), stand_in="a smaller encoder")
    text = markdown.table(table(experiment_row("a", other, (ACCURACY, MACRO), (0.5, 0.5))), shelf)
    assert "**Every row is a stand-in.** A smaller encoder." in text
    assert "\\*" not in text


def test_counts_that_agree_are_one_column(shelf: Shelf) -> None:
    rows = (Row("❤", (Cell(FFN, ROWS, 30),)), Row("😂", (None,)))
    text = markdown.table(table(*rows, head=("rows",)), shelf)
    assert lines_of(text, "| ❤\ufe0f red heart |") == ["| ❤\ufe0f red heart | 30 | 3 |"]
    assert "`rows`: measured as published, in every row." in text
    other = (Row("❤", (Cell(FFN, ROWS, 31),)),)
    text = markdown.table(table(*other, head=("rows",)), shelf)
    assert lines_of(text, "| ❤\ufe0f red heart |") == ["| ❤\ufe0f red heart | 31 | 30 | −1 ≠ |"]
    assert "≠ different, neither better nor worse." in text
    both = (*rows[:1], Row("😂", (Cell(FFN, ROWS, 31),)))
    text = markdown.table(table(*both, head=("rows",)), shelf)
    marked = [fields(line)[1:4] for line in lines_of(text, "| ")[2:]]
    assert marked == [["30", "30", "0"], ["31", "30", "−1 ≠"]]


def test_what_was_not_run_says_why_and_what_to_type(shelf: Shelf) -> None:
    rows = [
        experiment_row("BERT", LACKING, (ACCURACY,), (0.5,)),
        experiment_row("another", Experiment(("model=other",), seeds=2), (ACCURACY,)),
        experiment_row("FFN", Experiment(("model=ffn",), seeds=5), (ACCURACY,)),
    ]
    text = markdown.table(table(*rows, head=("accuracy",)), shelf)
    assert fields(lines_of(text, "| BERT")[0]) == ["BERT", "0.50", "not run", "–", "0"]
    assert fields(lines_of(text, "| another")[0])[2:] == ["not run", "–", "0"]
    assert fields(lines_of(text, "| FFN")[0])[-1] == "3 of 5"
    assert "Not run, BERT: The weights cannot be fetched here." in text
    assert "`python train.py model=bert encoder=bertweet seed=0`" in text
    assert "\npython train.py -m model=other seed=0,1\n" in text
    assert "\npython train.py -m model=ffn seed=3,4\n" in text
    assert "make reproduce-tables TABLE=t.1" in text


def test_many_commands_are_folded_away(shelf: Shelf) -> None:
    rows = [
        experiment_row(str(place), Experiment((f"model=other{place}",)), (ACCURACY,)) for place in range(4)
    ]
    text = markdown.table(table(*rows, head=("accuracy",)), shelf)
    assert "<details><summary>4 commands</summary>" in text


def test_notes_and_contradictions(shelf: Shelf) -> None:
    rows = [
        experiment_row("FFN", FFN, (ACCURACY, MACRO), note="by the authors' code"),
        experiment_row("CNN", CNN, (ACCURACY, MACRO)),
    ]
    text = markdown.table(table(*rows, about="About it.", contradictions=("the sums differ",)), shelf)
    assert "| FFN <sup>1</sup> |" in text and "<sup>1</sup> FFN: by the authors' code." in text
    assert "- The sums differ." in text
    assert text.index("About it.") < text.index("| FFN")
    assert [fields(line)[-1] for line in lines_of(text, "| ")[2:]] == ["3", "1"]


def test_a_stale_number_is_marked(shelf: Shelf) -> None:
    cell = Cell(FFN, ACCURACY, 0.5)
    shelf.runs(FFN)
    before = Measured(cell, (), (0.5,), ())
    shelf._measured[cell] = Measured(cell, (), (), (0, 1, 2), stale=("dropout moved",), before=before)
    text = markdown.table(table(Row("FFN", (cell,)), head=("accuracy",)), shelf)
    assert "| FFN | 0.50 | (0.500) ⌛ | – |" in text
    assert "⌛ Stale, measured before a change: dropout moved." in text


def test_a_bar_in_a_label_does_not_part_the_row(shelf: Shelf) -> None:
    text = markdown.table(table(experiment_row("a | b", FFN, (ACCURACY, MACRO))), shelf)
    (line,) = lines_of(text, "| a")
    assert line.startswith("| a \\| b |")


@pytest.mark.parametrize(
    ("metric", "value", "digits"),
    [
        (Metric("a", "accuracy", decimals=2), 0.5, 3),
        (Metric("a", "accuracy", decimals=4), 0.5, 4),
        (Metric("a", "accuracy", scale=100, decimals=1), 50.0, 2),
        (Metric("a", "accuracy", scale=100, decimals=2), 50.0, 2),
        (ROWS, 30.0, 0),
        (ROWS, 30.5, 1),
    ],
)
def test_a_measured_number_has_one_decimal_more_than_the_paper(
    metric: Metric, value: float, digits: int
) -> None:
    assert numbers.decimals_of(metric, value) == digits


def test_numbers_have_separators_and_a_true_minus() -> None:
    assert numbers.number(10798, 0) == "10,798"
    assert numbers.number(-0.25, 2) == "−0.25"
    assert numbers.number(-0.0001, 2) == "0.00"
    assert [numbers.minutes(seconds) for seconds in (35, 90, 3600, 7500)] == [
        *("35 s", "1.5 min", "1 h 00 min", "2 h 05 min")
    ]


@pytest.mark.parametrize(
    ("label", "shown"),
    [("❤", "❤\ufe0f"), ("☀", "☀\ufe0f"), ("😂", "😂"), ("🇺🇸", "🇺🇸"), ("A", "A"), ("anger", "anger")],
)
def test_plain_signs_are_shown_in_colour(label: str, shown: str) -> None:
    assert markup.shown(label) == shown


def test_links_stay_inside_of_what_moves_together(tmp_path: Path, shelf: Shelf) -> None:
    inside = Links(tmp_path, tmp_path / "kept")
    assert inside.to_run("a0") == "[`a0`](kept/a0/result.json)"
    elsewhere = Links(tmp_path / "report", tmp_path / "kept")
    assert elsewhere.to_run("a0") == "`a0`"
    assert inside.to_run("zz") == "`zz`"


def test_a_finding_has_text_figure_and_evidence(tmp_path: Path, shelf: Shelf) -> None:
    links = Links(tmp_path, tmp_path / "kept")
    finding = Finding("t.leak", "It leaks", lambda _: "By 0.1.", tables=("t.1",), audit="none")
    text = markdown.finding(finding, shelf, tmp_path / "figures" / "t.leak.svg", links)
    assert "### It leaks\n\nBy 0.1." in text
    assert "![It leaks](figures/t.leak.svg)" in text
    assert "Evidence: [t.1](#t-1), audit of none." in text
    assert markdown.finding(Finding("t.x", "Nothing", lambda _: ""), shelf, None, links) == ""


def test_a_figure_without_runs_says_so(tmp_path: Path) -> None:
    figure = Figure("t.figure1", "Curves", "curves", ())
    text = markdown.figure(figure, None, Links(tmp_path, tmp_path))
    assert "Not drawn: no run yet." in text
