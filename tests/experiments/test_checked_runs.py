"""A kept run that was tampered with is named, and what cannot be checked is counted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from tampered_runs import ONE_LABEL, SAMPLE, SEVERAL, copy_of, rewrite

from emoji_pred import runs
from emoji_pred.metrics import evaluate
from experiments.checked_metrics import LATER, METRICS
from experiments.checked_runs import NO_PROBABILITIES, run_differences
from experiments.checked_training import cheapest
from experiments.keeping import ANSWERS, RESULTS


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: copy_of(name, tmp_path)


def test_what_cannot_be_computed_again_is_counted_with_the_reason(copied: Callable[[str], Path]) -> None:
    """A split has one loss and one ece; without ranks, three top-k; without answers, the rest by relation."""
    own = copied(SAMPLE)
    left = run_differences(own.parent)[1].left
    splits = [run_differences(own.parent)[1].left[name, NO_PROBABILITIES] for name in ("loss", "ece")]
    assert splits == [sum("loss" in split for split in splits_of(own)), 2]
    whole = pq.read_table(own / ANSWERS)
    pq.write_table(whole.filter(pc.equal(whole["split"], "test")).drop_columns("rank"), own / ANSWERS)
    covered = run_differences(own.parent)[1]
    assert {name: count for (name, why), count in covered.left.items() if "ranks of these runs" in why} == {
        name: 2
        for name in splits_of(own)[1]
        if name.startswith("top_") and name[4:].isdigit() and name != "top_1"
    }
    plain = [value for value in splits_of(own)[0].values() if isinstance(value, int | float)]
    classes = splits_of(own)[0]["per_class"]
    without_matrix = sum(splits[:1]) // 2 + 1 + 3  # a loss if there is one, ece, three top-k
    assert covered.related == len(plain) + sum(len(entry) - 1 for entry in classes) - without_matrix
    assert covered.left.total() == left.total() + 6


def splits_of(directory: Path) -> list[dict[str, Any]]:
    result = json.loads((directory / runs.RESULT).read_text(encoding="utf-8"))
    return [result[split] for split in ("validation", "test")]


@pytest.mark.parametrize("name", [ONE_LABEL, SEVERAL])
def test_a_number_that_was_changed_is_named(copied: Callable[[str], Path], name: str) -> None:
    own = copied(name)
    assert run_differences(own.parent)[0] == []
    (line,) = rewrite(own, lambda result: result["test"].update(macro_f1=result["test"]["macro_f1"] + 1e-6))
    assert f"{name}: test/macro_f1 is" in line


def test_a_number_of_a_class_that_was_changed_is_named(copied: Callable[[str], Path]) -> None:
    own = copied(SAMPLE)
    (line,) = rewrite(own, lambda result: result["test"]["per_class"][0].update(f1=0.99))
    assert "test/per_class/❤/f1 is 0.99" in line
    (_, line) = rewrite(own, lambda result: result["test"]["confusion_matrix"][0].reverse())
    assert "confusion_matrix" in line


def test_a_configuration_that_was_changed_is_named(copied: Callable[[str], Path]) -> None:
    own = copied(ONE_LABEL)
    (line,) = rewrite(own, lambda result: result["config"].update(seed=99))
    assert "config is not what provenance.identity says" in line


def test_an_identity_that_was_changed_is_named(copied: Callable[[str], Path]) -> None:
    own = copied(ONE_LABEL)
    (line,) = rewrite(own, lambda result: result["provenance"]["identity"].update(seed=99))
    assert "not the hash of provenance.identity" in line
    (line, rows) = rewrite(own, lambda result: result["provenance"].clear())
    assert "not the hash of provenance.identity" in line and rows.endswith("provenance.rows is not there")


def test_a_run_below_another_name_is_named(copied: Callable[[str], Path]) -> None:
    own = copied(SAMPLE)
    moved = own.rename(own.with_name("0" * 12))
    (line,) = run_differences(moved.parent)[0]
    assert line == f"runs/{'0' * 12}: the result says that it is of run {SAMPLE}"
    (line,) = rewrite(moved, lambda result: result.update(run="0" * 12))
    assert "not the hash" in line


def test_answers_of_another_run_are_named(copied: Callable[[str], Path]) -> None:
    own = copied(SEVERAL)
    other = next(path for path in RESULTS.glob(f"*/{runs.PREDICTIONS}") if path.parent.name != SEVERAL)
    shutil.copy2(other, own / runs.PREDICTIONS)
    lines = run_differences(own.parent)[0]
    assert f"{SEVERAL}/{runs.PREDICTIONS}: the content is not that of the run" in lines[0]
    assert len(lines) > 1  # and its numbers


def test_half_a_run_is_named(copied: Callable[[str], Path]) -> None:
    own = copied(SAMPLE)
    (own / ANSWERS).unlink()
    assert run_differences(own.parent)[0] == [f"runs/{SAMPLE}: the result or the answers are not there"]
    (own / runs.RESULT).write_text("{", encoding="utf-8")
    (line,) = run_differences(own.parent)[0]
    assert "is no result of a run" in line


OLD, NEW = (
    next(
        path.parent.name
        for path in sorted(RESULTS.glob(f"*/{ANSWERS}"))
        if ("rank" in pq.read_schema(path).names) is has_ranks
    )
    for has_ranks in (False, True)
)


@pytest.mark.parametrize(
    ("name", "split"), [(OLD, "test"), (NEW, "test"), (NEW, "validation"), (SEVERAL, "validation")]
)
def test_answers_that_were_taken_out_are_named(copied: Callable[[str], Path], name: str, split: str) -> None:
    own = copied(name)
    path = own / (runs.PREDICTIONS if name == SEVERAL else ANSWERS)
    whole = pq.read_table(path)
    pq.write_table(whole.filter(pc.not_equal(whole["split"], split)), path)
    lines = run_differences(own.parent)[0]
    without = {"test", "validation"} if name == OLD else {split}  # the old ones hold the test rows alone
    assert [line for line in lines if "rows are not there" in line] == [
        f"runs/{name}: the answers to the {one} rows are not there"
        for one in ("validation", "test")
        if one in without
    ]


def test_answers_of_fewer_rows_are_named(copied: Callable[[str], Path]) -> None:
    own = copied(SAMPLE)
    whole = pq.read_table(own / ANSWERS)
    rows = (pc.sum(pc.equal(whole["split"], "test"))).as_py()
    pq.write_table(whole.slice(0, len(whole) - 1), own / ANSWERS)  # test stands last
    lines = run_differences(own.parent)[0]
    assert f"runs/{SAMPLE}: {rows - 1} answers to test rows, of which provenance.rows counts {rows}" in lines


@pytest.mark.parametrize("name", [SAMPLE, OLD, NEW, SEVERAL])
@pytest.mark.parametrize("value", [None, "0.5", True])
def test_a_metric_that_is_no_number_is_named(copied: Callable[[str], Path], name: str, value: object) -> None:
    own = copied(name)
    lines = rewrite(own, lambda result: result["test"].update(macro_f1=value))
    assert lines == [f"runs/{name}: test/macro_f1 is not there, or no number"]
    lines = rewrite(own, lambda result: result["test"].pop("macro_f1"))
    assert lines == [f"runs/{name}: test/macro_f1 is not there, or no number"]


def test_what_was_taken_out_of_a_result_is_named(copied: Callable[[str], Path]) -> None:
    for number, (where, change) in enumerate(
        {
            "test/per_class is not of the labels": lambda result: result["test"]["per_class"].pop(),
            "test/per_class/❤/f1 is not": lambda result: result["test"]["per_class"][0].pop("f1"),
            "test/confusion_matrix is not": lambda result: result["test"].pop("confusion_matrix"),
            "test/never_predicted is not": lambda result: result["test"].pop("never_predicted"),
            "has no metrics of the test rows": lambda result: result.pop("test"),
            "provenance.rows counts None": lambda result: result["provenance"]["rows"].pop("test"),
        }.items()
    ):
        own = copied(SAMPLE)
        (line,) = rewrite(own, change)
        assert where in line, number
        shutil.rmtree(own)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_every_metric_that_is_asked_for_is_one_that_runs_write(task: str) -> None:
    probabilities = torch.tensor([[0.7, 0.3], [0.4, 0.6]])
    targets = torch.tensor([0, 1] if task == "multiclass" else [[1, 0], [0, 1]])
    found = evaluate(probabilities, targets, task, ["a", "b"], top_class=0)
    assert {*METRICS[task], *LATER} <= {
        name for name, value in found.items() if isinstance(value, int | float)
    }


def test_a_damaged_run_is_named_and_the_others_are_checked(copied: Callable[[str], Path]) -> None:
    own, other, third = copied(ONE_LABEL), copied(SAMPLE), copied(SEVERAL)
    for directory in (own, third):
        path = next(directory.glob("*.parquet"))
        path.write_bytes(path.read_bytes()[:100] + b"PAR1")
    rewrite(other, lambda result: result["test"].update(accuracy=1.5))
    lines, covered = run_differences(own.parent)
    assert covered.computed > 100
    assert sum(f"{ONE_LABEL}/{ANSWERS} does not hold" in line for line in lines) == 1
    assert sum(f"{SEVERAL}/{runs.PREDICTIONS} does not hold" in line for line in lines) == 1
    assert sum("test/accuracy is 1.5" in line for line in lines) == 1
    assert SAMPLE in {
        run.name for run in cheapest(own.parent)
    }  # damaged answers are found when they are read
    (other / ANSWERS).write_bytes(b"")
    assert SAMPLE not in {run.name for run in cheapest(own.parent)}
    rewrite(third, lambda result: result.update(config=7))
    rewrite(own, lambda result: result.update(config=7))
    assert cheapest(own.parent) == []


@pytest.mark.parametrize("key", ["run", "config", "label_names", "test", "files"])
@pytest.mark.parametrize("name", [ONE_LABEL, SEVERAL])
def test_a_result_of_another_form_is_named(copied: Callable[[str], Path], name: str, key: str) -> None:
    lines = rewrite(copied(name), lambda result: result.update({key: 7}))
    assert lines and all(name in line for line in lines)


@pytest.mark.parametrize("place", ["/mnt/someone/data.csv", "~/data/a.csv", "C:\\Users\\someone\\a.csv"])
def test_a_path_of_a_machine_is_named(copied: Callable[[str], Path], place: str) -> None:
    own = copied(SAMPLE)
    (line,) = rewrite(own, lambda result: result["provenance"].update(warnings=[f"cannot read {place}"]))
    assert "provenance.warnings[0] holds a path" in line


def test_a_stale_run_has_a_name_of_its_own(copied: Callable[[str], Path], monkeypatch: Any) -> None:
    """A run of before a change is whole, though its configuration is called otherwise today."""
    from emoji_pred import changes

    own = copied(SAMPLE)
    change = changes.Change("x", 2, "x", "2027-01-01", lambda _: True)
    monkeypatch.setattr(changes, "CHANGES", (*changes.CHANGES, change))
    assert run_differences(own.parent)[0] == []
