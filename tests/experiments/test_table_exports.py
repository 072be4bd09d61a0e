"""LaTeX and CSV of a table: every sign survives, every cell stands where it belongs."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from kept_answers import kept_run

from experiments import markdown, measured
from experiments.exports import COLUMNS, csv_text, escaped, latex
from experiments.measured import Measured, Shelf
from experiments.profiles import CPU, NOTE_OF_SMOKE, SMOKE, Planned
from experiments.table import Experiment, Metric, Row, Table, experiment_row, papers

STAND_IN = r"stand-in\textsuperscript{\textasteriskcentered{}}"
ACCURACY = Metric("accuracy", "accuracy")
TRUTH = np.arange(90) % 3


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Runs of `model=ffn` with two seeds (accuracy 0.5 and 0.6), of `model=cnn` with one (0.6)."""
    names = {"ffn": [("a0", 45), ("a1", 54)], "cnn": [("b0", 54)], "none": []}
    for seed, (name, right) in enumerate([*names["ffn"], *names["cnn"]]):
        given = np.where(np.arange(90) < right, TRUTH, (TRUTH + 1) % 3)
        kept_run(tmp_path, name, TRUTH, given, seed=seed % 2)
    monkeypatch.setattr(
        measured,
        "planned",
        lambda experiment, *_: [
            Planned(name, (), {}) for name, _ in names[experiment.measured[0].partition("=")[2]]
        ],
    )
    return Shelf(tmp_path / "kept")


def table(*rows: Row, head: tuple[str, ...] = ("accuracy",)) -> Table:
    return Table("t.1", "A title with 100 %", head, rows)


def row(label: str, model: str, published: float | None = None, note: str = "", **more: str) -> Row:
    experiment = Experiment((f"model={model}",), seeds=2, **more)
    return experiment_row(label, experiment, (ACCURACY,), (published,), note)


def test_every_sign_of_latex_is_escaped() -> None:
    assert escaped(r"50% a_b & c#d $e {f} ~ ^ \g") == (
        r"50\% a\_b \& c\#d \$e \{f\} \textasciitilde{} \textasciicircum{} \textbackslash{}g"
    )
    assert escaped("[x]\n\n% y\x00") == r"{[}x{]} \% y"  # no empty line, which would end the row
    assert escaped("*† – − ≤") == r"\textasteriskcentered{}\dag{} -- $-$ $\leq$"


def test_emoji_urdu_and_russian_survive() -> None:
    assert escaped("❤ and 👩‍👩‍👧 and 🇺🇸") == (r"\textemoji{❤} and \textemoji{👩‍👩‍👧} and \textemoji{🇺🇸}")
    assert escaped("غصہ اور خوشی: anger") == r"\righttoleft{غصہ اور خوشی}: anger"
    assert escaped("Привет, мир") == "Привет, мир"


def plain_braces(text: str) -> str:
    return re.sub(r"\\[\\{}%&#_$]", "", text)


def cells_of(text: str) -> list[list[str]]:
    """The cells of each line between the first and the last rule."""
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    return [[part.strip() for part in re.split(r"(?<!\\)&", line.removesuffix(r"\\"))] for line in lines]


def test_a_table_in_latex(shelf: Shelf) -> None:
    text = latex(
        table(
            row("FFN_1", "ffn", 0.55),
            row("CNN ❤", "cnn", 0.99, "a note & more"),
            row("none", "none", 0.3),
            row("stand-in", "cnn", 0.6, stand_in="another"),
        ),
        shelf,
    )
    assert [line[0] for line in cells_of(text)][2:] == ["FFN\\_1", "CNN \\textemoji{❤}", "none", STAND_IN]
    first, second, third, fourth = cells_of(text)[2:]
    # Mean 0.55; Student's interval of two values is 12.7 half ranges of 0.05 wide, cut at 0 and 1.
    assert first[1:] == ["0.55", r"0.550\,{\scriptsize{[}0.000, 1.000{]}}\,$=$"]
    assert second[1] == "0.99" and second[2].startswith("0.600") and second[2].endswith(r"\downarrow$")
    assert third[1:] == ["0.30", "not run"]
    assert fourth[2].endswith(r"\,n/c")
    for words in (
        r"A title with 100 \%",
        r"a note \& more",
        r"$=$ reproduced; $\downarrow$ worse; n/c not comparable, a stand-in.",
        r"\textsuperscript{\textasteriskcentered{}} Another.",
    ):
        assert words in text
    assert "better than published" not in text
    assert "--" not in text  # "not run" explains itself, and every number was published
    assert r"\newfontfamily\emojifont" in text and "urdufont" not in text
    assert plain_braces(text).count("{") == plain_braces(text).count("}")


