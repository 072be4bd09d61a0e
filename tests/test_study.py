"""A study that processes share: no trial twice, none lost. The truth is Optuna's own reading of the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from conftest import REPOSITORY

from emoji_pred.errors import Pruned, UserError
from emoji_pred.schema import Search
from emoji_pred.study import Study

SPACE = {"x": {"uniform": [0.0, 1.0]}}


def settings(trials: int, sampler: str = "random", pruner: str = "none", **options: Any) -> Search:
    return Search.model_validate(
        {
            "trials": trials,
            "workers": 1,
            "sampler": {"name": sampler, "seed": 3, "startup_trials": 2},
            "pruner": {"name": pruner, "startup_trials": 1, "min_epochs": 1, "reduction_factor": 3} | options,
            "space": SPACE,
        }
    )


def opened(place: Path, *arguments: Any, **options: Any) -> Study:
    return Study(place, "name", settings(*arguments, **options), max_epochs=9)


def stored(place: Path) -> list[optuna.trial.FrozenTrial]:
    """The trials as Optuna itself reads them."""
    return optuna.load_study(study_name="name", storage=f"sqlite:///{place}/name.db").trials


# Opens the study at the same moment as the others, and takes trials until there are none.
WORKER = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, "tests")
from test_study import opened
place, who = Path(sys.argv[1]), sys.argv[2]


def meet(where):  # wait until all three are there
    (place / f"{where}-{who}").touch()
    ends = time.monotonic() + 200
    while len(list(place.glob(f"{where}-*"))) < 3:
        assert time.monotonic() < ends, "the others did not come"
        time.sleep(0.01)


meet("ready")
study = opened(place, 12)
while (taken := study.take()) is not None:
    value = taken.trial.suggest_float("x", 0.0, 1.0)
    print(taken.trial.number, taken.continued, flush=True)
    meet("took")  # each has one
    if who == "0":
        os._exit(9)  # in the middle of its first trial
    study.end(taken, "COMPLETE", value)
    taken.lock.release()
"""


