"""Tables as data: what they refuse, how a metric is read, how a user chooses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emoji_pred.errors import UserError
from experiments import table
from experiments.keeping import KeptRun
from experiments.table import (
    Cell,
    Experiment,
    Figure,
    Metric,
    Paper,
    Row,
    Table,
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
    with pytest.raises(ValueError, match="either"):
        Experiment(())
    with pytest.raises(ValueError, match="either"):
        Experiment(("model=ffn",), lacking="no data")


def test_a_row_has_a_cell_for_each_heading() -> None:
    row = experiment_row("FFN", FFN, (ACCURACY, MACRO), (0.5,), "a note")
    assert row.cells == (Cell(FFN, ACCURACY, 0.5), Cell(FFN, MACRO, None))
    assert Table("t.1", "", ("accuracy", "macro F1"), (row,)).experiments == [FFN]
    with pytest.raises(ValueError, match=r"t\.1, FFN: 2 cells below 1"):
        Table("t.1", "", ("accuracy",), (row,))
    with pytest.raises(ValueError):
        experiment_row("FFN", FFN, (ACCURACY,), (0.5, 0.6))


def test_the_experiments_of_a_table_stand_once_in_order() -> None:
    rows = (Row("", (Cell(CNN, ACCURACY), None)), Row("", (Cell(FFN, MACRO), Cell(CNN, MACRO))))
    assert Table("t.1", "", ("", ""), rows).experiments == [CNN, FFN]


@pytest.fixture
def two_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    def paper(key: str) -> Paper:
        tables = tuple(Table(f"{key}.{number}", "", (), ()) for number in (1, 2))
        return Paper(key, "", "", tables, (Figure(f"{key}.figure1", "", "curves", ()),))

    monkeypatch.setattr(table, "papers", lambda: (paper("a"), paper("b")))


@pytest.mark.usefixtures("two_papers")
def test_a_user_chooses_by_name() -> None:
    def names(wanted: str) -> list[str]:
        found = chosen(wanted)
        return [part.name for paper in found for part in (*paper.tables, *paper.figures)]

    assert names("") == names("all") == names("a,b")
    assert names("a") == ["a.1", "a.2", "a.figure1"]
    assert names("b.2, a.figure1") == ["a.figure1", "b.2"]
    with pytest.raises(UserError, match=r"no table 'c'; choose from a, a\.1, .*, b\.figure1"):
        chosen("a,c")


def test_every_paper_has_names_of_its_own() -> None:
    names = [part.name for paper in papers() for part in (*paper.tables, *paper.figures, *paper.findings)]
    assert len(names) == len(set(names)) > 0
    for paper in papers():
        for part in (*paper.tables, *paper.figures, *paper.findings):
            assert part.name.startswith(f"{paper.key}."), part.name
