"""A search: its trials are ordinary runs. The truth is Optuna's reading of the study, and the runs' files."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from conftest import REPOSITORY, Ended

from emoji_pred import resume, runs, search
from emoji_pred.errors import RunFailed
from emoji_pred.runs_command import read_runs

Command = Callable[..., Ended]
Quick = Callable[..., list[str]]

LR = "model.optimizer.lr"


def searching(quick: Quick, trials: int, *overrides: str) -> list[str]:
    """A search of learning rate, dropout, gamma and alpha, whose runs take less than a second."""
    own = ["hparams_search=cnn", f"hparams_search.trials={trials}", "hparams_search.sampler.startup_trials=2"]
    fixed = ["model.optimizer.weight_decay=1e-4"]  # what is typed is not searched, as the network's size
    return [*quick("cnn", "model.max_epochs=2"), *fixed, *own, *overrides]


def instead_of_lr(distribution: str) -> list[str]:
    space = f"hparams_search.space.{LR}"
    return [f"~{space}", f"+{space}={distribution}"]


def stored(runs_dir: Path) -> list[optuna.trial.FrozenTrial]:
    """The trials of the only study, as Optuna itself reads them."""
    (path,) = (runs_dir / "searches").glob("*.db")
    return optuna.load_study(study_name=path.stem, storage=f"sqlite:///{path}").trials


def results(runs_dir: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in runs_dir.glob(f"*/{runs.RESULT}")}


def states(runs_dir: Path) -> list[str]:
    return [trial.state.name for trial in stored(runs_dir)]


def test_the_best_command_of_a_search_finds_its_run_finished(
    command: Command, quick: Quick, tmp_path: Path
) -> None:
    asked = searching(quick, 3, "hparams_search.pruner.name=none", "loss.label_smoothing=0.1")
    ended = command(*asked)
    assert (ended.code, ended.err) == (0, "")
    trials, found = stored(tmp_path / "runs"), results(tmp_path / "runs")
    assert states(tmp_path / "runs") == ["COMPLETE"] * 3
    assert len(found) == 3
    scores = {name: result["validation"]["macro_f1"] for name, result in found.items()}
    assert {trial.user_attrs["run"]: trial.value for trial in trials} == scores
    # Drawn and used is what the study says, to four digits; what was typed is not drawn.
    assert set(trials[0].params) == {LR, "model.network.dropout", "loss.gamma", "alpha"}
    for trial in trials:
        config = found[trial.user_attrs["run"]]["config"]
        assert config["model"]["optimizer"]["lr"] == pytest.approx(trial.params[LR], rel=5e-4)
        assert config["loss"]["gamma"] == pytest.approx(trial.params["loss.gamma"], rel=5e-4)
        assert config["alpha"]["name"] == trial.params["alpha"]
        assert config["model"]["optimizer"]["weight_decay"] == 1e-4
        assert "hparams_search" not in config
        curve = {row["epoch"] + 1: row["val_macro_f1"] for row in found[trial.user_attrs["run"]]["curves"]}
        assert trial.intermediate_values == curve

    python, script, *best = shlex.split(ended.out.splitlines()[-1])
    assert (python, script) == ("python", "train.py")
    typed = command(*best)
    assert typed.code == 0
    winner = max(scores, key=lambda name: scores[name])
    assert f"already finished: {tmp_path / 'runs' / winner}" in typed.out

    (table,) = (tmp_path / "runs" / "searches").glob("*.csv")
    rows = list(csv.DictReader(table.open()))
    assert [float(row["validation_macro_f1"]) for row in rows] == sorted(scores.values(), reverse=True)
    assert rows[0]["run"] == winner
    assert rows[0][LR] in best[-4]

    # The same command shows it again and trains nothing; a higher number goes on.
    before = {name: (tmp_path / "runs" / name / runs.RESULT).stat().st_mtime_ns for name in found}
    again = command(*asked)
    assert again.out.splitlines()[-1] == ended.out.splitlines()[-1]
    more = command(*asked, "hparams_search.trials=4")
    assert more.code == 0
    assert "trial 4 of 4" in more.out and "trial 3 of" not in more.out
    assert [trial.number for trial in stored(tmp_path / "runs")] == [0, 1, 2, 3]
    assert len(results(tmp_path / "runs")) == 4
    after = {name: (tmp_path / "runs" / name / runs.RESULT).stat().st_mtime_ns for name in found}
    assert after == before


# Kills itself right after the second state that a run saves, but only once a run of the search is finished.
KILLED = """
import os, signal, sys
from pathlib import Path
from emoji_pred import cli, resume
save, saved = resume.SaveState._save, []
def save_and_die(saver, trainer):
    save(saver, trainer)
    saved.append(saver.directory)
    if list(saver.directory.parent.glob("*/result.json")) and saved.count(saver.directory) == 2:
        os.kill(os.getpid(), int(os.environ["SIGNAL"]))
