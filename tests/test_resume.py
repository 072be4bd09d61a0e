"""A run cut anywhere and continued is the run that was never cut, bit for bit."""

from __future__ import annotations

import functools
import json
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPOSITORY

from emoji_pred import batches, resume, runs, training
from emoji_pred.classifier import Classifier
from emoji_pred.errors import Stopped

Train = Callable[..., Any]
Quick = Callable[..., list[str]]

# What could be forgotten between two processes: dropout, accumulated batches, schedules, early stopping,
# clipping, sparse updates, several labels.
KINDS = {
    "cnn": ["cnn", "model.network.dropout=0.5", "model.max_epochs=3"],
    # 27 batches an epoch: the last group holds three.
    "accumulated": ["cnn", "model.accumulate=4", "model.max_epochs=2", "model.gradient_clip=0.5"],
    "one batch": ["cnn", "model.batch_size=300", "model.max_epochs=3", "model.network.dropout=0.5"],
    "schedule": ["transformer", "model.scheduler={name: linear, warmup_steps: 3}", "model.max_epochs=3"],
    "transformer": ["transformer", "model.max_epochs=3"],
    "stopped early": [
        "ffn",
        "model.max_epochs=6",
        "model.optimizer.lr=0.05",
        "model.early_stopping={monitor: val/macro_f1, patience: 1}",
    ],
    "rowwise": [
        "cnn",
        "model.embedding_updates=rowwise",
        "model.optimizer.weight_decay=0",
        "model.max_epochs=2",
    ],
    "pretrained": ["bert", "model.max_epochs=2"],
    "adapters": ["lora", "model.max_epochs=2", "model.network.lora_dropout=0.2"],
    "full": ["lora", "model.max_epochs=2", "model.network.encoder_training=full"],
    "frozen": [
        *("lora", "model.max_epochs=3", "model.network.encoder_training=frozen", "model.network.head=code"),
        *("model.network.pooling=pooler", "model.network.pooler_untrained=true"),
    ],
    "two stages": ["lora", "model.max_epochs=3", "model.scheduler.then.epoch=1"],
    "several labels": ["ffn", "data.task=multilabel", "loss=bce", "model.max_epochs=2"],
}


def cnn(quick: Quick) -> list[str]:
    return quick(*KINDS["cnn"], "logger=csv")


class Cuts:
    """Interrupts a run at chosen optimizer steps or at every place once, and remembers how it ended.

    Attributes:
        at: the steps that are still to come.
        place: to cut at: `step`, `validation`, `epoch` (its end) or `evaluation`; None: at any.
        everywhere: cut at each place of each step once.
    """

    def __init__(self) -> None:
        self.at: list[int] = []
        self.place: str | None = None
        self.everywhere = False
        self.seen: list[tuple[str, int]] = []
        self.end: dict[str, Any] = {}

    def agreed(self, saver: Any, trainer: Any, due: bool, number: int) -> tuple[bool, int]:
        place = "validation" if trainer.validating else "epoch" if saver._epoch_ended else "step"
        here = ("evaluation" if trainer.predicting else place, trainer.global_step)
        if self.everywhere and here not in self.seen:
            self.seen.append(here)
            return True, int(signal.SIGTERM)
        if self.at and here[1] >= self.at[0] and self.place in (None, here[0]):
            self.at.pop(0)
            return True, int(signal.SIGTERM)
        return due, number


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cuts]:
    made = Cuts()
    monkeypatch.setattr(resume.SaveState, "_agreed", lambda saver, *arguments: made.agreed(saver, *arguments))
    evaluate = training._evaluate

    def remember(config: Any, trainer: Any, classifier: Any, *rest: Any) -> Any:
        made.end = {
            "weights": {name: value.clone() for name, value in classifier.state_dict().items()},
            "optimizer": trainer.optimizers[0].state_dict(),
            "schedules": [entry.scheduler.state_dict() for entry in trainer.lr_scheduler_configs],
            "torch": torch.get_rng_state(),
            "step": trainer.global_step,
        }
        return evaluate(config, trainer, classifier, *rest)

    monkeypatch.setattr(training, "_evaluate", remember)
    yield made


