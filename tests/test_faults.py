"""What a run must survive: full and read-only disks, losses that are no number, too little memory, clocks.

The page `docs/reliability.md` names these tests; signals are in `test_signals.py`, cuts in `test_resume.py`.
"""

from __future__ import annotations

import errno
import io
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPOSITORY, Ended

from emoji_pred import resume, runs
from emoji_pred.batches import epoch_batches
from emoji_pred.classifier import WATCHED_STEPS, Classifier
from emoji_pred.data.prepare import load_corpus
from emoji_pred.token_cache import tokenize

Command = Callable[..., Ended]
Quick = Callable[..., list[str]]
Train = Callable[..., Any]


def states(place: Path) -> list[int]:
    """The steps of the states that lie under a directory, the oldest first."""
    return sorted(int(path.name.split("-")[1]) for path in place.rglob("state-*.ckpt"))


def is_one_line(ended: Ended, *parts: str) -> None:
    assert (ended.code, ended.error.startswith("error: ")) == (2, True), ended.err
    for part in parts:
        assert part in ended.error


def is_as_undisturbed(ended: Ended, runs_dir: Path, undisturbed: Any) -> dict[str, Any]:
    """A run that ended well, with the bytes of the one that nothing disturbed."""
    assert (ended.code, ended.err) == (0, "")
    directory = runs_dir / undisturbed.directory.name
    result = runs.read_finished(directory)
    assert result is not None
    assert (directory / runs.PREDICTIONS).read_bytes() == (
        undisturbed.directory / runs.PREDICTIONS
    ).read_bytes()
    for key in ("curves", "best_epoch", "validation", "test"):
        assert result[key] == undisturbed.result[key]
    assert not [path.name for path in directory.iterdir() if path.name.startswith((".", "state"))]
    return result


@pytest.fixture
def three_epochs(quick: Quick) -> list[str]:
    """A run of 21 steps that saves a state at every fifth."""
    return quick("cnn", "model.max_epochs=3", "model.network.dropout=0.5", "trainer.save_steps=5")


# --- a full disk


class FullFile(io.FileIO):
    """A file on a disk that has no room."""

    def write(self, content: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("file", "times", "kept"),
    [
        ("state.new", 2, [5]),
        ("candidate.ckpt", 1, [5]),
        ("candidate.parquet", 1, [20, 21]),
        ("candidate.json", 1, [20, 21]),
    ],
)
def test_a_disk_that_fills_up_costs_nothing(
    command: Command,
    train: Train,
    three_epochs: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    times: int,
    kept: list[int],
) -> None:
    opened, written = Path.open, []

    def full(self: Path, *arguments: Any, **named: Any) -> Any:
        if self.name.startswith(f".{file}."):
            written.append(file)
            if len(written) == times:
                return FullFile(self, "xb")
        return opened(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full)
        is_one_line(command(*three_epochs), f"{file}: No space left on device", "make room")
    assert states(tmp_path) == kept
    assert not [path for path in (tmp_path / "runs").rglob(".*") if path.is_file()]
    result = is_as_undisturbed(command(*three_epochs), tmp_path / "runs", train(*three_epochs))
    assert result["interruptions"] == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 1 MB, where one can be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    with suppress(OSError):
        if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
            yield place
            subprocess.run(["umount", "-l", str(place)], check=True)
            return
    pytest.skip("no file system can be mounted here")


