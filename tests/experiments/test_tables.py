"""What holds for every table, and that the kept runs are found by them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from experiments.keeping import RESULTS, kept
from experiments.measured import Measured, Shelf, Verdict
from experiments.profiles import CPU, FULL, SMOKE, composed, overrides_of, planned
from experiments.table import Cell, Experiment, Finding, Metric, Paper, papers
from experiments.tables import emothreat, telegram_rus
from experiments.tables import telegram_rus_models as russian

EVERY = {paper.key: paper for paper in papers()}
EACH = pytest.mark.parametrize("paper", EVERY.values(), ids=EVERY)


def experiments_of(paper: Paper) -> dict[Experiment, str]:
    """Each with the name of a table or figure that has it."""
    found = {one: table.name for table in paper.tables for one in table.experiments}
    return {**{one: figure.name for figure in paper.figures for _, one in figure.experiments}, **found}


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    if not any(RESULTS.glob("*/result.json")):
        pytest.skip("there are no kept runs")
    return Shelf()


@EACH
@pytest.mark.parametrize("profile", [CPU, FULL])  # smoke: test_profiles.py
def test_every_experiment_composes(paper: Paper, profile: str) -> None:
    for experiment, where in experiments_of(paper).items():
        overrides = overrides_of(experiment, profile)
        if not overrides:
            assert experiment.lacking, where
            continue
        config = composed((*overrides, "seed=0"))
        assert config["seed"] == 0, where


def test_names_are_unique_and_begin_with_the_paper() -> None:
    names = [
        (paper.key, one.name)
        for paper in EVERY.values()
        for one in (*paper.tables, *paper.figures, *paper.findings)
    ]
    assert max(Counter(name for _, name in names).values()) == 1
    assert all(name.startswith(f"{key}.") for key, name in names)


def test_findings_name_tables_and_audits_that_there_are() -> None:
    names = {table.name for paper in EVERY.values() for table in paper.tables}
    audits = RESULTS.parent / "audit"
    for paper in EVERY.values():
        for finding in paper.findings:
            assert set(finding.tables) <= names, finding.name
            assert not finding.audit or (audits / finding.audit).is_dir(), finding.name


def test_every_kept_run_is_found_by_a_table(shelf: Shelf) -> None:
    planned_names = {
        run.name
        for paper in EVERY.values()
        for one in experiments_of(paper)
        for run in (*planned(one), *planned(one, FULL), *shelf.runs(one))
    }
    there = {path.parent.name for path in RESULTS.glob("*/result.json")}
    typed = {
        name: json.loads((RESULTS / name / "result.json").read_text(encoding="utf-8"))["overrides"]
        for name in there - planned_names
    }
    # `make verify-results` has one on bundled data, for machines without the papers' data.
    lost = {name: words for name, words in typed.items() if "data=sample" not in words}
    assert not lost


@EACH
def test_every_cell_has_a_number_where_a_run_is_kept(paper: Paper, shelf: Shelf) -> None:
    empty = [
        f"{table.name}, {row.label}, {cell.metric.name}"
        for table in paper.tables
        for row in table.rows
        for cell in row.cells
        if cell and any(cell.metric.read(run) is None for run in shelf.runs(cell.experiment)[:1])
    ]
    assert not empty


def drawn_of(finding: Finding) -> list[Cell]:
    """The bars of a finding but for published numbers of what cannot be run here."""
    return [cell for _, cell in finding.bars if not (cell.experiment.lacking and cell.published)]


def test_every_run_on_the_telegram_comments_is_among_all_models_or_searched(shelf: Shelf) -> None:
    """So the page's "best of all models" is the best of all that were run."""
    among = {**russian.IN_PAPER, **russian.OURS}.values()
    searched = [experiment for experiment, _ in telegram_rus.SEARCHED.values()]
    named = {name for one in (*among, *searched) for name in shelf.names(one)}
    for path in RESULTS.glob("*/result.json"):
        config = json.loads(path.read_text(encoding="utf-8"))["config"]
        if config["data"]["name"] == "telegram_rus_small":
            assert path.parent.name in named