def same(one: Any, other: Any, place: str = "") -> None:
    """Equal to the last bit, whatever the depth."""
    assert type(one) is type(other), place
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and torch.equal(one, other), place
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            same(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for index, pair in enumerate(zip(one, other, strict=True)):
            same(*pair, f"{place}[{index}]")
    elif not callable(one):
        assert one == other, place


def same_results(one: Any, other: Any) -> None:
    for key in ("curves", "best_epoch", "validation", "test", "parameters", "padding"):
        same(one.result[key], other.result[key], key)
    first, second = (runs.read_predictions(run.directory / runs.PREDICTIONS) for run in (one, other))
    for split in first:
        for column, expected in zip(first[split], second[split], strict=True):
            np.testing.assert_array_equal(column, expected)
    best, expected = (
        torch.load(run.directory / runs.CHECKPOINT, weights_only=True)["state_dict"] for run in (one, other)
    )
    same(best, expected, "best")
    csv = [(run.directory / runs.CURVES).read_text() for run in (one, other)]
    assert csv[0] == csv[1]


def train_with_cuts(train: Train, overrides: list[str], runs_dir: Path, most: int = 20) -> tuple[Any, int]:
    """Start the run again until it is finished; how often it was cut."""
    for times in range(most):
        try:
            return train(*overrides, runs_dir=runs_dir), times
        except Stopped as stopped:
            assert stopped.signal_number == signal.SIGTERM
    raise AssertionError("never finished")


@pytest.mark.parametrize("kind", KINDS)
def test_cut_anywhere_and_continued_is_the_run_never_cut(
    train: Train, quick: Quick, cuts: Cuts, tmp_path: Path, kind: str
) -> None:
    overrides = quick(*KINDS[kind], "logger=csv")
    whole = train(*overrides, runs_dir=tmp_path / "whole")
    expected = cuts.end
    assert whole.result["interruptions"] == 0
    rng = random.Random(kind)
    cuts.at = sorted(rng.sample(range(1, expected["step"]), min(3, expected["step"] - 1)))
    continued, times = train_with_cuts(train, overrides, tmp_path / "cut")
    assert continued.result["interruptions"] == times >= 1
    same(cuts.end, expected)
    same_results(continued, whole)
    # Nothing of the states is left beside a finished run.
    assert sorted(os.listdir(continued.directory)) == sorted(os.listdir(whole.directory))


@pytest.mark.parametrize("step", range(1, 22))
def test_after_every_step_there_is(
    train: Train, quick: Quick, cuts: Cuts, tmp_path: Path, step: int, whole_cnn: Any
) -> None:
    """The last step of an epoch too: there the validation is stopped."""
    cuts.at = [step]
    continued, times = train_with_cuts(train, cnn(quick), tmp_path / "cut")
    assert times == continued.result["interruptions"] == 1
    same_results(continued, whole_cnn)


@pytest.mark.parametrize(
    ("kind", "progress"),
    [
        *(("cnn", "lines"), ("accumulated", "bar"), ("one batch", "bar")),
        *(("schedule", "none"), ("stopped early", "none")),
    ],
)
def test_cut_at_every_place_there_is(
    train: Train,
    quick: Quick,
    cuts: Cuts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    progress: str,
) -> None:
    """Cut after each step, in each validation, after each epoch and in the evaluation, in one run."""
    several = functools.partial(batches.evaluation_batches, max_tokens=200)
    monkeypatch.setattr(batches, "evaluation_batches", several)
    overrides = quick(*KINDS[kind], "logger=csv")
    whole = train(*overrides, runs_dir=tmp_path / "whole")
    expected = cuts.end
    epochs, steps = len(whole.result["curves"]), expected["step"]
    assert kind != "stopped early" or epochs < 6, "or early stopping is not tested"
    cuts.everywhere = True
    shown = [*overrides, f"trainer.progress={progress}"]
    continued, times = train_with_cuts(train, shown, tmp_path / "cut", most=100)
    assert times == len(cuts.seen)
    places = [place for place, _ in cuts.seen]
    assert [places.count(place) for place in ("step", "validation", "epoch", "evaluation")] == [
        *(steps - epochs, epochs, epochs, 1)
    ]
    assert continued.result["interruptions"] == times - 1  # the state at its end was continued from twice
    # Where nothing is left to train, the loader of a next epoch has drawn from torch's generator.
    same({**cuts.end, "torch": None}, {**expected, "torch": None})
    same_results(continued, whole)
    said = capsys.readouterr().out
    for line in ("1/3 after 14%", "1/3 after 100%", "2/3 after 0%", "3/3 after 100%"):
        assert f"continues in epoch {line} of its batches" in said or progress != "lines", line


@pytest.mark.parametrize("step", [7, 14, 21])
def test_after_every_epoch_there_is(
    train: Train, quick: Quick, cuts: Cuts, tmp_path: Path, step: int, whole_cnn: Any
) -> None:
    cuts.at, cuts.place = [step], "epoch"
    continued, times = train_with_cuts(train, cnn(quick), tmp_path / "cut")
    assert times == continued.result["interruptions"] == 1
    same_results(continued, whole_cnn)


@pytest.mark.parametrize("kind", ["cnn", "stopped early"])
def test_stopped_while_it_is_evaluated_a_run_trains_nothing_again(
    train: Train, quick: Quick, cuts: Cuts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    overrides = quick(*KINDS[kind], "logger=csv")
    whole = train(*overrides)
    cuts.at, cuts.place = [1], "evaluation"
    with pytest.raises(Stopped):
        train(*overrides, runs_dir=tmp_path)

    def trained(*_: Any) -> None:
        raise AssertionError("trained again")

    for step in ("training_step", "validation_step"):
        monkeypatch.setattr(Classifier, step, trained)
    same_results(train(*overrides, runs_dir=tmp_path), whole)


def test_a_run_of_one_batch_an_epoch_saves_states(
    train: Train, quick: Quick, cuts: Cuts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    save = resume.SaveState._save
    monkeypatch.setattr(
        resume.SaveState,
        "_save",
        lambda self, trainer: (save(self, trainer), saved.append(trainer.global_step)),
    )
    overrides = quick("ffn", "model.batch_size=300", "model.max_epochs=5", "trainer.save_steps=2")
    train(*overrides, runs_dir=tmp_path)
    assert saved == [2, 4, 5]


def test_a_state_is_synced_and_so_is_its_name(
    train: Train, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut takes what was not synced: the bytes before the name, the directory after it."""
    done: list[str] = []
    sync, replace = os.fsync, os.replace

    def watched_sync(descriptor: int) -> None:
        directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append("sync directory" if directory else "sync file")
        sync(descriptor)

    def watched_replace(source: Any, target: Any) -> None:
        done.append(f"rename {Path(target).name.partition('-')[0]}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_replace)
    train(*quick("ffn"), runs_dir=tmp_path)
    state = done.index("rename state")
    assert done[state - 3 : state + 2] == [
        *("sync file", "rename state.new", "sync directory"),
        *("rename state", "sync directory"),
    ]


@pytest.fixture
def whole_cnn(train: Train, quick: Quick) -> Any:
    return train(*cnn(quick))


def test_a_directory_that_was_moved_continues(
    train: Train, quick: Quick, cuts: Cuts, tmp_path: Path, whole_cnn: Any
) -> None:
    cuts.at = [17]  # in the third epoch: the best checkpoint of an earlier one must be found again
    with pytest.raises(Stopped):
        train(*cnn(quick), runs_dir=tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    same_results(train(*cnn(quick), runs_dir=tmp_path / "there"), whole_cnn)


@pytest.mark.parametrize("damage", ["cut short", "one bit", "all of them"])
def test_a_damaged_state_is_passed_over(
    train: Train, quick: Quick, cuts: Cuts, tmp_path: Path, whole_cnn: Any, damage: str
) -> None:
    cuts.at = [16]
    overrides = [*cnn(quick), "trainer.save_steps=5"]
    with pytest.raises(Stopped):
        train(*overrides, runs_dir=tmp_path / "runs")
    directory = tmp_path / "runs" / whole_cnn.directory.name
    states = resume._states(directory)
    assert [int(state.name.split("-")[1]) for state in states] == [16, 15]
    for state in states if damage == "all of them" else states[:1]:
        content = bytearray(state.read_bytes())
        content[len(content) // 2] ^= 1
        state.write_bytes(content[: len(content) // 2] if damage == "cut short" else content)
    with pytest.warns(UserWarning) as warned:
        continued = train(*overrides, runs_dir=tmp_path / "runs")
    told = [re.search(r"state-0+(\d+)-\w+\.ckpt is damaged", str(entry.message)) for entry in warned]
    assert [match[1] for match in told if match] == ["16", "15"][: 2 if damage == "all of them" else 1]
    assert continued.result["interruptions"] == (0 if damage == "all of them" else 1)
    same_results(continued, whole_cnn)


def test_a_best_checkpoint_from_after_the_state_is_not_taken(
    train: Train, quick: Quick, cuts: Cuts, tmp_path: Path, whole_cnn: Any
) -> None:
    """Killed after an epoch was validated, a run continues from a state that lies before it."""
    cuts.at = [9]
    with pytest.raises(Stopped):
        train(*cnn(quick), runs_dir=tmp_path / "runs")
    directory = tmp_path / "runs" / whole_cnn.directory.name
    candidate = directory / "candidate.ckpt"
    stolen = torch.load(candidate, weights_only=True)
    stolen["epoch"] = 99
    candidate.unlink()
    torch.save(stolen, candidate)
    same_results(train(*cnn(quick), runs_dir=tmp_path / "runs"), whole_cnn)


def test_force_starts_anew(train: Train, quick: Quick, cuts: Cuts, tmp_path: Path, whole_cnn: Any) -> None:
    cuts.at = [9]
    with pytest.raises(Stopped):
        train(*cnn(quick), runs_dir=tmp_path / "runs")
    anew = train(*cnn(quick), "force=true", runs_dir=tmp_path / "runs")
    assert anew.result["interruptions"] == 0
    same_results(anew, whole_cnn)


# --- processes


# Waits after a state for what is sent to it: the signal comes neither too early nor too late.
WAITING = """
import time
from emoji_pred import cli, resume

save = resume.SaveState._save

def save_and_wait(self, trainer):
    save(self, trainer)
    until = time.monotonic() + 300
    while trainer.is_global_zero and not self.request.signal_number and time.monotonic() < until:
        time.sleep(0.01)

resume.SaveState._save = save_and_wait
cli.main()
"""
# Stops every process of a run at one place, given as `place:step`.
CUT = """
import os
from emoji_pred import cli, resume

def agreed(self, trainer, due, number):
    place = "validation" if trainer.validating else "epoch" if self._epoch_ended else "step"
    here = f"{'evaluation' if trainer.predicting else place}:{trainer.global_step}"
    return (True, 15) if here == os.environ["CUT_AT"] else (due, number)

resume.SaveState._agreed = agreed
cli.main()
"""


def start(
    overrides: list[str], place: Path, script: str | None = None, **environment: str
) -> subprocess.Popen[str]:
    """Start `train.py`, or a script of this test that does as it with a difference."""
    path = REPOSITORY / "train.py"
    if script is not None:
        path = place.with_suffix(".py")
        path.write_text(script)
    command = [sys.executable, str(path), *overrides, f"runs_dir={place}/runs", "trainer.progress=lines"]
    fixed = {"OMP_NUM_THREADS": "1", "EMOJI_PRED_CACHE": str(place), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **fixed, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result_of(place: Path) -> dict[str, Any]:
    (path,) = place.glob(f"runs/*/{runs.RESULT}")
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def same_numbers(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for key in ("curves", "validation", "test"):
        same(found[key], expected[key], key)
    assert found["files"][runs.PREDICTIONS] == expected["files"][runs.PREDICTIONS]


def wait_for_state(place: Path) -> None:
    until = time.monotonic() + 240
    while not list(place.glob("runs/*/state-*.ckpt")):
        assert time.monotonic() < until, "no state was saved"
        time.sleep(0.05)


def of_processes(quick: Quick, devices: int) -> list[str]:
    overrides = quick("cnn", "model.max_epochs=3", "model.network.dropout=0.5", "trainer.save_steps=3")
    several = ["trainer=ddp", "trainer.accelerator=cpu", f"trainer.devices={devices}", "trainer.threads=1"]
    return overrides if devices == 1 else [*overrides, *several, "trainer.save_steps=3"]


@pytest.fixture(scope="module")
def whole_in_processes(
    quick: Quick, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], dict[str, Any]]:
    """The result of the run never cut, on so many devices."""

    @functools.cache
    def whole(devices: int) -> dict[str, Any]:
        place = tmp_path_factory.mktemp("whole")
        running = start(of_processes(quick, devices), place)
        _, err = running.communicate(timeout=600)
        assert running.returncode == 0, err
        return result_of(place)

    return whole


@pytest.mark.parametrize(
    ("number", "code", "devices"),
    [
        (signal.SIGTERM, 143, 1),
        (signal.SIGINT, 130, 1),
        (signal.SIGUSR1, 138, 1),
        (signal.SIGKILL, -9, 1),
        (signal.SIGTERM, 143, 2),
    ],
)
def test_a_signal_stops_a_run_that_then_continues(
    quick: Quick,
    tmp_path: Path,
    whole_in_processes: Callable[[int], dict[str, Any]],
    number: signal.Signals,
    code: int,
    devices: int,
) -> None:
    overrides = of_processes(quick, devices)
    cut = start(overrides, tmp_path / "cut", WAITING)
    wait_for_state(tmp_path / "cut")
    cut.send_signal(number)
    _, err = cut.communicate(timeout=300)
    assert cut.returncode == code
    if number != signal.SIGKILL:
        assert err.splitlines() == ["", f"stopped by {number.name}; the same command continues"]
    assert list(tmp_path.glob("cut/runs/*/state-*.ckpt"))
    assert not list(tmp_path.glob(f"cut/runs/*/{runs.RESULT}"))
    again = start(overrides, tmp_path / "cut")
    out, err = again.communicate(timeout=300)
    assert (again.returncode, err) == (0, "")
    assert "continues in epoch" in out
    same_numbers(result_of(tmp_path / "cut"), whole_in_processes(devices))


@pytest.mark.slow
@pytest.mark.parametrize("at", ["validation:7", "epoch:14", "step:16", "evaluation:21"])
def test_two_processes_cut_anywhere_continue(
    quick: Quick, tmp_path: Path, whole_in_processes: Callable[[int], dict[str, Any]], at: str
) -> None:
    cut = start(of_processes(quick, 2), tmp_path / "cut", CUT, CUT_AT=at)
    cut.communicate(timeout=300)
    assert cut.returncode == 143
    again = start(of_processes(quick, 2), tmp_path / "cut")
    _, err = again.communicate(timeout=300)
    assert (again.returncode, err) == (0, "")
    result = result_of(tmp_path / "cut")
    assert result["interruptions"] == 1
    same_numbers(result, whole_in_processes(2))