def test_processes_that_start_at_once_share_the_trials_and_one_that_dies_loses_none(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(number)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    said = [worker.communicate(timeout=240)[0].split("\n")[:-1] for worker in workers]
    assert [worker.returncode for worker in workers] == [9, 0, 0]
    lost = int(said[0][0].split()[0])
    again = opened(tmp_path, 12)
    while (taken := again.take()) is not None:  # where the others ended before it died
        again.end(taken, "COMPLETE", taken.trial.suggest_float("x", 0.0, 1.0))
        taken.lock.release()
    trials = stored(tmp_path)
    assert [trial.number for trial in trials] == list(range(12))
    assert {trial.state.name for trial in trials} == {"COMPLETE"}
    begun = [int(line.split()[0]) for lines in said for line in lines if line.endswith("False")]
    assert sorted(begun) == list(range(12)), "each was begun once"
    taken_up = [int(line.split()[0]) for lines in said for line in lines if line.endswith("True")]
    assert taken_up in ([], [lost])
    assert len({trial.params["x"] for trial in trials}) == 12, "no two processes draw the same"


def draw_all(study: Study, cut: tuple[int, ...] = ()) -> list[float]:
    """Take and end all trials; those in `cut` are let go of first, and taken up again by another object."""
    drawn = []
    while (taken := study.take()) is not None:
        number = taken.trial.number
        if number in cut and not taken.continued:
            if number % 2:
                taken.trial.suggest_float("x", 0.0, 1.0)  # cut after its value was drawn
            taken.lock.release()
            study = Study(study.path.parent, study.path.stem, study.settings, max_epochs=9)
            continue
        value = taken.trial.suggest_float("x", 0.0, 1.0)
        drawn.append(value)
        study.end(taken, "COMPLETE", 1 - (value - 0.3) ** 2)
        taken.lock.release()
    return drawn


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_search_that_was_cut_draws_what_one_never_cut_draws(tmp_path: Path, sampler: str) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = draw_all(opened(tmp_path / "whole", 8, sampler))
    assert draw_all(opened(tmp_path / "cut", 8, sampler), cut=(0, 3, 6)) == whole
    assert [trial.params["x"] for trial in stored(tmp_path / "cut")] == whole


def test_a_trial_in_other_hands_is_not_taken(tmp_path: Path) -> None:
    one, other = opened(tmp_path, 2), opened(tmp_path, 2)
    first, second = one.take(), other.take()
    assert first is not None and second is not None
    assert (first.trial.number, second.trial.number) == (0, 1)
    assert one.take() is None and other.take() is None
    first.lock.release()
    again = other.take()
    assert again is not None
    assert (again.trial.number, again.continued) == (0, True)


def test_more_trials_later_go_on_and_fewer_do_nothing(tmp_path: Path) -> None:
    draw_all(opened(tmp_path, 2))
    assert opened(tmp_path, 1).take() is None
    assert len(draw_all(opened(tmp_path, 5))) == 3
    assert len(stored(tmp_path)) == 5


def test_an_epoch_is_reported_once_and_a_laggard_is_pruned_before_its_last(tmp_path: Path) -> None:
    study = opened(tmp_path, 3, pruner="median")
    first = study.take()
    assert first is not None
    for epoch, figure in enumerate([0.5, 0.6, 0.7]):
        first.watch(epoch, {"val/macro_f1": figure}, max_epochs=3)
    first.watch(1, {"val/macro_f1": 0.1}, max_epochs=3)  # continued from a state before that epoch
    study.end(first, "COMPLETE", 0.7)
    second = study.take()
    assert second is not None
    second.watch(0, {"val/macro_f1": 0.55}, max_epochs=3)
    with pytest.raises(Pruned) as pruned:
        second.watch(1, {"val/macro_f1": 0.5}, max_epochs=3)
    assert (pruned.value.epochs, pruned.value.macro_f1) == (2, 0.55)
    study.end(second, "PRUNED")
    third = study.take()
    assert third is not None
    third.watch(0, {"val/macro_f1": 0.1}, max_epochs=1)  # it is at its end: nothing is left to save
    trials = stored(tmp_path)
    assert trials[0].intermediate_values == {1: 0.5, 2: 0.6, 3: 0.7}
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "RUNNING"]


def test_nothing_is_pruned_before_min_epochs(tmp_path: Path) -> None:
    study = opened(tmp_path, 2, pruner="median", min_epochs=3)
    first = study.take()
    assert first is not None
    for epoch in range(5):
        first.watch(epoch, {"val/macro_f1": 0.9}, max_epochs=9)
    study.end(first, "COMPLETE", 0.9)
    second = study.take()
    assert second is not None
    for epoch in range(2):
        second.watch(epoch, {"val/macro_f1": 0.1}, max_epochs=9)
    with pytest.raises(Pruned, match="after 3 epoch"):
        second.watch(2, {"val/macro_f1": 0.1}, max_epochs=9)


def test_hyperband_prunes_the_worse_of_many(tmp_path: Path) -> None:
    study = opened(tmp_path, 12, pruner="hyperband")
    pruned = {}
    while (taken := study.take()) is not None:
        quality = (taken.trial.number * 7 % 12) / 12
        try:
            for epoch in range(9):
                taken.watch(epoch, {"val/macro_f1": quality}, max_epochs=9)
            study.end(taken, "COMPLETE", quality)
        except Pruned:
            study.end(taken, "PRUNED")
            pruned[taken.trial.number] = quality
        taken.lock.release()
    best = study.best()
    assert pruned and best is not None
    assert best.value == 11 / 12, "the best of all was never ended"


def test_a_file_that_is_no_study_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "name.db").write_text("no database " * 1000)
    with pytest.raises(UserError, match="cannot be opened as a study") as refused:
        opened(tmp_path, 2)
    assert len(str(refused.value).splitlines()) == 1


def test_without_optuna_it_is_said_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install -e '\.\[sweeps\]'"):
        opened(tmp_path, 2)