@pytest.mark.parametrize("key", ["telegram_rus", "emothreat"])
def test_findings_say_nothing_of_bundled_rows(
    key: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    smoke = Shelf(profile=SMOKE)
    monkeypatch.setattr(smoke, "runs", shelf.runs)  # as if smoke runs were there: all numbers are
    bars = [cell for finding in EVERY[key].findings for cell in drawn_of(finding)]
    assert all(smoke.measured(cell).mean is not None for cell in bars)
    assert not any(finding.text(smoke) for finding in EVERY[key].findings)


@EACH
def test_findings_are_told_with_numbers_or_not_at_all(paper: Paper, shelf: Shelf, tmp_path: Path) -> None:
    for finding in paper.findings:
        text = finding.text(shelf)
        assert any(sign.isdigit() for sign in text) and "None" not in text and "nan" not in text
        assert finding.text(Shelf(tmp_path)) == "", f"{finding.name}: nothing is measured there"
        assert all(shelf.measured(cell).mean is not None for cell in drawn_of(finding)), finding.name


@pytest.mark.parametrize("paper", [telegram_rus.PAPER, emothreat.PAPER], ids=["telegram_rus", "emothreat"])
def test_what_stands_in_is_not_compared(paper: Paper, shelf: Shelf) -> None:
    verdicts = {
        f"{table.name}, {row.label}": shelf.measured(cell).verdict
        for table in paper.tables
        for row in table.rows
        for cell in row.cells
        if cell and cell.published is not None
    }
    # All but the rows of the third set, which is the paper's own file: it prints 20,864 for 20,863.
    own_file = verdicts.pop("telegram_rus.1, final dataset (sentences)", Verdict.DIFFERENT)
    assert own_file == Verdict.DIFFERENT
    assert set(verdicts.values()) == {Verdict.NOT_COMPARABLE, Verdict.NOT_RUN}


# --- Telegram-Rus


def means(measured: list[Measured]) -> list[float | None]:
    return [one.mean for one in measured]


def test_the_ceiling_holds_for_every_model(shelf: Shelf) -> None:
    for split in ("validation", "test"):
        best, always = (
            shelf.measured(cell).mean
            for cell in (russian.reachable_of(split, "top_1"), russian.constant_of(split))
        )
        assert best is not None and always is not None and always < best < 100
        for label, experiment in {**russian.IN_PAPER, **russian.OURS}.items():
            top_1 = shelf.measured(Cell(experiment, Metric("", "top_1", split, scale=100))).mean
            assert top_1 is None or top_1 < best, label


def test_the_constant_answer_has_the_share_of_the_top_class(shelf: Shelf) -> None:
    (run,) = shelf.runs(russian.TFIDF_LOGREG)
    rows = [entry["support"] for entry in run.result["test"]["per_class"]]
    assert shelf.measured(russian.constant_of("test")).mean == pytest.approx(100 * max(rows) / sum(rows))


def test_the_twelve_phrases_are_kept() -> None:
    from emoji_pred.examples import TELEGRAM

    path = RESULTS.parent / "telegram_rus" / "examples.jsonl"
    kept_answers = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(one["text"], one["paper"]) for one in kept_answers] == list(TELEGRAM) and len(TELEGRAM) == 12
    assert all(kept(one["run"]) is not None for one in kept_answers)


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """A configuration with dotted keys."""
    if not isinstance(node, dict):
        return {prefix: node}
    return {
        name: value for key, inner in node.items() for name, value in flat(inner, f"{prefix}.{key}").items()
    }


def changed(one: Experiment, other: Experiment) -> set[str]:
    """The settings in which two experiments differ."""
    first, second = (flat(composed(experiment.measured)) for experiment in (one, other))
    return {key for key in first.keys() | second.keys() if first.get(key) != second.get(key)}


def test_each_row_of_the_search_changes_one_thing() -> None:
    (first, _), (second, _), *others = telegram_rus.SEARCHED.values()
    assert {key.removeprefix(".model.scheduler.then") for key in changed(first, second)} <= {
        "",
        ".epoch",
        ".lr",
    }
    for label, (experiment, note) in list(telegram_rus.SEARCHED.items())[2:]:
        is_linear = label == "linear schedule"
        assert len(changed(second if is_linear else first, experiment)) == 1, label
        assert ("second row" in note) == is_linear
    assert len(others) == 8


def test_the_ranks_of_table_2_are_those_that_its_note_names() -> None:
    lora = russian.WITH_LORA
    assert lora.published is not None
    ranks = [composed(typed)["model"]["network"]["lora_rank"] for typed in (lora.measured, lora.published)]
    assert ranks == [32, 8] and "rank 32" in russian.RANKS and "rank 8" in russian.RANKS
    for name in ("telegram_rus.2", "telegram_rus.models"):
        (table,) = (one for one in EVERY["telegram_rus"].tables if one.name == name)
        noted = [row.label for row in table.rows if row.note == russian.RANKS]
        assert len(noted) == 1 and noted[0].endswith("with LoRA")
