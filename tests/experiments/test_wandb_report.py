"""Reports at W&B: the same cells as the tables, an offline run to be synced, no server that is waited for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from conftest import REPOSITORY
from kept_runs import keep_run, right_on
from scipy import stats
from sklearn.metrics import accuracy_score
from wandb_file import offline_runs

from emoji_pred.errors import UserError
from experiments import pages, wandb_report
from experiments.keeping import KeptRun
from experiments.measured import RULE, Shelf
from experiments.table import Cell, Experiment, Finding, Metric, Paper, Row, Table, experiment_row
from experiments.wandb_content import CELL_COLUMNS, Piece, cells, curves, pieces, table_key

LABELS = ["❤", "😂", "☀"]
TRUTH = np.array([0, 0, 1, 2, 1, 0, 2, 1, 0, 2, 1, 1, 2, 0, 1, 2, 0, 1, 2, 1])
TYPED = ("data=sample", "model=cnn")
TRAINED = Experiment(TYPED, seeds=3)
LACKING = Experiment((), ("data=telegram_rus", "model=lora"), lacking="the authors' table cannot be had")
ACCURACY, HEART = Metric("accuracy", "accuracy"), Metric("F1 of ❤", "per_class/❤/f1", decimals=3)
TABLE = Table(
    "invented.1",
    "Table 1: invented",
    ("accuracy", "F1 of ❤"),
    (
        experiment_row("CNN", TRAINED, (ACCURACY, HEART), (0.9,), note="a note"),
        experiment_row("LoRA", LACKING, (ACCURACY, HEART), (0.5, 0.25)),
        Row("nothing", (None, None)),
    ),
)
PAPER = Paper(
    "invented",
    "An invented paper",
    "Nobody 1999",
    (TABLE,),
    findings=(
        Finding(
            "invented.x", "It rains", lambda shelf: f"{len(shelf.runs(TRAINED))} runs", tables=("invented.1",)
        ),
        Finding("invented.y", "Never measured", lambda _: ""),
    ),
)


@pytest.fixture
def runs(tmp_path: Path) -> list[KeptRun]:
    """Two of the three seeds, wrong on one and on three of the twenty rows."""
    place = tmp_path / "kept"
    place.mkdir()
    found = []
    for seed, wrong in enumerate(([1], [2, 3, 4])):
        splits = dict.fromkeys(("validation", "test"), (TRUTH, right_on(TRUTH, wrong, 3)))
        found.append(keep_run(place, (*TYPED, f"seed={seed}"), splits, LABELS))
    return found


@pytest.fixture
def shelf(runs: list[KeptRun], tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "kept")


def by_place(shelf: Shelf) -> dict[tuple[str, str], dict[str, Any]]:
    lines = [dict(zip(CELL_COLUMNS, row, strict=True)) for row in cells(TABLE, shelf).rows]
    return {(line["row"], line["column"]): line for line in lines}


def test_each_cell_stands_with_its_interval_verdict_and_runs(runs: list[KeptRun], shelf: Shelf) -> None:
    found = by_place(shelf)
    assert len(found) == 4  # none of a cell that the table leaves empty
    values = [accuracy_score(TRUTH, run.answers()["test"].given) for run in runs]
    reach = stats.t.ppf(0.975, 1) * np.std(values, ddof=1) / np.sqrt(2)
    one = found["CNN", "accuracy"]
    assert values == [0.95, 0.85] and one["measured"] == pytest.approx(0.9)
    assert one["low"] == pytest.approx(max(0.9 - reach, 0)) and one["high"] == min(0.9 + reach, 1)
    assert one["difference"] == pytest.approx(0) and one["verdict"] == "reproduced"
    assert one["runs"].split() == [run.name for run in runs]
    assert one["seeds missing"] == "2" and one["note"] == "a note" and one["interval over"] == "seeds"
    assert found["CNN", "F1 of ❤"]["verdict"] == "not published"

    two = found["LoRA", "F1 of ❤"]
    assert (two["published"], two["measured"], two["low"], two["verdict"]) == (0.25, None, None, "not run")
    assert two["note"] == "the authors' table cannot be had"


def test_the_curves_are_those_of_the_runs(runs: list[KeptRun], shelf: Shelf) -> None:
    table = curves(PAPER, shelf)
    lines = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(line["run"], line["model"], line["seed"]) for line in lines] == [
        (run.name, "cnn", run.seed) for run in runs
    ]
    assert [(line["epoch"], line["train_loss"], line["val_loss"]) for line in lines] == [(0, 1.5, 1.25)] * 2


def test_the_report_is_built_without_a_server_and_shows_the_same_cells(
    runs: list[KeptRun], shelf: Shelf, no_network: None
) -> None:
    plain = wandb_report.specification(wandb_report.build(PAPER, shelf, "project", "me"))
    assert plain["project"] == {"name": "project", "entityName": "me"}
    assert plain["displayName"] == "An invented paper" and "Nobody 1999" in plain["description"]
    blocks = plain["spec"]["blocks"]
    headings = [block["children"][0]["text"] for block in blocks if block["type"] == "heading"]
    assert headings[:3] == ["What the paper does not tell", "It rains", "How to read the tables"]
    assert "Table 1: invented (invented.1)" in headings and "Never measured" not in headings
    texts = [block["content"] for block in blocks if block["type"] == "markdown-block"]
    assert RULE in texts and "2 runs\n\nEvidence: invented.1." in texts
    (table,) = [text for text in texts if "| CNN" in text]
    assert "<a id" not in table and "##" not in table
    assert (
        "0.900" in table
        and "[0.265,\u00a01.000]" in table
        and "the authors' table cannot be had" in table.lower()
    )
    assert all(any(run.name in text for text in texts) for run in runs)


def test_the_report_has_the_texts_of_the_papers_page(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links to places and files lead nowhere at W&B."""
    introduction = "Stand-ins [are marked](#invented-1) in [a file](a.md)."
    monkeypatch.setattr(pages, "introduction", lambda *_: introduction)
    monkeypatch.setattr(pages, "sections", lambda *_: ["## Its own\n\nWords."])
    found = pieces(PAPER, shelf)
    assert found[1] == Piece("text", "Stand-ins are marked in a file.")
    place = found.index(Piece("heading", "Its own"))
    assert found[place + 1] == Piece("text", "Words.")
    assert found[-1].text.startswith("## Commands") and "python train.py" in found[-1].text