@pytest.mark.parametrize("what", ["a state", "the results"])
def test_a_disk_that_is_really_full_costs_nothing(
    command: Command,
    train: Train,
    three_epochs: list[str],
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    filler = small_disk / "filler"

    def fill() -> None:
        with suppress(OSError), filler.open("ab", buffering=0) as stream:
            for size in (1 << 12, 1):
                while stream.write(bytes(size)):
                    pass

    save, write = resume.SaveState._save, runs.write_predictions

    def save_then_fill(self: Any, trainer: Any) -> None:
        save(self, trainer)
        fill()

    def fill_then_write(*arguments: Any) -> None:
        fill()
        write(*arguments)

    overrides = [*three_epochs, f"runs_dir={small_disk}/runs"]
    with monkeypatch.context() as patched:
        if what == "a state":
            patched.setattr(resume.SaveState, "_save", save_then_fill)
        else:
            patched.setattr(runs, "write_predictions", fill_then_write)
        is_one_line(command(*overrides), "No space left on device", "make room")
    kept = states(small_disk)
    assert kept == ([5] if what == "a state" else [20, 21])
    filler.unlink()
    result = is_as_undisturbed(command(*overrides), small_disk / "runs", train(*three_epochs))
    assert result["interruptions"] == 1


# --- a loss that is no number


def rows_of_batch(
    overrides: list[str], compose: Callable[..., dict[str, Any]], batch: int, tmp_path: Path
) -> str:
    """The ids of the first rows of a training batch of the first epoch, found without the network."""
    config = compose(*overrides)
    corpus = load_corpus(config["data"], tmp_path)
    texts = {split: rows.texts for split, rows in corpus.splits.items()}
    tokens = tokenize(texts, config["model"]["tokenizer"], config["encoder"], tmp_path / "tokens")
    parts = config["model"]["accumulate"]  # of each step's rows, one after the other
    size = config["model"]["batch_size"] // parts
    lengths = tokens.splits["train"].lengths
    steps = epoch_batches(lengths, size * parts, config["bucket_batches"], config["seed"], epoch=0)
    rows = steps[batch // parts][batch % parts * size :][:size]
    return ", ".join(corpus.splits["train"].row_ids[row] for row in rows[:8]) + ", ..." * (len(rows) > 8)


@pytest.mark.parametrize("number", ["nan", "inf"])
@pytest.mark.parametrize(
    ("settings", "batch", "step"),
    [
        ([], 0, 0),
        (["model.max_epochs=20", "trainer.save_steps=1"], 5, 5),
        (["model.accumulate=4", "trainer.save_steps=1"], 9, 2),
        (["data.task=multilabel", "loss=bce"], 3, 3),
    ],
    ids=["first step", "later", "accumulated", "several labels"],
)
def test_a_loss_that_is_no_number_stops_a_run(
    command: Command,
    compose: Callable[..., dict[str, Any]],
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: str,
    settings: list[str],
    batch: int,
    step: int,
) -> None:
    taken: list[int] = []

    def forward(self: Any, input_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        taken.append(1)
        logits: torch.Tensor = self.network(input_ids, mask)
        return logits * float("nan") if len(taken) > batch else logits

    def mean_of_inf(self: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return logits.nan_to_num(0).sum() + (float("inf") if logits.isnan().any() else 0)

    overrides = quick("ffn", *settings)
    monkeypatch.setattr(Classifier, "forward", forward)
    if number == "inf":
        loss = "BinaryCrossEntropy" if "loss=bce" in settings else "Focal"
        monkeypatch.setattr(f"emoji_pred.losses.{loss}.forward", mean_of_inf)
    ended = command(*overrides)
    is_one_line(
        ended,
        f"the loss of batch {batch} (from 0), of optimizer step {step}, is {number}, at learning rate 0.",
        f"its training rows are {rows_of_batch(overrides, compose, batch, tmp_path)}; lower",
    )
    assert len(taken) - batch <= WATCHED_STEPS + 1 <= 50
    (failure,) = (tmp_path / "runs").rglob(runs.FAILURE)
    assert json.loads(failure.read_text())["status"] == "failed"
    # What has diverged is not kept to continue from.
    assert [kept for kept in states(tmp_path) if kept > step] == []


def test_a_validation_loss_that_is_no_number_stops_a_run(
    command: Command, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third validation row alone breaks it, and is named."""

    def forward(self: Any, input_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(input_ids, mask)
        if not self.training:
            logits = torch.where((input_ids == third).all(1, keepdim=True), logits * float("inf"), logits)
        return logits

    overrides = quick("ffn")
    third = torch.zeros(0)
    collect = Classifier._collect

    def collecting(self: Any, batch: Any) -> None:
        nonlocal third
        third = batch["input_ids"][batch["rows"] == 2]
        collect(self, batch)

    monkeypatch.setattr(Classifier, "_collect", collecting)
    monkeypatch.setattr(Classifier, "forward", forward)
    ended = command(*overrides)
    is_one_line(ended, "after 7 optimizer steps the validation loss is nan, at learning rate 0.")
    assert "whose logits are no numbers: validation/en/2; lower" in ended.error
    (failure,) = (tmp_path / "runs").rglob(runs.FAILURE)
    assert json.loads(failure.read_text())["status"] == "failed"


# --- memory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
    ids=["Python", "CPU", "GPU"],
)
def test_memory_that_does_not_suffice_fails_one_run_with_advice(
    command: Command, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    step, steps = Classifier.training_step, itertools.count()

    def full(self: Any, *arguments: Any) -> Any:
        if next(steps) == 3:
            raise error
        return step(self, *arguments)

    monkeypatch.setattr(Classifier, "training_step", full)
    ended = command("-m", *quick("ffn"), "seed=0,1")
    assert ended.code == 1
    assert f"{type(error).__name__}: {error}".strip() in ended.error
    assert "; lower model.batch_size, or raise model.accumulate; the whole trace: " in ended.error
    assert len(list((tmp_path / "runs").rglob(runs.FAILURE))) == 1
    assert len(list((tmp_path / "runs").rglob(runs.RESULT))) == 1  # the sweep went on


# --- a cold cache

# Forked after the imports, which would take most of the time; each child is a command up to its training.
EIGHT = """
import os, sys, time, zlib
from emoji_pred import cli, token_cache, training

build, log = token_cache._tokenize, sys.argv.pop(1)

def logged(*arguments):
    with open(log, "a") as stream:
        stream.write("built\\n")
    time.sleep(0.5)  # long enough for all others to come
    return build(*arguments)

def train(config, corpus, tokenized, *rest):
    os.write(1, f"{zlib.crc32(tokenized.splits['train'].ids.tobytes())}\\n".encode())
    os._exit(0)

token_cache._tokenize, training.train_and_evaluate = logged, train
start, go = os.pipe()
children = []
for seed in range(8):
    children.append(os.fork())
    if not children[-1]:
        os.close(go)
        os.read(start, 1)  # until all are there
        sys.argv.append(f"seed={seed}")
        cli.main()
        os._exit(1)
os.close(go)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_eight_processes_build_a_cold_cache_once(quick: Quick, tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings = [*quick("ffn"), f"runs_dir={tmp_path}/runs", f"cache_dir={tmp_path}/cache"]
    done = subprocess.run(
        [sys.executable, "-c", EIGHT, str(log), *settings],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert log.read_text() == "built\n"
    ids = np.load(next(tmp_path.rglob("train.ids.npy"))).tobytes()
    assert done.stdout.split() == [str(zlib.crc32(ids))] * 8


# --- clocks


def test_a_clock_that_jumps_changes_nothing(
    command: Command, train: Train, three_epochs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wall clock forwards and backwards by hours at each look, files from the future and the past."""
    jumps, now = itertools.cycle([5, -7, 0, 11, -3]), time.time()
    saved: list[int] = []
    save = resume.SaveState._save

    def save_then_stop(self: Any, trainer: Any) -> None:
        save(self, trainer)
        saved.append(trainer.global_step)
        if len(saved) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(resume.SaveState, "_save", save_then_stop)
    monkeypatch.setattr(time, "time", lambda: now + 3600 * next(jumps))
    assert command(*three_epochs).code == 143
    assert saved == [5, 10, 15, 16]  # by steps and for the signal, none by the clock
    for path, year in zip(sorted(tmp_path.rglob("state-*.ckpt")), (2100, 1980), strict=True):
        os.utime(path, (3.15e7 * (year - 1970),) * 2)
    result = is_as_undisturbed(command(*three_epochs), tmp_path / "runs", train(*three_epochs))
    assert result["interruptions"] == 1
    assert 0 < result["wall_seconds"] < 3600


# --- directories


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """A directory that nobody can write to once it is asked for: root writes wherever a mount lets it."""
    place = tmp_path / "read-only"
    place.mkdir()
    mounted = False

    def made() -> Path:
        nonlocal mounted
        if os.geteuid():
            for path in [*place.rglob("*"), place]:
                path.chmod(0o555 if path.is_dir() else 0o444)
            return place
        with suppress(OSError):
            bind = ["mount", "--bind", str(place), str(place)]
            mounted = subprocess.run(bind, capture_output=True, check=False).returncode == 0
        again = ["mount", "-o", "remount,bind,ro", str(place)]
        if not mounted or subprocess.run(again, capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted read-only here, and root may write anywhere")
        return place

    yield made
    if mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)
    for path in [place, *place.rglob("*")]:
        path.chmod(0o755)


def test_read_only_data_and_cache_are_no_loss(
    command: Command, quick: Quick, tmp_path: Path, read_only: Callable[[], Path]
) -> None:
    place = tmp_path / "read-only"
    rows = [f"row {i} is {('sad', 'glad')[i % 2]},{('sad', 'glad')[i % 2]}" for i in range(60)]
    (place / "tweets.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    settings = [item for item in quick("ffn") if not item.startswith("data")]
    overrides = [*settings, "data=text_files", "data.files.train=tweets.csv", f"data_dir={place}"]
    assert command(*overrides, f"runs_dir={tmp_path}/before").code == 0
    read_only()
    with pytest.warns(
        UserWarning, match=r"token cache .*read-only/tokens cannot be written \(.*\); not cached"
    ):
        ended = command(*overrides, f"cache_dir={place}")
    assert ended.code == 0, ended.err
    first, second = (next(tmp_path.glob(f"{name}/*/{runs.PREDICTIONS}")) for name in ("before", "runs"))
    assert first.read_bytes() == second.read_bytes()


def test_a_read_only_data_directory_that_lacks_a_file_is_one_line(
    command: Command, read_only: Callable[[], Path]
) -> None:
    ended = command("data=tweeteval", f"data_dir={read_only()}")
    is_one_line(ended, "is missing and could not be fetched (", "EMOJI_PRED_DATA or data_dir")


def test_a_working_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", f'rmdir "$PWD"; exec {sys.executable} {REPOSITORY}/train.py model=ffn data=sample'],
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
    )
    is_one_line(Ended(done.returncode, done.stdout, done.stderr), "was removed; start it in another one")


def test_a_working_directory_that_goes_while_a_run_trains_is_no_loss(
    command: Command, train: Train, three_epochs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    save = resume.SaveState._save

    def save_then_remove(self: Any, trainer: Any) -> None:
        save(self, trainer)
        shutil.rmtree(tmp_path / "gone", ignore_errors=True)

    monkeypatch.setattr(resume.SaveState, "_save", save_then_remove)
    monkeypatch.chdir(tmp_path / "gone")
    ended = command(*three_epochs)
    assert not (tmp_path / "gone").exists()
    is_as_undisturbed(ended, tmp_path / "runs", train(*three_epochs))


@pytest.mark.parametrize("logger", ["csv", "none"])
@pytest.mark.parametrize("when", ["training", "evaluation", "results"])
def test_a_run_whose_directory_is_removed_says_so_and_trains_again(
    command: Command,
    train: Train,
    three_epochs: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
    logger: str,
) -> None:
    place = {"training": (Classifier, "on_train_epoch_start"), "evaluation": (Classifier, "predictions")}
    owner, name = place.get(when, (runs, "write_predictions"))
    called = getattr(owner, name)

    def removed(*arguments: Any) -> Any:
        shutil.rmtree(tmp_path / "runs")
        return called(*arguments)

    overrides = [*three_epochs, f"logger={logger}"]
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, removed)
        ended = command(*overrides)
    is_one_line(
        ended, f"{tmp_path}/runs/", "was removed while the run trained; the same command trains it again"
    )
    assert not (tmp_path / "runs").exists()
    is_as_undisturbed(command(*overrides), tmp_path / "runs", train(*overrides))
