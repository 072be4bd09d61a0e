"""Runs in processes of their own: on several devices inside a sweep or a search, and a search's workers.

A run starts one helper process for each further device by running its command line again. Inside a sweep each
of them would start the whole sweep; so there the run is given a command line that is its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from emoji_pred.errors import MISTAKE, RunFailed, UserError, stopped_with
from emoji_pred.run import RunResult, find_finished, identify
from emoji_pred.signals import handled_by

PARENT_DEATH = 1  # prctl(2): PR_SET_PDEATHSIG
TOLD_BY_PARENT = ("error: ", "stopped by ")  # in its own words


def train_in_own_process(script: Path, overrides: Sequence[str]) -> None:
    """Run `script` with the overrides of one run, and pass on how it ends.

    Args:
        script: `train.py`.
        overrides: of the run, as a user would type them.

    Raises:
        UserError: it ended with a user's mistake; the message is its own.
        RunFailed: it failed.
        Stopped: it was stopped by a signal.
    """
    (error,) = in_own_processes(script, [overrides])
    if error is not None:
        raise error


def result_of_own_process(script: Path, config: Mapping[str, Any], overrides: Sequence[str]) -> RunResult:
    """Train a run in a process of its own, and read what it left.

    Args:
        script: `train.py`.
        config: the resolved configuration that the overrides give.
        overrides: of the run, as a user would type them.

    Raises:
        UserError, RunFailed, Stopped: as `train_in_own_process`; RunFailed too where no result is left.
    """
    train_in_own_process(script, overrides)
    trained = find_finished(identify({**config, "force": False}))
    if trained is None:
        raise RunFailed("the process of the run left no result")
    return trained


def in_own_processes(script: Path, commands: Sequence[Sequence[str]]) -> list[BaseException | None]:
    """Run `script` with each list of overrides, side by side, until all have ended.

    Signals go to them alone, so that each saves its state once; if this process is killed, they are asked to
    stop.

    Returns:
        For each None, or what `train_in_own_process` would raise.
    """
    running: list[subprocess.Popen[str]] = []
    with _forwarding_signals(running), ThreadPoolExecutor(len(commands)) as pool:
        try:
            for overrides in commands:
                running.append(_start(script, overrides))
            ends = [pool.submit(_wait, process) for process in running]
            return [end.exception() for end in ends]
        finally:
            for process in running:
                if process.poll() is None:
                    process.kill()


def _start(script: Path, overrides: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(script), *overrides],
        # Hydra's own traces are for this process: its user is told one line by the other.
        env={name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR"},
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C in a terminal would reach its helpers too
        preexec_fn=stop_with_parent if sys.platform == "linux" else None,
    )


@contextmanager
def _forwarding_signals(running: Sequence[subprocess.Popen[str]]) -> Iterator[None]:
    """Hand signals that ask to stop on to the processes, instead of stopping here."""

    def forward(number: int, _: object) -> None:
        for process in running:
            with suppress(ProcessLookupError):
                process.send_signal(number)

    with handled_by(forward):
        yield


def _wait(running: subprocess.Popen[str]) -> None:
    """Show what a process says on standard error, and raise what its end means."""
    lines = []
    assert running.stderr is not None
    for line in running.stderr:
        lines.append(line.rstrip())
        if not line.startswith(TOLD_BY_PARENT):
            sys.stderr.write(line)
    code = running.wait()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    stopped = stopped_with(code)
    if stopped is not None:
        raise stopped
    if code == MISTAKE:
        raise UserError(errors[0] if errors else "the run ended with a mistake that it did not name")
    if code:
        raise RunFailed(errors[0] if errors else f"the process of the run ended with code {code}")


def stop_with_parent() -> None:
    """In the new process: SIGTERM when the parent dies, however it dies."""
    ctypes.CDLL(None).prctl(PARENT_DEATH, signal.SIGTERM)
