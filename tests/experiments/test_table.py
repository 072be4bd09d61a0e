"""Tables as data: what they refuse, how a metric is read, how a user chooses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emoji_pred.errors import UserError
from experiments import table
from experiments.keeping import RESULTS, KeptRun
from experiments.table import (
    Cell,
    Experiment,
    Figure,
    Finding,
    Metric,
    Paper,
    Row,
    Table,
    check_names,
    chosen,
    experiment_row,
    papers,
)

FFN, CNN = Experiment(("model=ffn",)), Experiment(("model=cnn",))
ACCURACY, MACRO = Metric("accuracy", "accuracy"), Metric("macro F1", "macro_f1")


def of_result(**result: Any) -> KeptRun:
    return KeptRun(result, Path())


def test_a_metric_is_read_by_its_path() -> None:
    run = of_result(
        wall_seconds=12.5,
        provenance={"corpus": {"steps": {"final.csv": {"rows": 7}}}},
        test={"accuracy": 0.25, "per_class": [{"label": "❤", "f1": 0.5}, {"label": "☀", "f1": 0.75}]},
    )
    assert ACCURACY.read(run) == 0.25
    assert Metric("", "accuracy", scale=100).read(run) == 25
    assert Metric("", "per_class/☀/f1").read(run) == 0.75
    assert Metric("", "wall_seconds", split="").read(run) == 12.5
    assert Metric("", "provenance/corpus/steps/*/rows", split="").read(run) == 7


@pytest.mark.parametrize("path", ["macro_f1", "per_class/x/f1", "per_class/❤/g", "accuracy/below", "*"])
def test_a_number_that_is_not_there_is_none(path: str) -> None:
    run = of_result(
        test={"accuracy": 0.25, "per_class": [{"label": "❤", "f1": 0.5}], "curves": [{"epoch": 0}]}
    )
    assert Metric("", path).read(run) is None
    assert Metric("", "curves/x").read(run) is None
    assert Metric("", path, split="validation").read(run) is None


def test_an_experiment_says_why_it_cannot_be_run() -> None:
    with pytest.raises(UserError, match="either"):
        Experiment(())
    with pytest.raises(UserError, match="either"):
        Experiment(("model=ffn",), lacking="no data")


def test_a_row_has_a_cell_for_each_heading() -> None:
    row = experiment_row("FFN", FFN, (ACCURACY, MACRO), (0.5,), "a note")
    assert row.cells == (Cell(FFN, ACCURACY, 0.5), Cell(FFN, MACRO, None))
    assert Table("t.1", "", ("accuracy", "macro F1"), (row,)).experiments == [FFN]
    with pytest.raises(UserError, match=r"t\.1, row FFN: 2 cells below 1"):
        Table("t.1", "", ("accuracy",), (row,))
    with pytest.raises(ValueError):
        experiment_row("FFN", FFN, (ACCURACY,), (0.5, 0.6))


@pytest.mark.parametrize(
    ("path", "split"),
    [
        *(("macro_f2", "test"), ("per_class/❤/g", "test"), ("per_class/❤", "test"), ("accuracy/x", "test")),
        *(("accuracy", "tset"), ("provenance/rows/test", "test"), ("accuracy", ""), ("curve/0/loss", "")),
    ],
)
def test_a_misspelt_metric_is_refused_with_its_place(path: str, split: str) -> None:
    row = experiment_row("FFN", FFN, (Metric("number", path, split),))
    with pytest.raises(UserError, match=r"t\.1, row FFN, number: the path"):
        Table("t.1", "", ("number",), (row,))


def test_every_metric_of_the_kept_results_may_stand_in_a_table() -> None:
    for path in sorted(RESULTS.glob("*/result.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        for split in ("validation", "test"):
            for name, value in result[split].items():
                if isinstance(value, int | float):
                    Metric("", name, split).check()


def test_a_misspelt_kind_of_figure_is_refused() -> None:
    with pytest.raises(UserError, match=r"a\.figure1: 'curve' is no kind of figure; did you mean curves\?"):
        Figure("a.figure1", "", "curve", ())


def test_a_name_that_two_parts_have_is_refused() -> None:
    one, two = Table("a.1", "", (), ()), Table("a.1", "another", (), ())
    check_names([Paper("a", "", "", (one,))])
    with pytest.raises(UserError, match=r"2 papers, .* are called 'a\.1'"):
        check_names([Paper("a", "", "", (one,)), Paper("b", "", "", (two,))])
    with pytest.raises(UserError, match=r"2 papers, .* are called 'a'"):
        check_names([Paper("a", "", "", ()), Paper("a", "", "", ())])


def test_the_experiments_of_a_table_stand_once_in_order() -> None:
    rows = (Row("", (Cell(CNN, ACCURACY), None)), Row("", (Cell(FFN, MACRO), Cell(CNN, MACRO))))
    assert Table("t.1", "", ("", ""), rows).experiments == [CNN, FFN]


@pytest.fixture
def two_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    def paper(key: str) -> Paper:
        tables = tuple(Table(f"{key}.{number}", "", (), ()) for number in (1, 2))
        claim = Finding(f"{key}.claim", "", lambda _: "")
        return Paper(key, "", "", tables, (Figure(f"{key}.figure1", "", "curves", ()),), (claim,))

    monkeypatch.setattr(table, "papers", lambda: (paper("a"), paper("b")))


@pytest.mark.usefixtures("two_papers")
def test_a_user_chooses_by_name() -> None:
    def names(wanted: str) -> list[str]:
        found = chosen(wanted)
        return [part.name for paper in found for part in (*paper.tables, *paper.figures)]

    assert names("") == names("all") == names("a,b")
    assert names("a") == ["a.1", "a.2", "a.figure1"]
    assert names("b.2, a.figure1") == ["a.figure1", "b.2"]
    with pytest.raises(UserError, match=r"no table 'a\.figur1'; did you mean a\.figure1"):
        chosen("a,a.figur1")
    assert names("b.1,all") == names("all")
    with pytest.raises(UserError, match=r"no table 'foo'; there are a, a\.1, .*all, b,"):
        chosen("all,foo")


@pytest.mark.usefixtures("two_papers")
def test_a_finding_is_chosen_alone() -> None:
    (part,) = chosen("b.claim")
    assert (part.key, part.tables, part.figures) == ("b", (), ())
    assert [finding.name for finding in part.findings] == ["b.claim"]
    assert [finding.name for finding in chosen("b")[0].findings] == ["b.claim"]
    assert chosen("b.1")[0].findings == ()


def test_every_paper_has_names_of_its_own() -> None:
    names = [part.name for paper in papers() for part in (*paper.tables, *paper.figures, *paper.findings)]
    assert len(names) == len(set(names)) > 0
    for paper in papers():
        for part in (*paper.tables, *paper.figures, *paper.findings):
            assert part.name.startswith(f"{paper.key}."), part.name