def test_a_table_without_published_numbers_has_one_column_each(shelf: Shelf) -> None:
    text = latex(table(row("FFN", "ffn")), shelf)
    assert r"\begin{tabular}{lr}" in text
    assert len(cells_of(text)[1]) == 2
    assert "LuaLaTeX" not in text


def test_a_table_is_made_smaller_where_it_is_wider_than_the_line(shelf: Shelf) -> None:
    text = latex(table(row("FFN", "ffn", 0.5)), shelf)
    comment = [line for line in text.splitlines() if line.startswith("%")]
    assert comment[1:] == [r"% \usepackage{booktabs}", r"% \usepackage{adjustbox}"]
    before, inside = text.split(r"\begin{adjustbox}{max width=\linewidth}")
    assert "tabular" not in before
    assert inside.startswith("\n\\begin{tabular}") and r"\end{tabular}" + "\n\\end{adjustbox}" in inside


def test_each_stand_in_has_a_mark_and_a_line(shelf: Shelf) -> None:
    rows = [
        row("paper's", "ffn"),
        row("small", "cnn", stand_in="a small encoder, 10 % of it"),  # nothing published: no verdict tells it
        row("other", "ffn", stand_in="other data"),
        row("small too", "none", stand_in="a small encoder, 10 % of it"),
    ]
    text = latex(table(*rows), shelf)
    assert [line[0] for line in cells_of(text)[1:]] == [
        "paper's",
        r"small\textsuperscript{\textasteriskcentered{}}",
        r"other\textsuperscript{\dag{}}",
        r"small too\textsuperscript{\textasteriskcentered{}}",
    ]
    legend = text.split(r"\end{adjustbox}")[1].splitlines()
    assert r"\textsuperscript{\textasteriskcentered{}} A small encoder, 10 \% of it.\par" in legend
    assert r"\textsuperscript{\dag{}} Other data.\par" in legend
    assert sum("small encoder" in line for line in legend) == 1


def test_a_row_of_two_stand_ins_has_both_marks(shelf: Shelf) -> None:
    cells = [row("", "ffn", stand_in=words).cells[0] for words in ("other data", "a small encoder")]
    text = latex(table(Row("both", tuple(cells)), head=("data", "encoder")), shelf)
    assert cells_of(text)[1][0] == r"both\textsuperscript{\textasteriskcentered{},\dag{}}"


def test_a_stand_in_of_every_row_is_said_once(shelf: Shelf) -> None:
    text = latex(table(*(row(model, model, stand_in="other data") for model in ("ffn", "cnn"))), shelf)
    assert [line[0] for line in cells_of(text)[1:]] == ["ffn", "cnn"]
    assert text.count("Other data.") == 1 and r"\textbf{Every row is a stand-in.} Other data." in text


def test_a_percentage_has_the_decimals_of_the_page(shelf: Shelf) -> None:
    """A resample of the rows moves the third decimal of a fraction: two of percent are enough."""
    percent = Metric("accuracy", "accuracy", scale=100.0)
    experiment = Experiment(("model=ffn",), seeds=2)
    own = table(experiment_row("FFN", experiment, (percent,), (55.0,)))
    assert cells_of(latex(own, shelf))[2][1:] == [
        "55.00",
        r"55.00\,{\scriptsize{[}0.00, 100.00{]}}\,$=$",
    ]
    assert "55.00 [0.00, 100.00]" in markdown.table(own, shelf).replace("\u00a0", " ")


def test_what_was_not_published_measured_or_run_are_told_apart(shelf: Shelf) -> None:
    lacking = Metric("F1 of x", "per_class/x/f1")
    cells = [
        experiment_row("", Experiment((f"model={model}",), seeds=2), (metric,), (published,)).cells[0]
        for model, metric, published in (
            ("none", ACCURACY, 0.5),
            ("ffn", lacking, 0.5),
            ("ffn", ACCURACY, None),
        )
    ]
    names = ("not run", "no number", "not published")
    rows = [Row(name, (cell,)) for name, cell in zip(names, cells, strict=True)]
    text = latex(table(*rows), shelf)
    assert [line[1:] for line in cells_of(text)[2:]] == [
        ["0.50", "not run"],
        ["0.50", "--"],
        ["--", r"0.550\,{\scriptsize{[}0.000, 1.000{]}}"],
    ]
    published, no_number = "-- below published: nothing was published", "-- below measured: the runs have no"
    assert published in text and no_number in text
    alone = latex(table(rows[0], rows[2]), shelf)
    assert published in alone and no_number not in alone
    assert "-- " not in latex(table(rows[0]), shelf)


