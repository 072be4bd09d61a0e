"""A run cut anywhere and continued is the run that was never cut, bit for bit."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
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

from emoji_pred import resume, runs, training
from emoji_pred.errors import Stopped

Train = Callable[..., Any]
Quick = Callable[..., list[str]]

# What could be forgotten between two processes: dropout, accumulated batches, schedules, early stopping,
# clipping, sparse updates, several labels.
KINDS = {
    "cnn": ["cnn", "model.network.dropout=0.5", "model.max_epochs=3"],
    "accumulated": ["cnn", "model.accumulate=2", "model.max_epochs=3", "model.gradient_clip=0.5"],
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
    "several labels": ["ffn", "data.task=multilabel", "loss=bce", "model.max_epochs=2"],
}


def cnn(quick: Quick) -> list[str]:
    return quick(*KINDS["cnn"], "logger=csv")


class Cuts:
    """Interrupts training after chosen optimizer steps, and remembers how it ended."""

    def __init__(self) -> None:
        self.at: list[int] = []
        self.end: dict[str, Any] = {}

    def agreed(self, saver: Any, trainer: Any, due: bool, number: int) -> tuple[bool, int]:
        if self.at and trainer.global_step >= self.at[0]:
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


def train_with_cuts(train: Train, overrides: list[str], runs_dir: Path) -> tuple[Any, int]:
    """Start the run again until it is finished; how often it was cut."""
    for times in range(20):
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
    assert times >= 1
    # A cut in a validation saves no state of its own: the one before is continued from twice.
    assert 1 <= continued.result["interruptions"] <= times
    same(cuts.end, expected)
    same_results(continued, whole)
    # Nothing of the states is left beside a finished run.
    assert sorted(os.listdir(continued.directory)) == sorted(os.listdir(whole.directory))


@pytest.mark.parametrize("step", range(1, 15))
def test_after_every_step_there_is(
    train: Train, quick: Quick, cuts: Cuts, tmp_path: Path, step: int, whole_cnn: Any
) -> None:
    cuts.at = [step]
    continued, times = train_with_cuts(train, cnn(quick), tmp_path / "cut")
    assert times == 1
    same_results(continued, whole_cnn)


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


def start(overrides: list[str], place: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "train.py", *overrides, f"runs_dir={place}/runs", "trainer.progress=lines"]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1", "EMOJI_PRED_CACHE": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result_of(place: Path) -> dict[str, Any]:
    (path,) = place.glob(f"runs/*/{runs.RESULT}")
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def wait_for_state(place: Path) -> None:
    until = time.monotonic() + 60
    while not list(place.glob("runs/*/state-*.ckpt")):
        assert time.monotonic() < until, "no state was saved"
        time.sleep(0.05)


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
    quick: Quick, tmp_path: Path, number: signal.Signals, code: int, devices: int
) -> None:
    overrides = [*quick("cnn", "model.max_epochs=12", "model.network.dropout=0.5"), "trainer.save_steps=3"]
    if devices > 1:
        overrides += ["trainer=ddp", "trainer.accelerator=cpu", f"trainer.devices={devices}"]
        overrides += ["trainer.threads=1", "trainer.save_steps=3"]
    whole = start(overrides, tmp_path / "whole")
    cut = start(overrides, tmp_path / "cut")
    wait_for_state(tmp_path / "cut")
    cut.send_signal(number)
    _, err = cut.communicate(timeout=120)
    assert cut.returncode == code
    if number != signal.SIGKILL:
        assert err.splitlines() == ["", f"stopped by {number.name}; the same command continues"]
    assert list(tmp_path.glob("cut/runs/*/state-*.ckpt"))
    assert not list(tmp_path.glob(f"cut/runs/*/{runs.RESULT}"))
    again = start(overrides, tmp_path / "cut")
    out, err = again.communicate(timeout=240)
    assert (again.returncode, err) == (0, "")
    assert "continues in epoch" in out
    whole.communicate(timeout=240)
    expected, found = result_of(tmp_path / "whole"), result_of(tmp_path / "cut")
    for key in ("curves", "validation", "test"):
        same(found[key], expected[key], key)
    assert found["files"][runs.PREDICTIONS] == expected["files"][runs.PREDICTIONS]