resume.SaveState._save = save_and_die
sys.argv[0] = "train.py"
cli.main()
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_search_that_was_killed_ends_as_one_never_killed(
    command: Command, quick: Quick, tmp_path: Path, number: int, code: int
) -> None:
    asked = searching(quick, 4, "trainer.save_steps=3", "model.network.dropout=0.3")
    cut = subprocess.run(
        [sys.executable, "-c", KILLED, *asked, f"runs_dir={tmp_path / 'cut'}"],
        cwd=REPOSITORY,
        env={**os.environ, "SIGNAL": str(int(number)), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert cut.returncode == code
    if number == signal.SIGTERM:
        assert cut.stderr.splitlines() == ["", "stopped by SIGTERM; the same command continues"]
    assert states(tmp_path / "cut") == ["COMPLETE", "RUNNING"]
    assert len(results(tmp_path / "cut")) == 1
    drawn = stored(tmp_path / "cut")[1].params

    continued = command(*asked, f"runs_dir={tmp_path / 'cut'}")
    assert continued.code == 0
    assert "trial 2 of 4 (continued): " in continued.out and "trial 1 of 4" not in continued.out
    whole = command(*asked, f"runs_dir={tmp_path / 'whole'}")
    assert whole.code == 0

    trials, expected = stored(tmp_path / "cut"), stored(tmp_path / "whole")
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    assert trials[1].params == drawn
    for one, other in zip(trials, expected, strict=True):
        assert (one.state, one.params, one.value) == (other.state, other.params, other.value)
        assert one.intermediate_values == other.intermediate_values
    found, untouched = results(tmp_path / "cut"), results(tmp_path / "whole")
    assert found.keys() == untouched.keys()
    assert found[trials[1].user_attrs["run"]]["interruptions"] == 1
    assert not list((tmp_path / "cut").glob("*/state-*"))


def test_workers_share_a_search(
    command: Command, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    asked = searching(quick, 6, "hparams_search.pruner.name=none", "hparams_search.workers=2")
    ended = command(*asked)
    assert (ended.code, ended.err) == (0, "")
    assert states(tmp_path / "runs") == ["COMPLETE"] * 6
    lines = re.findall(r"^trial (\d+) of 6: ", ended.out, flags=re.MULTILINE)
    assert sorted(lines) == ["1", "2", "3", "4", "5", "6"], "each trial was begun once"
    assert len(results(tmp_path / "runs")) == len({str(trial.params) for trial in stored(tmp_path / "runs")})
    assert ended.out.count("by this command:") == 1, "the table is for the process that was asked"
    shared = {name: result["overrides"] for name, result in results(tmp_path / "runs").items()}
    assert all("trainer.threads=1" in overrides for overrides in shared.values())


def test_what_a_killed_worker_leaves_is_done_by_the_one_that_waits(
    command: Command, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = RunFailed("the process of the run ended with code -9")
    monkeypatch.setattr(search, "in_own_processes", lambda *_: [killed, None])
    ended = command(*searching(quick, 2, "hparams_search.workers=2"))
    assert ended.code == 0
    assert ended.err == "warning: a worker ended early: the process of the run ended with code -9\n"
    assert states(tmp_path / "runs") == ["COMPLETE"] * 2


def test_a_run_that_lags_behind_is_pruned_and_trains_to_its_end_when_asked_for(
    command: Command, quick: Quick, tmp_path: Path
) -> None:
    epochs = 4
    asked = searching(
        *(quick, 7, f"model.max_epochs={epochs}", "hparams_search.pruner.startup_trials=2", "logger=csv"),
        *instead_of_lr("{choice: [1e-5,0.01]}"),
    )
    ended = command(*asked)
    assert ended.code == 0
    trials = stored(tmp_path / "runs")
    # The median rule by hand, trial by trial.
    completed: list[optuna.trial.FrozenTrial] = []
    for trial in trials:
        curve, expected = trial.intermediate_values, "COMPLETE"
        for step in range(1, epochs):
            others = [other.intermediate_values[step] for other in completed]
            best = max(curve[earlier] for earlier in range(1, step + 1))
            if len(completed) >= 2 and best < statistics.median(others):
                expected = "PRUNED"
                assert len(curve) == step, "nothing was trained after it"
                break
        assert trial.state.name == expected, trial.number
        if expected == "COMPLETE":
            completed.append(trial)
    pruned = [trial for trial in trials if trial.state.name == "PRUNED"]
    assert pruned, "the test needs one"
    name = pruned[0].user_attrs["run"]
    directory = tmp_path / "runs" / name
    assert sorted(os.listdir(directory)) == [runs.CURVES, runs.PRUNED]
    mark = json.loads((directory / runs.PRUNED).read_text())
    assert mark["validation_macro_f1"] == max(pruned[0].intermediate_values.values())
    assert mark["epochs"] == len(pruned[0].intermediate_values)
    statuses = {run["run"]: run["status"] for run in read_runs(tmp_path / "runs")}
    assert statuses[name] == "pruned"
    assert sorted(statuses) == sorted({trial.user_attrs["run"] for trial in trials})

    by_hand = command(*mark["overrides"])
    assert by_hand.code == 0
    result = results(tmp_path / "runs")[name]
    assert len(result["curves"]) == epochs
    reported = pruned[0].intermediate_values
    assert {row["epoch"] + 1: row["val_macro_f1"] for row in result["curves"][: len(reported)]} == reported
    assert not (directory / runs.PRUNED).exists()


def test_a_trial_that_fails_does_not_stop_the_search(command: Command, quick: Quick, tmp_path: Path) -> None:
    asked = searching(quick, 4, *instead_of_lr("{choice: [0.001,1e30]}"), "hparams_search.sampler.seed=1")
    ended = command(*asked)
    assert (ended.code, ended.err) == (0, "")
    trials = stored(tmp_path / "runs")
    for trial in trials:
        diverges = trial.params[LR] == "1e+30"
        assert trial.state.name == ("FAIL" if diverges else "COMPLETE")
        directory = tmp_path / "runs" / trial.user_attrs["run"]
        assert (directory / runs.FAILURE).exists() == diverges
        if diverges:
            assert "training diverged" in trial.user_attrs["error"]
            assert f"trial {trial.number + 1} failed: training diverged" in ended.out
    assert {trial.state.name for trial in trials} == {"FAIL", "COMPLETE"}, "the test needs both"


def test_a_search_of_which_every_trial_fails_is_a_failure(
    command: Command, quick: Quick, tmp_path: Path
) -> None:
    ended = command(*searching(quick, 2, *instead_of_lr("{choice: [1e29,1e30]}")))
    assert ended.code == 1
    assert ended.error.startswith("error: all 2 trials failed; the last: training diverged")
    assert states(tmp_path / "runs") == ["FAIL"] * 2


def test_values_that_do_not_go_together_fail_their_trial_alone(
    command: Command, quick: Quick, tmp_path: Path
) -> None:
    space = ["~hparams_search.space.loss", "+hparams_search.space.loss={choice: [focal,cross_entropy]}"]
    weights = "hparams_search.space.alpha.choice=[inverse_sqrt,balanced]"
    ended = command(*searching(quick, 5, *space, weights))
    assert ended.code == 0
    for trial in stored(tmp_path / "runs"):
        assert (trial.state.name == "FAIL") == (trial.params["loss"] == "cross_entropy")
    assert {"FAIL", "COMPLETE"} <= set(states(tmp_path / "runs")), "the test needs both"
    assert "loss=cross_entropy takes no class weights" in ended.out


@pytest.mark.usefixtures("no_network")
def test_a_mistake_that_is_none_of_the_values_stops_at_once(command: Command, tmp_path: Path) -> None:
    for _ in range(2):  # the trial waits until it is mended
        ended = command("data=tweeteval", "model=cnn", "hparams_search=cnn")
        assert ended.code == 2
        assert "mapping.txt is missing" in ended.error
        assert states(tmp_path / "runs") == ["RUNNING"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["+{space}.seed={{int: [0,5]}}"], ["seed is not searched"]),
        (["+{space}.trainer.threads={{int: [1,2]}}"], ["trainer.threads is not searched"]),
        (["+{space}.model.optimizr.lr={{uniform: [0,1]}}"], ["model.optimizr.lr", "did you mean model.opt"]),
        (["{space}.loss.gamma.uniform=[3,1]"], ["space.loss.gamma.uniform", "below the second", "[3, 1]"]),
        (["{space}.loss.gamma.uniform=[1,1]"], ["space.loss.gamma.uniform", "below the second"]),
        (["{space}.loss.gamma.uniform=[1]"], ["space.loss.gamma.uniform", "at least 2"]),
        (["{space}.loss.gamma.uniform=[0,.inf]"], ["space.loss.gamma.uniform"]),
        (["{space}.model.optimizer.lr.log_uniform=[0,1]"], ["lr.log_uniform", "greater than 0"]),
        (["{space}.alpha.choice=[]"], ["space.alpha.choice", "at least 2"]),
        (["{space}.alpha.choice=[balanced,balancd]"], ["alpha=balancd", "did you mean balanced?"]),
        (["{space}.loss.gamma=3"], ["space.loss.gamma", "drawn from one of"]),
        (["+{space}.loss.gamma.int=[0,3]"], ["space.loss.gamma", "drawn from one of"]),
        (["~{space}.alpha", "+{space}.alpha={{among: [a,b]}}"], ["space.alpha", "drawn from one of"]),
        (["{space}.model.network.dropout.uniform=[0,1.5]"], ["model.network.dropout=1.5", "less than 1"]),
        (["model=ffn"], ["model.network.filters is not a setting", "takes it out"]),
        (["loss=cross_entropy"], ["loss.gamma is not a setting"]),
        (["{space}={{}}", "~{space}.model", "~{space}.loss", "~{space}.alpha"], ["nothing is left"]),
        (["hparams_search.trials=0"], ["hparams_search.trials"]),
        (["hparams_search.workers=-1"], ["hparams_search.workers"]),
        (["hparams_search.sampler.name=grid"], ["hparams_search.sampler.name", "grid"]),
        (["hparams_search.pruner.reduction_factor=1"], ["hparams_search.pruner.reduction_factor"]),
        (["+hparams_search.colour=red"], ["hparams_search.colour: unknown option"]),
        (["force=true"], ["force=true", "leave it out"]),
        (["-m"], ["leave out -m"]),
        (["trainer=ddp", "trainer.accelerator=cpu"], ["hparams_search.pruner.name=none"]),
        (["model.optimizer.lr=-1"], ["model.optimizer.lr"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_search_that_makes_no_sense_is_one_line(
    command: Command, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    filled = [argument.format(space="hparams_search.space") for argument in arguments]
    base = ["data=sample", "data.rows=300", "encoder=tiny", "model=cnn"]
    base = [
        item for item in base if item.partition("=")[0] not in {word.partition("=")[0] for word in filled}
    ]
    ended = command(*base, "hparams_search=cnn", *filled)
    assert ended.code == 2
    assert ended.error.startswith("error: ")
    for word in words:
        assert word in ended.error
    assert len(ended.error) < 500
    assert not (tmp_path / "runs" / "searches").exists()


def test_settings_of_a_search_without_one_say_where_they_belong(command: Command) -> None:
    ended = command("hparams_search.trials=3")
    assert ended.code == 2
    assert "hparams_search.trials is not a setting of what is chosen here" in ended.error


def test_a_trial_is_stopped_at_a_step_and_continued(
    command: Command, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = searching(quick, 1)
    with monkeypatch.context() as patched:
        patched.setattr(resume.SaveState, "_agreed", lambda *_: (True, int(signal.SIGINT)))
        ended = command(*asked)
    assert ended.code == 130
    assert states(tmp_path / "runs") == ["RUNNING"]
    assert command(*asked).code == 0
    assert [result["interruptions"] for result in results(tmp_path / "runs").values()] == [1]


def test_what_is_drawn_twice_is_trained_once(command: Command, quick: Quick, tmp_path: Path) -> None:
    typed = ["model.network.dropout=0.3", "loss.gamma=1", "alpha=uniform"]
    ended = command(*searching(quick, 4, *instead_of_lr("{choice: [0.001,0.01]}"), *typed))
    assert ended.code == 0
    trials, found = stored(tmp_path / "runs"), results(tmp_path / "runs")
    assert len(found) == len({trial.params[LR] for trial in trials}) <= 2
    for trial in trials:
        assert trial.value == found[trial.user_attrs["run"]]["validation"]["macro_f1"]


@pytest.mark.slow
def test_trials_on_several_devices_run_in_processes_of_their_own(
    command: Command, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    devices = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.threads=1", "trainer.progress=none"]
    ended = command(*searching(quick, 2, "hparams_search.pruner.name=none", *devices))
    assert (ended.code, ended.err) == (0, "")
    assert states(tmp_path / "runs") == ["COMPLETE"] * 2
    assert len(results(tmp_path / "runs")) == 2


def test_help_names_the_searches() -> None:
    shown = subprocess.run(
        [sys.executable, "train.py", "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    assert "hparams_search: bert, cnn, ffn, lora, transformer" in shown


def test_the_command_of_a_run_survives_a_shell() -> None:
    overrides = ["a='it\\'s'", "b={c: 1}", "d=$HOME", "e=[1,2]"]
    line = search.command_of(overrides).removeprefix("python train.py ")
    said = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == overrides