def test_an_offline_run_holds_the_tables_and_can_be_synced(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    import wandb

    monkeypatch.setenv("WANDB_MODE", "")
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    try:
        logged = wandb_report.log(PAPER, shelf, "offline", "project", "", tmp_path / "logged")
    finally:
        wandb.teardown()
    (run,) = offline_runs(tmp_path / "logged")
    assert str(run.directory) in logged.place and "wandb sync" in logged.place
    assert run.run.display_name == logged.name
    assert (run.run.project, run.run.run_group, run.exit_code) == ("project", "tables of invented", 0)
    assert run.config["rule"] == RULE and run.config["paper"] == "invented"
    table, expected = run.table(table_key(TABLE)), cells(TABLE, shelf)
    assert table["columns"] == expected.columns and table["data"] == expected.rows
    assert run.table("invented/curves")["data"] == curves(PAPER, shelf).rows
    counted = {key: value for key, value in run.summary.items() if key.startswith("cells/")}
    assert counted == {"cells/reproduced": 1, "cells/not published": 1, "cells/not run": 2}


class FakeApi:
    """As much of W&B's API as saving a report asks for; `sent` holds what would be stored."""

    default_entity = "me"
    sent: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, **_: Any) -> None:
        self.client = SimpleNamespace(app_url="https://wandb.test")

    def reports(self, path: str) -> list[SimpleNamespace]:
        assert path == "me/project"
        other = SimpleNamespace(id="other", display_name="Another report")
        return [other, SimpleNamespace(id="known", display_name=PAPER.title)]

    def projects(self, _: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="project")]


