"""A sweep finds what is finished, launches the rest, and loses nothing that a launcher loses."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Ended
from test_lease import holder

from emoji_pred import jobs, runs, sweep
from emoji_pred.errors import RunFailed, Stopped, UserError
from emoji_pred.lease import held
from emoji_pred.run import identify, run
from emoji_pred.sweep import Sweep

Quick = Callable[..., list[str]]


@pytest.fixture
def train_here(
    compose: Callable[..., dict[str, Any]], tmp_path: Path, workspace: Path, quick: Quick
) -> Callable[[Sequence[str]], dict[str, Any]]:
    """From the overrides of a run of `ffn` to its configuration."""

    def composed(overrides: Sequence[str]) -> dict[str, Any]:
        config = compose(*quick("ffn"), *overrides)
        return {**config, "runs_dir": str(tmp_path / "runs"), "cache_dir": str(workspace / "cache")}

    return composed


LEFT = (
    "import os, sys; from pathlib import Path; from emoji_pred.lease import held\n"
    "with held(Path(sys.argv[1])):\n"
    "    os.kill(os.getpid(), 9)\n"
)


class Launcher:
    """Trains in this process, and does to some runs what they are told here.

    Args:
        composed: from overrides to the configuration.
        fates: what happens when a run is launched, once each: an exception of the launcher, or how it ends.
    """

    def __init__(self, composed: Callable[[Sequence[str]], dict[str, Any]], **fates: Any) -> None:
        self.composed, self.fates = composed, fates
        self.launched: list[list[str]] = []

    def __call__(self, all_overrides: list[list[str]]) -> list[dict[str, Any]]:
        typed = [[text for text in overrides if text[:9] != "runs_dir="] for overrides in all_overrides]
        self.launched.append([" ".join(overrides) for overrides in typed])
        returned = []
        for overrides in all_overrides:
            fate = self.fates.pop(overrides[0].replace("=", ""), None)
            if isinstance(fate, BaseException):
                directory = identify(self.composed(overrides)).directory
                directory.mkdir(parents=True, exist_ok=True)
                left = subprocess.run([sys.executable, "-c", LEFT, str(directory)], cwd=REPOSITORY)
                assert left.returncode == -signal.SIGKILL
                raise fate
            if fate is None:
                run(self.composed(overrides), list(overrides))
                fate = {"status": "finished"}
            returned.append(fate)
        return returned


def swept(
    composed: Callable[[Sequence[str]], dict[str, Any]], launcher: Any, all_overrides: list[list[str]]
) -> tuple[int, Sweep]:
    one = Sweep(composed, launcher, None, REPOSITORY / "train.py", here=False)
    return one.run(all_overrides), one


SEEDS = [["seed=1"], ["seed=2"], ["seed=3"]]


def test_only_what_is_not_finished_is_launched(
    train_here: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    launcher = Launcher(train_here)
    assert swept(train_here, launcher, SEEDS[:2])[0] == 0
    assert swept(train_here, launcher, SEEDS)[0] == 0
    assert swept(train_here, launcher, SEEDS)[0] == 0
    assert launcher.launched == [["seed=1", "seed=2"], ["seed=3"]]
    out = capsys.readouterr().out
    assert "3 runs: 2 finished before, 1 to train" in out
    assert "3 runs: 3 finished before, 0 to train" in out
    assert len(list((tmp_path / "runs" / "sweeps").glob("*.csv"))) >= 1


def test_one_configuration_written_twice_is_trained_once(train_here: Any) -> None:
    launcher = Launcher(train_here)
    code, one = swept(train_here, launcher, [["loss.gamma=2"], ["loss.gamma=2.0"], ["loss.gamma=1"]])
    assert (code, launcher.launched) == (0, [["loss.gamma=2", "loss.gamma=1"]])
    rows = [job.row() for job in one.jobs]
    assert rows[0]["run"] == rows[1]["run"] != rows[2]["run"]
    assert [row["overrides"] for row in rows] == [["loss.gamma=2"], ["loss.gamma=2.0"], ["loss.gamma=1"]]


def test_mistakes_are_told_before_anything_is_launched(
    train_here: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def launch(_: Any) -> Any:
        err = capsys.readouterr().err
        assert "model.network.dropout" in err and "alpha=balanced would do nothing" in err
        return [{"status": "failed", "error": "x", "code": 1}]

    overrides = [["seed=1"], ["model.network.dropout=7"], ["loss=cross_entropy", "alpha=balanced"]]
    assert swept(train_here, launch, overrides)[0] == 2


def test_what_a_launcher_loses_is_tried_alone_and_the_rest_launched_again(
    train_here: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone: list[list[str]] = []

    def train_alone(script: Path, overrides: list[str]) -> None:
        alone.append(overrides)
        raise RunFailed("the process of the run ended with code -9")

    monkeypatch.setattr(sweep, "train_in_own_process", train_alone)
    launcher = Launcher(train_here, seed2=ConnectionError("a worker was killed"))
    code, one = swept(train_here, launcher, SEEDS)
    assert code == 1
    assert launcher.launched == [["seed=1", "seed=2", "seed=3"], ["seed=3"]]
    assert alone == [["seed=2"]]
    assert [job.row()["status"] for job in one.jobs] == ["finished", "failed", "finished"]
    assert one.jobs[1].directory is not None
    assert runs.read_failure(one.jobs[1].directory) == "RunFailed: the process of the run ended with code -9"
    assert "lost its runs (ConnectionError)" in capsys.readouterr().err


def test_a_launcher_that_never_works_is_one_line(train_here: Any) -> None:
    def launch(_: Any) -> Any:
        raise ConnectionError("no cluster\nhere")

    with pytest.raises(UserError, match="the launcher does not work: ConnectionError: no cluster here"):
        swept(train_here, launch, SEEDS)
    assert not [name for name in os.environ if name.startswith("EMOJI_PRED_SWEEP")]


def test_what_another_command_trains_is_waited_for(
    train_here: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = identify(train_here(["seed=1"])).directory
    directory.mkdir(parents=True)
    launcher = Launcher(train_here, seed1={"status": "busy"})
    with holder(directory) as child:
        assert child.stdin is not None

        def launch(all_overrides: list[list[str]]) -> Any:
            if len(launcher.launched) == 0:
                child.stdin.write("\n")
                child.stdin.flush()
            return launcher(all_overrides)

        code, one = swept(train_here, launch, SEEDS[:2])
    assert code == 0
    assert launcher.launched == [["seed=1", "seed=2"], ["seed=1"]]
    assert all(job.result is not None for job in one.jobs)
    assert "1 run(s) are being trained by another command" in capsys.readouterr().out


def test_force_counts_no_earlier_result(train_here: Any) -> None:
    launcher = Launcher(train_here)
    swept(train_here, launcher, SEEDS[:2])
    forced = [[*overrides, "force=true"] for overrides in SEEDS[:2]]
    lost = Launcher(train_here, seed1=ConnectionError("before it began"))

    def own(script: Path, overrides: list[str]) -> None:
        run(train_here(overrides), overrides, wait=True)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sweep, "train_in_own_process", own)
        code, _ = swept(train_here, lost, forced)
    assert code == 0
    assert lost.launched == [["seed=1 force=true", "seed=2 force=true"], ["seed=2 force=true"]]


def test_a_result_that_cannot_be_seen_is_told(train_here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SHOWN_SECONDS", 0.1)
    code, one = swept(train_here, lambda all_overrides: [{"status": "finished"}], SEEDS[:1])
    assert code == 2
    assert "set runs_dir to the absolute path of a directory that all machines share" in str(
        one.jobs[0].error
    )


def test_a_failure_of_this_sweep_is_no_result_of_an_earlier_one(
    train_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept(train_here, Launcher(train_here), SEEDS[:1])

    def lost(all_overrides: list[list[str]]) -> Any:
        directory = identify(train_here(all_overrides[0])).directory
        runs.write_failure(directory, ValueError("it broke"), "trace", all_overrides[0])
        raise ConnectionError("and the worker was lost")

    code, one = swept(train_here, lost, [["seed=1", "force=true"]])
    assert (code, one.jobs[0].error) == (1, "ValueError: it broke")


def test_runs_that_failed_are_left_alone_where_that_is_wanted(train_here: Any) -> None:
    directory = identify(train_here(["seed=1"])).directory
    directory.mkdir(parents=True)
    runs.write_failure(directory, ValueError("it broke"), "trace", ["seed=1"])
    launcher = Launcher(train_here)
    left = [[*overrides, "retry_failed=false"] for overrides in SEEDS[:2]]
    code, one = swept(train_here, launcher, left)
    assert (code, launcher.launched) == (1, [["seed=2 retry_failed=false"]])
    assert "failed before (ValueError: it broke)" in str(one.jobs[0].error)


def test_what_other_machines_lose_is_not_trained_on_this_one(
    train_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "train_in_own_process", lambda *_: pytest.fail("not here"))
    launcher = Launcher(train_here, seed2=ConnectionError("a job was lost"))
    one = Sweep(train_here, launcher, None, REPOSITORY / "train.py", here=False, elsewhere=True)
    assert one.run(SEEDS) == 0
    assert launcher.launched == [["seed=1", "seed=2", "seed=3"], ["seed=2"], ["seed=3"]]


def test_a_run_that_was_stopped_stops_the_sweep(train_here: Any) -> None:
    launcher = Launcher(train_here, seed1={"status": "stopped", "code": 143})
    with pytest.raises(Stopped) as stopped:
        swept(train_here, launcher, SEEDS[:1])
    assert stopped.value.signal_number == signal.SIGTERM


def test_a_run_finished_meanwhile_is_not_trained_again(train_here: Any, tmp_path: Path) -> None:
    """Between the look at what is finished and the lease, another process may have finished it."""
    config = train_here(["seed=1"])
    first = run(config)
    written = (first.directory / runs.RESULT).stat().st_mtime_ns
    looked: list[Any] = []
    find = sweep.find_finished

    def once_blind(identity: Any) -> Any:
        looked.append(identity)
        return None if len(looked) == 1 else find(identity)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("emoji_pred.run.find_finished", once_blind)
        assert run(config).found
    assert (first.directory / runs.RESULT).stat().st_mtime_ns == written
    with held(first.directory):
        pass


# --- Hydra's launchers, as a user starts them


def process(*arguments: str, place: Path, **more: Any) -> subprocess.Popen[str]:
    environment = {"OMP_NUM_THREADS": "1", "EMOJI_PRED_RUNS": f"{place}/runs", "EMOJI_PRED_CACHE": f"{place}"}
    return subprocess.Popen(
        [sys.executable, "train.py", "-m", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def answers(place: Path) -> dict[str, bytes]:
    """What the runs of a directory answered, by name."""
    stored = {}
    for file in (place / "runs").glob(f"*/{runs.PREDICTIONS}"):
        stored[file.parent.name] = runs.read_predictions(file)["test"][2].tobytes()
    return stored


@pytest.mark.parametrize(
    "launcher",
    [
        "joblib",
        pytest.param("submitit_local", marks=pytest.mark.slow),
        pytest.param("ray", marks=pytest.mark.slow),
    ],
)
def test_a_launcher_gives_the_results_of_one_process(
    command: Callable[..., Ended], quick: Quick, tmp_path: Path, launcher: str
) -> None:
    overrides = quick("ffn", "seed=1,2", "loss=focal,bce")
    running = process(*overrides, f"hydra/launcher={launcher}", place=tmp_path / "apart")
    out, err = running.communicate(timeout=300)
    assert running.returncode == 1, err
    assert re.search(r"seed=2 loss=focal +finished", out)
    assert re.search(r"seed=2 loss=bce +failed", out)
    assert "loss=bce is for multilabel labels" in out
    assert "Traceback" not in out + err
    assert command("-m", *overrides, f"runs_dir={tmp_path}/here/runs").code == 1
    apart, here = answers(tmp_path / "apart"), answers(tmp_path / "here")
    assert len(apart) == 2
    assert apart == here


def wait_for(condition: Callable[[], object], running: subprocess.Popen[str], seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("launcher", "to_group", "number", "code"),
    [
        ("joblib", False, signal.SIGTERM, 143),
        pytest.param("joblib", True, signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param("basic", True, signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param("ray", False, signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param("submitit_local", False, signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_a_sweep_that_is_stopped_saves_what_its_runs_have_reached(
    quick: Quick, tmp_path: Path, launcher: str, to_group: bool, number: int, code: int
) -> None:
    overrides = quick("ffn", "seed=1,2,3", "model.max_epochs=100000", "trainer.save_minutes=null")
    running = process(*overrides, f"hydra/launcher={launcher}", place=tmp_path, start_new_session=True)
    together = 1 if launcher == "basic" else 3 if launcher == "submitit_local" else 2
    try:
        wait_for(lambda: len(list(tmp_path.glob("runs/*/candidate.ckpt"))) >= together, running)
        (os.killpg if to_group else os.kill)(running.pid, number)
        _, err = running.communicate(timeout=300)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == code, err
    # A worker that is ended by Ctrl-C may have a last word.
    assert f"stopped by {signal.Signals(number).name}; the same command continues" in err.splitlines()
    assert "Traceback" not in err
    assert len(list(tmp_path.glob("runs/*/state-*.ckpt"))) == together
    assert not list(tmp_path.glob("runs/*/.lease"))


def workers_of(pid: int) -> list[int]:
    import psutil

    return [
        child.pid
        for child in psutil.Process(pid).children(recursive=True)
        if "popen_loky" in " ".join(child.cmdline()) or "LokyProcess" in " ".join(child.cmdline())
    ]


@pytest.mark.slow
def test_a_killed_worker_takes_no_run_along(quick: Quick, tmp_path: Path) -> None:
    overrides = quick("ffn", "seed=1,2,3,4", "model.max_epochs=60")
    running = process(*overrides, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", place=tmp_path)
    wait_for(lambda: list(tmp_path.glob("runs/*/candidate.ckpt")), running)
    victims = workers_of(running.pid)
    assert victims
    os.kill(victims[0], signal.SIGKILL)
    out, err = running.communicate(timeout=300)
    assert running.returncode == 0, err
    assert out.count("finished  ") == 4
    assert len(answers(tmp_path)) == 4


@pytest.mark.slow
def test_twenty_kills_of_a_sweep_lose_nothing(quick: Quick, tmp_path: Path) -> None:
    """Killed at random moments, saves included: the table of an undisturbed sweep, every run counted once."""
    overrides = quick("ffn", "seed=1,2,3", "model.network.dropout=0.5", "model.max_epochs=150")
    overrides += ["trainer.save_steps=3", "trainer.save_minutes=null"]
    undisturbed = process(*overrides, place=tmp_path / "undisturbed")
    assert undisturbed.wait(timeout=600) == 0
    chance, kills = random.Random(4), 0
    while kills < 20:
        launcher = ["hydra/launcher=joblib"] if kills % 4 == 3 else []
        running = process(*overrides, *launcher, place=tmp_path / "killed", start_new_session=True)
        known = {path.name for path in tmp_path.glob("killed/runs/*/state-*.ckpt")}
        wait_for(
            lambda known=known: {path.name for path in tmp_path.glob("killed/runs/*/state-*.ckpt")} - known,
            running,
        )
        with suppress(subprocess.TimeoutExpired):
            running.wait(timeout=chance.uniform(0, 0.3))
        assert running.poll() is None, "every kill meets a sweep that trains"
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        kills += 1
    last = process(*overrides, place=tmp_path / "killed")
    out, err = last.communicate(timeout=600)
    assert last.returncode == 0, err
    assert answers(tmp_path / "killed") == answers(tmp_path / "undisturbed")
    assert len(answers(tmp_path / "killed")) == 3
    interruptions = 0
    for name in answers(tmp_path / "killed"):
        figures = [
            json.loads((tmp_path / place / "runs" / name / runs.RESULT).read_text())
            for place in ("killed", "undisturbed")
        ]
        for key in ("curves", "validation", "test", "best_epoch"):
            assert figures[0][key] == figures[1][key]
        interruptions += figures[0]["interruptions"]
    assert len(re.findall(r"^seed=\d +finished", out, re.MULTILINE)) == 3
    # A kill that meets two workers interrupts two runs; one between two runs interrupts none.
    assert interruptions >= 15
