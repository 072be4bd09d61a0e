"""A table is one module in `experiments/tables/`, and nothing else: it is planned, shown and chosen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import experiments.tables
from emoji_pred.errors import UserError
from experiments.history import History
from experiments.markdown import table
from experiments.measured import Shelf
from experiments.planning import Places, Plan, described, plan
from experiments.profiles import CPU, SMOKE
from experiments.table import chosen

MODULE = """
from experiments.table import Experiment, Metric, Paper, Table, experiment_row

MACRO_F1 = Metric("macro F1", "macro_f1")
ROWS = {
    "bundled": Experiment(("data=sample", "encoder=tiny", "model=cnn"), seeds=2),
    "my files": Experiment(("data=text_files", "data.files.train=mine.csv", "model=FILES"), random=False),
}
PAPER = Paper(
    "mine",
    "My tables",
    "Ours",
    (
        Table(
            "mine.1", "Two", ("macro F1",), tuple(experiment_row(*row, (MACRO_F1,)) for row in ROWS.items())
        ),
    ),
)
"""


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules stand among those of `experiments/tables/`."""
    folder = tmp_path / "tables"
    folder.mkdir()
    monkeypatch.setenv("EMOJI_PRED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(experiments.tables, "__path__", [*experiments.tables.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "experiments.tables.mine", raising=False)
    monkeypatch.delattr(experiments.tables, "mine", raising=False)
    return folder


def planned(tables: Path, profile: str, model: str) -> Plan:
    (tables / "mine.py").write_text(MODULE.replace("FILES", model), encoding="utf-8")
    places = Places(tables.parent / "runs", tables.parent / "kept")
    return plan(chosen("mine.1"), profile, None, 1, places, History())


def test_it_is_planned_in_every_profile_and_shown(tables: Path) -> None:
    assert len(planned(tables, CPU, "tfidf_nb").missing) == 2 + 1
    found = planned(tables, SMOKE, "tfidf_nb")
    assert [one.run.config["data"]["name"] for one in found.missing] == ["sample"]
    said = "no bundled rows stand for data=text_files"
    assert f"Cannot be run in this profile: {said}" in described(found, ["mine.1"])
    shown = table(chosen("mine")[0].tables[0], Shelf(tables.parent / "kept", SMOKE))
    assert f"Not run, my files: {said.capitalize()}" in shown


def test_a_slip_is_told_by_its_place(tables: Path) -> None:
    with pytest.raises(UserError, match=r"^mine\.1, row my files: model=tfidf_nbb is not a choice"):
        planned(tables, CPU, "tfidf_nbb")