def test_saving_replaces_the_report_and_shows_the_tables_of_the_run(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb
    from wandb_workspaces.reports.v2 import interface

    def answered(_: Any, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        if "spec" not in variables:
            return {"project": {"internalId": "p1"}}
        FakeApi.sent.append(variables)
        return {"upsertView": {"view": {"id": variables["id"], "spec": variables["spec"]}}}

    monkeypatch.setattr(wandb, "Api", FakeApi)
    monkeypatch.setattr(interface, "execute_graphql", answered)
    address = wandb_report.save(PAPER, shelf, "project", "", "tables: invented 1")
    assert address.startswith("https://wandb.test/me/project/reports/") and address.endswith("--known")
    (sent,) = FakeApi.sent
    assert (sent["id"], sent["entityName"], sent["displayName"]) == ("known", "me", PAPER.title)
    (grid,) = (block for block in json.loads(sent["spec"])["blocks"] if block["type"] == "panel-grid")
    written = json.dumps(grid)
    assert '"invented/1"' in written and '"invented/curves"' in written
    (runset,) = grid["metadata"]["runSets"]
    assert runset["project"]["id"] == "p1" and "tables: invented 1" in json.dumps(runset["filters"])


def test_what_the_server_refuses_is_one_line(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    def refused(**_: Any) -> None:
        raise ValueError("project\nnot found")

    monkeypatch.setattr(wandb, "Api", refused)
    with pytest.raises(UserError, match="W&B does not take the tables: project not found; --offline"):
        wandb_report.save(PAPER, shelf, "project", "", "x")


def test_headings_are_short_enough_for_the_server(shelf: Shelf) -> None:
    long = Paper("invented", "x" * 200, "Nobody 1999", (TABLE,))
    title = wandb_report.specification(wandb_report.build(long, shelf, "p", "me"))["displayName"]
    assert len(title) == 128 and title.endswith("x…")


def test_a_paper_without_runs_has_a_report_too(tmp_path: Path) -> None:
    empty = Shelf(tmp_path)
    assert [piece.text for piece in pieces(PAPER, empty) if piece.kind == "heading"][-1] == (
        "Table 1: invented (invented.1)"
    )
    assert curves(PAPER, empty).rows == []
    one = Table("invented.2", "t", ("accuracy",), (Row("CNN", (Cell(TRAINED, ACCURACY),)),))
    assert cells(one, empty).rows[0][CELL_COLUMNS.index("seeds missing")] == "0 1 2"


@pytest.mark.parametrize(
    ("mode", "arguments", "words"),
    [
        ("", [], "not logged in to W&B: `wandb login` first, or --offline"),
        ("disabled", [], "WANDB_MODE=disabled: nothing would be kept"),
        ("often", ["--offline"], "WANDB_MODE=often is not a mode of W&B"),
        ("offline", ["--tables", "nowhere.1"], "there is no table 'nowhere.1'"),
        ("offline", ["--results", "no/such/place"], "no/such/place is no directory"),
        ("offline", ["--output", "x.json"], "add --dry-run"),
        ("offline", ["--dry-run", "--output", "no/such/place.json"], "cannot write no/such/place.json"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mode: str,
    arguments: list[str],
    words: str,
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", mode)
    if "--results" not in arguments:
        arguments = ["--results", str(tmp_path), *arguments]
    with pytest.raises(SystemExit) as ended:
        wandb_report.main(["--dir", str(tmp_path), *arguments])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and words in line
    assert not (tmp_path / "wandb").exists()


def test_a_library_that_is_missing_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    with pytest.raises(SystemExit):
        wandb_report.main(["--offline", "--results", str(tmp_path), "--dir", str(tmp_path)])
    assert "pip install 'emoji_pred[trackers]'" in capsys.readouterr().err


def test_without_a_network_it_ends_soon_with_one_line(tmp_path: Path) -> None:
    surroundings = {**os.environ, "WANDB_API_KEY": "k" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        surroundings.pop(name, None)
    surroundings |= {"WANDB_MODE": "online", "HOME": str(tmp_path)}
    typed = ["--results", str(tmp_path), "--dir", str(tmp_path), "--tables", "tweeteval.4"]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "experiments.wandb_report", *typed],
        **{"cwd": REPOSITORY, "env": surroundings, "capture_output": True, "text": True, "timeout": 60},
    )
    assert done.returncode == 2 and time.monotonic() - started < 50
    (line,) = done.stderr.splitlines()
    assert line == (
        "error: W&B does not answer (no network?); --offline keeps the tables here for `wandb sync`"
    )


def test_the_command_writes_every_paper_it_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "reports.json"
    wandb_report.main(
        ["--results", str(tmp_path), "--tables", "tweeteval.4", "--dry-run", "--output", str(file)]
    )
    (report,) = json.loads(file.read_text(encoding="utf-8"))
    assert report["displayName"].endswith(": tweeteval.4")  # it does not replace the report of the paper
    headings = [block for block in report["spec"]["blocks"] if block["type"] == "heading"]
    assert sum("(tweeteval." in block["children"][0]["text"] for block in headings) == 1