def test_intervals_of_one_run_are_marked(shelf: Shelf) -> None:
    over_seeds = r"{[}\,{]} 95\,\% interval over seeds (Student's t)"
    over_rows = (
        r"{[}\,{]}\textsuperscript{b} 95\,\% interval of one run, over the rows of its split (bootstrap)"
    )
    text = latex(table(row("two runs", "ffn"), row("one run", "cnn")), shelf)
    two, one = (line[1] for line in cells_of(text)[1:])
    assert two.endswith("{]}}") and one.endswith(r"{]}}\textsuperscript{b}")
    assert f"{over_seeds}; {over_rows}." in text
    assert over_rows not in latex(table(row("two runs", "ffn")), shelf)


def test_every_table_is_whole_in_latex_and_csv(tmp_path: Path) -> None:
    """Without any run: nothing is lost, no line is broken."""
    empty = Shelf(tmp_path)
    for paper in papers():
        for own in paper.tables:
            text = latex(own, empty)
            body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
            depth = 0
            for sign in re.findall(r"[{}]", plain_braces(body)):
                depth += 1 if sign == "{" else -1
                assert depth >= 0
            assert depth == 0
            (columns,) = re.findall(r"\\begin\{tabular\}\{(l[r]+)\}", body)
            lines = cells_of(text)
            rows = lines[-len(own.rows) :]
            assert {len(line) for line in rows} == {len(columns)}, own.name
            text_alone = re.sub(r"\$(=|\?|-|\\[a-z]+)\$", "", body)
            assert re.search(r"(?<!\\)[#$%_^~]", text_alone) is None, own.name
            found = list(csv.DictReader(io.StringIO(csv_text(own, empty))))
            cells = [cell for line in own.rows for cell in line.cells if cell]
            assert len(found) == len(cells)
            assert {line["verdict"] for line in found} == {"not run"}
            assert [line["published"] for line in found] == [
                "" if cell.published is None else f"{cell.published:.10g}" for cell in cells
            ]


def test_csv_has_a_line_for_each_cell(shelf: Shelf) -> None:
    text = csv_text(table(row("FFN, first", "ffn", 0.6), row("none", "none", 0.3)), shelf)
    first, second = csv.DictReader(io.StringIO(text))
    assert tuple(first) == COLUMNS
    assert first == {
        **{"table": "t.1", "row": "FFN, first", "column": "accuracy", "split": "test", "published": "0.6"},
        **{"mean": "0.55", "low": "0", "high": "1", "interval_of": "seeds", "seeds": "0 1"},
        **{"difference": "-0.05", "verdict": "inconclusive", "runs": "a0 a1", "stand_in": "", "stale": ""},
    }
    assert (second["mean"], second["verdict"], second["runs"]) == ("", "not run", "")


def test_csv_computes_nothing_in_a_spreadsheet(shelf: Shelf) -> None:
    for label in ("=HYPERLINK(1)", "+1", "-1", "@a", "\t=1", " =1", "\x00=1"):
        (line,) = csv.DictReader(io.StringIO(csv_text(table(row(label, "none")), shelf)))
        assert line["row"].startswith("'"), label
    (line,) = csv.DictReader(io.StringIO(csv_text(table(row("a=b", "ffn", 0.7)), shelf)))
    assert (line["row"], line["difference"]) == ("a=b", "-0.15")  # a negative number stays one


def test_a_stale_number_is_marked_and_no_number_of_the_csv(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = table(row("FFN", "ffn", 0.6))
    (cell,) = own.rows[0].cells
    assert cell is not None
    before = shelf.measured(cell)
    stale = Measured(cell, (), (), (0, 1), stale=("rounded otherwise",), before=before)
    monkeypatch.setattr(shelf, "measured", lambda _: stale)
    text = latex(own, shelf)
    assert cells_of(text)[2][2] == r"(0.550\,{\scriptsize{[}0.000, 1.000{]}})\,$\circ$"
    assert r"$\circ$ Stale, measured before a change: rounded otherwise." in text and "not run" not in text
    assert "over seeds" in text
    (line,) = csv.DictReader(io.StringIO(csv_text(own, shelf)))
    assert (line["mean"], line["verdict"], line["stale"]) == ("", "not run", "rounded otherwise")


def test_of_a_smoke_run_it_is_said_that_its_numbers_mean_nothing(tmp_path: Path) -> None:
    made, smoke = (Shelf(tmp_path / "kept", profile) for profile in (CPU, SMOKE))
    wanted = table(experiment_row("CNN", Experiment(("data=sample", "model=cnn")), (ACCURACY,)))
    assert escaped(NOTE_OF_SMOKE) in latex(wanted, smoke) and escaped(NOTE_OF_SMOKE) not in latex(
        wanted, made
    )
    (line,) = csv.DictReader(io.StringIO(csv_text(wanted, smoke)))
    assert line["stand_in"] == NOTE_OF_SMOKE
