"""What is kept of a run is what it answered, and a run that is not whole is not seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from kept_answers import LABELS, finished

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments.keeping import ANSWERS, keep, kept, ranks_of

IDS = ["a", "b", "c", "d"]


def of_one_label(directory: Path) -> Path:
    probabilities = np.array(
        [[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.25, 0.25, 0.5], [0.6, 0.2, 0.2]], dtype=np.float32
    )
    truth = np.array([2, 1, 1, 0])
    return finished(
        directory,
        {"validation": (IDS[:2], truth[:2], probabilities[:2]), "test": (IDS, truth, probabilities)},
    )


def test_ranks_by_hand_the_first_of_equal_classes_first() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.25, 0.25, 0.5]])
    assert ranks_of(probabilities, np.array([2, 0, 1, 1])).tolist() == [2, 1, 2, 3]


def test_ranks_are_places_in_a_stable_order() -> None:
    generator = np.random.default_rng(0)
    probabilities = np.round(generator.random((200, 7)), 1)
    truth = generator.integers(0, 7, 200)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    places = [1 + row.tolist().index(own) for row, own in zip(order, truth, strict=True)]
    assert ranks_of(probabilities, truth).tolist() == places


def test_a_run_of_one_label_is_kept_and_found(tmp_path: Path) -> None:
    assert keep(of_one_label(tmp_path / "runs" / "r"), tmp_path / "kept" / "r")
    run = kept("r", tmp_path / "kept")
    assert run is not None
    assert (run.name, run.seed, run.labels) == ("r", 0, LABELS)
    answers = run.answers()
    assert list(answers) == ["validation", "test"]
    assert answers["test"].truth.tolist() == [2, 1, 1, 0]
    assert answers["test"].given.tolist() == [1, 0, 2, 0]
    assert answers["test"].ranks is not None
    assert answers["test"].ranks.tolist() == [2, 2, 3, 1]
    assert answers["validation"].truth.tolist() == [2, 1]
    assert answers["test"].probabilities is None
    assert answers["test"].rows != answers["validation"].rows


def test_the_names_of_the_rows_tell_splits_apart(tmp_path: Path) -> None:
    truth, probabilities = np.array([0, 1]), np.full((2, 3), 1 / 3, dtype=np.float32)
    digests = []
    for name, ids in (("r", ["a", "b"]), ("s", ["a", "b"]), ("t", ["b", "a"])):
        keep(finished(tmp_path / name, {"test": (ids, truth, probabilities)}), tmp_path / "kept" / name)
        run = kept(name, tmp_path / "kept")
        assert run is not None
        digests.append(run.answers()["test"].rows)
    assert digests[0] == digests[1] != digests[2]


SEVERAL = np.array([[1, 0, 1], [0, 0, 0]])
PROBABILITIES = np.array([[0.45, 0.55, 0.9], [0.1, 0.2, 0.3]], dtype=np.float32)


def of_several(directory: Path) -> Path:
    decision = {"name": "tuned", "thresholds": [0.4, 0.6, 0.5], "at_least_one": False, "tuned_f1": "macro"}
    splits = {"test": (IDS[:2], SEVERAL, PROBABILITIES)}
    return finished(directory, splits, "multilabel", test={"decision": decision})


def test_of_several_labels_the_rule_of_the_result_decides(tmp_path: Path) -> None:
    assert keep(of_several(tmp_path / "r"), tmp_path / "kept" / "r")
    run = kept("r", tmp_path / "kept")
    assert run is not None
    answers = run.answers()["test"]
    assert answers.given.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert answers.truth.tolist() == SEVERAL.tolist()
    assert np.array_equal(answers.probabilities, PROBABILITIES)
    assert answers.ranks is None


def test_a_run_that_is_not_whole_is_not_seen(tmp_path: Path) -> None:
    keep(of_one_label(tmp_path / "runs" / "r"), tmp_path / "kept" / "r")
    target = tmp_path / "kept" / "r"
    result = (target / runs.RESULT).read_bytes()
    (target / runs.RESULT).unlink()
    assert kept("r", tmp_path / "kept") is None  # killed before the result, which comes last
    (target / runs.RESULT).write_bytes(result)
    (target / ANSWERS).unlink()
    assert kept("r", tmp_path / "kept") is None
    assert kept("no_such_run", tmp_path / "kept") is None


def in_the_middle(whole: bytes) -> bytes:
    half = len(whole) // 2
    return whole[:4] + b"?" * (half - 4) + whole[half:]


@pytest.mark.parametrize(
    "damage",
    [lambda whole: whole[:-9] + b"\xff" * 5 + b"PAR1", in_the_middle, lambda _: b"PAR1 no such thing PAR1"],
)
@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_answers_that_cannot_be_read_are_named(
    tmp_path: Path, task: str, damage: Callable[[bytes], bytes]
) -> None:
    own = (
        of_one_label(tmp_path / "runs" / "r") if task == "multiclass" else of_several(tmp_path / "runs" / "r")
    )
    keep(own, tmp_path / "kept" / "r")
    path = tmp_path / "kept" / "r" / (ANSWERS if task == "multiclass" else runs.PREDICTIONS)
    path.write_bytes(damage(path.read_bytes()))
    run = kept("r", tmp_path / "kept")
    assert run is not None  # a look at its ends tells nothing
    with pytest.raises(UserError, match=rf"{path.name} does not hold .*; remove .*r and run `make"):
        run.answers()


def test_answers_with_another_column_or_a_result_without_their_split_are_named(tmp_path: Path) -> None:
    keep(of_one_label(tmp_path / "runs" / "r"), tmp_path / "kept" / "r")
    path = tmp_path / "kept" / "r" / ANSWERS
    pq.write_table(pq.read_table(path).drop_columns("truth"), path)
    run = kept("r", tmp_path / "kept")
    with pytest.raises(UserError, match=r"answers\.parquet does not hold what a kept run has .*truth"):
        assert run is not None and run.answers()
    keep(of_several(tmp_path / "runs" / "s"), tmp_path / "kept" / "s")
    run = kept("s", tmp_path / "kept")
    assert run is not None
    del run.result["test"]
    with pytest.raises(UserError, match=r"result\.json does not hold what a kept run has .*test"):
        run.answers()


def test_an_unfinished_or_damaged_run_is_not_kept(tmp_path: Path) -> None:
    own = of_one_label(tmp_path / "runs" / "r")
    result = json.loads((own / runs.RESULT).read_text(encoding="utf-8"))
    runs.write_json(own / runs.RESULT, {**result, "status": "running"})
    assert not keep(own, tmp_path / "kept" / "r")
    runs.write_json(own / runs.RESULT, {**result, "files": {runs.PREDICTIONS: "0" * 64}})
    assert not keep(own, tmp_path / "kept" / "r")
    assert not keep(tmp_path / "nowhere", tmp_path / "kept" / "r")
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"task": 1'])
def test_a_damaged_result_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / runs.RESULT).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"result\.json is no result"):
        kept("r", tmp_path)


@pytest.mark.parametrize("seed", ["zero", "7", None, True, 1.5])
def test_a_seed_that_is_no_whole_number_is_named(tmp_path: Path, seed: object) -> None:
    keep(of_one_label(tmp_path / "runs" / "r"), tmp_path / "kept" / "r")
    path = tmp_path / "kept" / "r" / runs.RESULT
    result = json.loads(path.read_text(encoding="utf-8"))
    runs.write_json(path, {**result, "config": {"seed": seed}})
    with pytest.raises(UserError, match=r"r/result\.json has a config\.seed that is no whole number"):
        kept("r", tmp_path / "kept")
