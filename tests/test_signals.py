"""A signal ends a command with one line and its usual code, whatever the command was doing."""

from __future__ import annotations

import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Ended

from emoji_pred import resume, runs, signals
from emoji_pred.errors import Stopped
from emoji_pred.signals import StopRequest

Command = Callable[..., Ended]
Quick = Callable[..., list[str]]
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGUSR1: 138}


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(signals.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_put_off_a_signal_is_noted_and_acts_at_the_end() -> None:
    request = StopRequest()
    before = {number: signal.getsignal(number) for number in CODES}
    with pytest.raises(Stopped) as stopped, request.put_off() as noted:
        os.kill(os.getpid(), signal.SIGTERM)
        assert noted.signal_number == signal.SIGTERM
        with request.put_off():  # the outermost ends it
            pass
    assert stopped.value.signal_number == signal.SIGTERM
    assert {number: signal.getsignal(number) for number in CODES} == before
    with request.put_off() as noted:  # what an earlier command was asked is forgotten
        assert noted.signal_number == 0


def test_an_error_is_not_hidden_by_a_signal() -> None:
    with pytest.raises(ZeroDivisionError), StopRequest().put_off():
        os.kill(os.getpid(), signal.SIGTERM)
        raise ZeroDivisionError


@pytest.mark.parametrize("other", CODES)
def test_a_signal_delivered_twice_is_one(clock: Clock, other: signal.Signals) -> None:
    request = StopRequest()
    with pytest.raises(Stopped) as stopped, request.put_off():
        request.ask(signal.SIGINT)
        clock.now += 0.4
        request.ask(other)
    assert stopped.value.signal_number == signal.SIGINT


def test_a_second_signal_ends_at_once(clock: Clock) -> None:
    request = StopRequest()
    with pytest.raises(Stopped) as stopped, request.put_off():
        request.ask(signal.SIGINT)
        clock.now += 0.6
        request.ask(signal.SIGTERM)
        raise AssertionError("not at once")
    assert stopped.value.signal_number == signal.SIGTERM


def test_while_the_process_ends_a_signal_ends_it_without_a_word() -> None:
    script = (
        "import os, signal; from emoji_pred import signals\n"
        "signals.stop_request.take_over()\n"
        "try: os.kill(os.getpid(), signal.SIGINT)\n"
        "except BaseException: signals.stop_request.ending = True\n"
        "signals.TWICE_SECONDS = 1000\n"
        "os.kill(os.getpid(), signal.SIGINT); print('twice', flush=True)\n"
        "signals.TWICE_SECONDS = 0\n"
        "os.kill(os.getpid(), signal.SIGINT); print('never')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "twice\n", "")


# --- wherever it comes


def signalled_in(monkeypatch: pytest.MonkeyPatch, place: str, number: signal.Signals, call: int = 1) -> None:
    """Send the signal at the `call`-th call of a function, given as `module:name`."""
    original, calls = pkgutil.resolve_name(place), []

    def signalled(*arguments: Any, **named: Any) -> Any:
        calls.append(place)
        if len(calls) == call:
            os.kill(os.getpid(), number)
        return original(*arguments, **named)

    monkeypatch.setattr(place.replace(":", "."), signalled)


def is_stopped(ended: Ended, number: signal.Signals) -> None:
    assert ended.code == CODES[number]
    assert ended.err.splitlines() == ["", f"stopped by {number.name}; the same command continues"]


def files_of(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("number", "place"),
    [
        (signal.SIGTERM, "emoji_pred.run:_load_corpus"),
        (signal.SIGINT, "emoji_pred.token_cache:_tokenize"),
        (signal.SIGTERM, "emoji_pred.token_cache:np.save"),
        (signal.SIGUSR1, "emoji_pred.training:build_classifier"),
        (signal.SIGINT, "emoji_pred.training:build_trainer"),
    ],
)
def test_before_the_first_step(
    command: Command,
    quick: Quick,
    train: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    place: str,
) -> None:
    with monkeypatch.context() as patched:
        signalled_in(patched, place, number)
        is_stopped(command(*quick("ffn")), number)
    # From where training has begun to be built it is put off to the first step.
    begun = place.endswith("build_trainer")
    assert [name[:16] for name in files_of(tmp_path / "runs")] == ["state-000000001-"] * begun
    assert [name for name in files_of(tmp_path / "cache") if name.endswith(".npy")] == [
        f"{split}.{part}.npy"
        for split in ("test", "train", "validation")
        for part in ("ids", "offsets")
        if "training" in place
    ]
    again = command(*quick("ffn"))
    assert (again.code, again.err) == (0, "")
    same_predictions(tmp_path / "runs", train(*quick("ffn")).directory)


def test_in_a_finalizer_which_swallows_errors(
    command: Command, quick: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            len("a call, at which Python runs the handler")

    def loading(_: Any) -> None:
        Dying()
        time.sleep(120)
        raise AssertionError("went on")

    monkeypatch.setattr("emoji_pred.run._load_corpus", loading)
    is_stopped(command(*quick("ffn")), signal.SIGTERM)


def same_predictions(runs_dir: Path, directory: Path) -> None:
    found = runs_dir / directory.name / runs.PREDICTIONS
    assert found.read_bytes() == (directory / runs.PREDICTIONS).read_bytes()


@pytest.mark.parametrize(("number", "call"), [(signal.SIGTERM, 1), (signal.SIGINT, 2), (signal.SIGUSR1, 3)])
def test_while_results_are_written_they_are_finished_first(
    command: Command,
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    call: int,
) -> None:
    """At each of the three renames."""
    with monkeypatch.context() as patched:
        original, calls = os.replace, []

        def signalled(source: Any, target: Any) -> None:
            if Path(target).name in (runs.CHECKPOINT, runs.PREDICTIONS, runs.RESULT):
                calls.append(target)
                if len(calls) == call:
                    os.kill(os.getpid(), number)
            original(source, target)

        patched.setattr(os, "replace", signalled)
        is_stopped(command(*quick("ffn")), number)
    assert files_of(tmp_path / "runs") == sorted([runs.CHECKPOINT, runs.PREDICTIONS, runs.RESULT])
    assert "already finished" in command(*quick("ffn")).out


@pytest.mark.parametrize("number", CODES)
def test_between_two_runs_of_a_sweep(
    command: Command, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    sweep = ["-m", *quick("ffn"), "seed=0,1"]
    with monkeypatch.context() as patched:
        signalled_in(patched, "emoji_pred.cli:_run", number, call=2)
        is_stopped(command(*sweep), number)
    assert len(list((tmp_path / "runs").rglob(runs.RESULT))) == 1
    again = command(*sweep)
    assert again.code == 0, again.err
    assert len(list((tmp_path / "runs").rglob(runs.RESULT))) == 2


@pytest.mark.parametrize("place", ["torch:save", "emoji_pred.runs:file_digest", "emoji_pred.resume:_link"])
def test_a_second_signal_in_the_midst_of_a_save_leaves_the_state_before(
    command: Command,
    quick: Quick,
    train: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    original, saves = pkgutil.resolve_name(place), []
    save = resume.SaveState._save

    def counted(self: Any, trainer: Any) -> None:
        saves.append(trainer.global_step)
        save(self, trainer)

    def twice(*arguments: Any) -> Any:
        result = original(*arguments)
        if len(saves) == 3:  # in the midst of the third
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("not at once")
        return result

    overrides = quick("cnn", "model.max_epochs=3", "model.network.dropout=0.5", "trainer.save_steps=5")
    with monkeypatch.context() as patched:
        patched.setattr(signals, "TWICE_SECONDS", 0)
        patched.setattr(resume.SaveState, "_save", counted)
        patched.setattr(place.replace(":", "."), twice)
        is_stopped(command(*overrides), signal.SIGINT)
    assert saves == [5, 10, 15]
    assert [name[:16] for name in files_of(tmp_path) if name.endswith(".ckpt") and "state-" in name] == [
        "state-000000005-",
        "state-000000010-",
    ]
    again = command(*overrides)
    assert (again.code, again.err) == (0, "")
    directory = train(*overrides).directory
    same_predictions(tmp_path / "runs", directory)
    assert files_of(tmp_path / "runs") == sorted([runs.CHECKPOINT, runs.PREDICTIONS, runs.RESULT])


def test_a_process_ends_so_while_it_loads(quick: Quick, tmp_path: Path) -> None:
    """Up to the end of the process: nothing that runs at exit changes the code or says more."""
    script = tmp_path / "train.py"
    script.write_text(
        "import os, sys; from emoji_pred import cli, run\n"
        "run._load_corpus = lambda config: os.kill(os.getpid(), 15)\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, str(script), *quick("ffn"), f"runs_dir={tmp_path}/runs"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    is_stopped(Ended(done.returncode, done.stdout, done.stderr), signal.SIGTERM)
    assert files_of(tmp_path / "runs") == []
