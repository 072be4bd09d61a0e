"""The report as files: index, pages, figures; chosen parts; provenance; again the same bytes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from reported_runs import keep_run, shelf_of

from emoji_pred.errors import UserError
from experiments import pages, rendering, run_list
from experiments.markup import Links
from experiments.measured import RULE, Shelf, Verdict
from experiments.rendering import index, render, verdicts
from experiments.table import Cell, Experiment, Figure, Finding, Metric, Paper, Table, experiment_row, papers

pytest.importorskip("matplotlib", reason="figures need matplotlib: pip install -e '.[tables]'")

ACCURACY = Metric("accuracy", "accuracy")
FFN = Experiment(("model=ffn",), seeds=2)
CNN = Experiment(("model=cnn",), ("model=bert",), stand_in="a smaller encoder")
MISSING = Experiment(("model=other",))
FIRST = Table(
    "one.1",
    "Table 1: scores",
    ("accuracy",),
    (
        experiment_row("FFN", FFN, (ACCURACY,), (0.5,)),
        experiment_row("CNN", CNN, (ACCURACY,), (0.5,)),
        experiment_row("other", MISSING, (ACCURACY,), (0.5,)),
    ),
)
SECOND = Table(
    "one.2", "Table 2: more", ("accuracy",), (experiment_row("FFN", FFN, (ACCURACY,)),), in_paper=False
)
ONE = Paper(
    "one",
    "The first paper",
    "Somebody, A Paper, 2026",
    (FIRST, SECOND),
    (Figure("one.figure1", "Figure 1: curves", "curves", (("FFN", FFN),)),),
    (Finding("one.leak", "It leaks", lambda _: "By 0.1.", (("FFN", Cell(FFN, ACCURACY)),), ("one.1",)),),
)
TWO = Paper("two", "The second paper", "Somebody else", (Table("two.1", "Another", (), ()),))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    keep_run(tmp_path, "a0", 0, 45)
    keep_run(tmp_path, "a1", 1, 54)
    keep_run(tmp_path, "b0", 0, 72, overrides=["model=cnn", "seed=0"])
    return shelf_of(tmp_path, monkeypatch, {"ffn": ("a0", "a1"), "cnn": ("b0",)})


def render_one(
    shelf: Shelf, out: Path, *papers: Paper, formats: tuple[str, ...] = ("markdown",)
) -> list[str]:
    written = render(papers or (ONE, TWO), shelf, out, formats, everything=(ONE, TWO))
    assert all(path.is_file() for path in written)
    return [path.relative_to(out).as_posix() for path in written]


def test_index_pages_and_figures_are_written(shelf: Shelf, tmp_path: Path) -> None:
    written = render_one(shelf, tmp_path)
    assert written == ["figures/one.figure1.svg", "figures/one.leak.svg", "one.md", "two.md", "README.md"]
    page = (tmp_path / "one.md").read_text(encoding="utf-8")
    for text in (
        *("# The first paper", "Somebody, A Paper, 2026.", RULE, "## Table 1: scores", "## Table 2: more"),
        *("![Figure 1: curves](figures/one.figure1.svg)", "![It leaks](figures/one.leak.svg)", "By 0.1."),
        *("<summary>Which rows differ</summary>", "python train.py -m model=ffn seed=0,1"),
        "something else:\n\n```sh\npython train.py model=bert seed=0\n```",
    ):
        assert text in page


def test_again_the_same_bytes(shelf: Shelf, tmp_path: Path) -> None:
    names = render_one(shelf, tmp_path)
    first = {name: (tmp_path / name).read_bytes() for name in names}
    again = Shelf(shelf.results)
    assert render_one(again, tmp_path) == names
    assert {name: (tmp_path / name).read_bytes() for name in names} == first


def links_of(folder: Path, *names: str) -> int:
    """How many links some pages have, each of which leads to a file or a place that is there."""
    places: dict[str, set[str]] = {}
    for name in names:
        places[name] = set(re.findall(r'<a id="([^"]+)">', (folder / name).read_text(encoding="utf-8")))
    links = 0
    for name in places:
        for target in re.findall(r"\]\(([^)\s]+)\)", (folder / name).read_text(encoding="utf-8")):
            path, _, place = target.partition("#")
            assert not path or (folder / path).exists(), target
            assert not place or place in places[path or name], target
            links += 1
    return links


def test_every_link_of_the_pages_leads_somewhere(shelf: Shelf, tmp_path: Path) -> None:
    render_one(shelf, tmp_path)
    assert links_of(tmp_path, "README.md", "one.md", "two.md") >= 10


def test_of_one_table_in_a_new_place_every_link_leads_somewhere(shelf: Shelf, tmp_path: Path) -> None:
    out = tmp_path / "kept" / "new"
    part = Paper("one", ONE.title, ONE.citation, (SECOND,))
    written = render_one(shelf, out, part)
    assert "two.md" in written  # the index leads there
    assert links_of(out, "README.md", "one.md", "two.md") >= 6


def test_runs_are_named_without_links_where_the_report_lies_elsewhere(shelf: Shelf, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere"
    render_one(shelf, out, ONE)
    page = (out / "one.md").read_text(encoding="utf-8")
    assert "| `a0` |" in page and "](../" not in page


def test_a_chosen_table_renews_its_paper_and_the_index_alone(shelf: Shelf, tmp_path: Path) -> None:
    render_one(shelf, tmp_path)
    (tmp_path / "two.md").write_text("untouched")
    part = Paper("one", ONE.title, ONE.citation, (SECOND,))
    assert "two.md" not in render_one(shelf, tmp_path, part)
    assert (tmp_path / "two.md").read_text() == "untouched"
    assert "## Table 1: scores" in (tmp_path / "one.md").read_text(encoding="utf-8")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "`one.1`" in text and "`two.1`" in text


def test_only_the_chosen_tables_are_exported(shelf: Shelf, tmp_path: Path) -> None:
    part = Paper("one", ONE.title, ONE.citation, (SECOND,))
    written = render_one(shelf, tmp_path, part, formats=("latex", "csv"))
    assert written == ["tables/one.2.tex", "tables/one.2.csv"]


def test_the_html_report_is_written(shelf: Shelf, tmp_path: Path) -> None:
    assert render_one(shelf, tmp_path, formats=("html",)) == ["report.html"]


def test_another_format_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no format 'pdf'; choose from markdown, html, latex, csv"):
        render((ONE,), shelf, tmp_path, ("pdf",), everything=(ONE,))
    assert not (tmp_path / "one.md").exists()


def test_the_index_counts_verdicts_and_time(shelf: Shelf, tmp_path: Path) -> None:
    # 0.5 and 0.6 beside 0.5: of two seeds one more run may fall anywhere, so nothing is decided.
    assert verdicts(FIRST, shelf) == {
        **{Verdict.INCONCLUSIVE: 1, Verdict.NOT_COMPARABLE: 1, Verdict.NOT_RUN: 1}
    }
    text = index((ONE, TWO), shelf, tmp_path)
    (head,) = [line for line in text.splitlines() if line.startswith("| table |") and "not run" in line]
    names = [name.strip() for name in head.strip("|").split("|")]
    assert names == ["table", "what", "cells", "inconclusive", "not comparable", "ours alone", "not run"]
    assert "| `one.1` | [Table 1: scores](one.md#one-1) | 3 | 1 | 1 |  | 1 |" in text
    # Three runs of 90 seconds; two experiments of three have one.
    assert (
        "3 runs of 2 experiments, 4.5 min of training one after the other; experiments without a run: 1."
        in text
    )
    assert "| `model=ffn` | 2 | 1.5 min | 3.0 min |" in text
    assert "- [It leaks](one.md#one-leak)." in text
    assert RULE in text


def test_the_index_says_how_many_reproduced_numbers_lie_in_the_narrower_interval(
    shelf: Shelf, tmp_path: Path
) -> None:
    assert "reproduced numbers" not in index((ONE, TWO), shelf, tmp_path)
    # The mean of 0.5 and 0.6 is the very number.
    rows = (experiment_row("FFN", FFN, (ACCURACY,), (0.55,)),)
    near = replace(ONE, tables=(replace(FIRST, rows=rows),))
    assert "Of the 1 reproduced numbers 1 lie in the interval" in index((near,), shelf, tmp_path)


def test_the_index_counts_rows_that_agree_apart(shelf: Shelf, tmp_path: Path) -> None:
    support = Metric("rows", "per_class/❤/support", decimals=0, higher_is_better=None)
    row = experiment_row("CNN", Experiment(CNN.measured), (ACCURACY, support, support), (0.8, 30, 31))
    paper = Paper("one", "One", "Nobody", (Table("one.1", "Rows", ("accuracy", "rows", "rows"), (row,)),))
    text = index((paper,), shelf, tmp_path)
    (head,) = [line for line in text.splitlines() if line.startswith("| table |")]
    assert head == "| table | what | cells | reproduced | the same count | different |"
    assert "| `one.1` | [Rows](one.md#one-1) | 3 | 1 | 1 | 1 |" in text


def test_an_experiment_that_stands_in_two_tables_counts_once(shelf: Shelf, tmp_path: Path) -> None:
    # The CNN again, without its published twin and its stand-in, and one more that cannot be run.
    same = Experiment(CNN.measured)
    lacking = Experiment((), lacking="no data")
    rows = (experiment_row("CNN", same, (ACCURACY,)), experiment_row("far", lacking, (ACCURACY,)))
    again = Paper("again", "Again", "Ours", (Table("again.1", "Again", ("accuracy",), rows),))
    assert run_list.distinct((ONE, again), shelf) == [FFN, CNN, MISSING, lacking]
    text = index((ONE, again), shelf, tmp_path)
    assert "3 runs of 2 experiments, 4.5 min" in text and "experiments without a run: 2." in text
    # The column "together" adds up to the 4.5 minutes above.
    took = [line.split("|")[-2].strip() for line in text.splitlines() if line.startswith("| `model=")]
    assert took == ["3.0 min", "1.5 min"]


def test_of_equal_runs_the_experiment_with_more_seeds_counts(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shelf, "names", lambda _, one: [f"a{seed}" for seed in range(one.seeds)])
    few, many = Experiment(("model=ffn",), seeds=2), Experiment(("model=ffn",), seeds=3)
    rows = tuple(experiment_row(str(one.seeds), one, (ACCURACY,)) for one in (few, many))
    two = Paper("again", "Again", "Ours", (Table("again.1", "Again", ("accuracy",), rows),))
    assert run_list.distinct((two,), shelf) == [many]


def test_a_run_has_its_whole_provenance(shelf: Shelf, tmp_path: Path) -> None:
    text = run_list.provenance(run_list.runs_of([ONE], shelf), Links(tmp_path, shelf.results))
    (line,) = [line for line in text.splitlines() if "`a1`" in line]
    fields = [field.strip() for field in line.strip("|").split("|")]
    assert fields[:4] == ["[`a1`](kept/a1/result.json)", "`model=ffn`", "1", "2 of 3"]
    assert fields[4:] == ["0.2500", "0.5400", "1.5", "2026-01-01", "012345678", "M1", "P1", "D1"]
    assert "- M1: Linux x86_64, 2 cores, 1 thread, cpu" in text
    assert "- P1: Python 3.11.7, torch 2.13.0" in text
    assert "- D1: someone/texts at abc: `texts.txt` 0123456789ab" in text
    assert "3 runs, 4.5 min one after the other" in text


def test_blobs_of_several_sources_are_all_listed() -> None:
    corpus = {"sources": {"a": {"repository": "x/y", "files": {"1": "aa"}}, "b": {"files": {"2": "bb"}}}}
    assert run_list.blobs(corpus) == "x/y: `1` aa; `2` bb"
    assert run_list.blobs({"citation": "own rows"}) == "own rows"


def test_changes_of_a_checkout_are_told() -> None:
    result = {"provenance": {"code": {"commit": "0123456789abcdef", "dirty": True}}}
    assert run_list.revision(result) == "012345678 + changes"
    assert run_list.revision({"provenance": {}}) == "unknown"


def test_a_page_without_runs_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = shelf_of(tmp_path, monkeypatch, {})
    written = render_one(empty, tmp_path)
    assert written == ["one.md", "two.md", "README.md"]
    page = (tmp_path / "one.md").read_text(encoding="utf-8")
    assert "## Runs" not in page and "Not drawn: no run yet." in page


def test_pages_know_what_their_papers_say(shelf: Shelf) -> None:
    assert pages.introduction("one", shelf) == "" and pages.sections("one", shelf) == []
    for paper in papers():
        assert pages.introduction(paper.key, Shelf(Path("/nowhere"))) is not None


def test_embeddings_are_those_that_lie_in_the_results(tmp_path: Path, shelf: Shelf) -> None:
    figure = Figure("telegram_rus.figure1", "Embeddings", "embeddings", ())
    found = rendering._figure_file(figure, shelf, rendering.RESULTS)
    assert found == rendering.RESULTS / "telegram_rus" / "figures" / "embeddings.png"
    assert rendering._figure_file(figure, shelf, tmp_path) is None
