"""A sweep that loses nothing.

What is finished is found before anything is launched; what a launcher loses is launched again; what another
command trains is waited for. Hydra's launchers only ever see the runs that are left.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from emoji_pred import runs
from emoji_pred.errors import FAILED, MISTAKE, STOP_SIGNALS, RunFailed, Stopped, UserError, one_line
from emoji_pred.lease import child_that_trains, wait_until_free, was_started
from emoji_pred.own_process import train_in_own_process
from emoji_pred.run import check_before_training, find_finished, identify
from emoji_pred.summary import duration, print_runs, shared_overrides, write_table

# Told to the processes of the runs: the sweep's name, its process, how many runs are launched, and the
# overrides that all of them share.
NAME, PROCESS = "EMOJI_PRED_SWEEP", "EMOJI_PRED_SWEEP_PROCESS"
LABEL = "EMOJI_PRED_LABEL"  # read by `progress`
RUNS, SHARED = "EMOJI_PRED_SWEEP_RUNS", "EMOJI_PRED_SWEEP_SHARED"
WATCHED_SECONDS = 2.0
SHOWN_SECONDS = 60.0  # after which a network file system shows what another machine wrote
SAID_SECONDS = 10.0  # at least between two lines of progress
# Launches the runs of these overrides; what each returns is the dictionary of `Ended`, or an exception.
Launch = Callable[[list[list[str]]], Sequence[Any]]


@dataclass
class Ended:
    """How one run ended, as its process tells the sweep.

    Attributes:
        status: `finished`, `failed`, `busy` (another command trains it) or `stopped` (by a signal).
        error: in one line, where it failed.
        code: the exit code that a single run would have had.
    """

    status: str
    error: str | None = None
    code: int = 0


@dataclass
class Job:
    """One run of a sweep.

    Attributes:
        overrides: as typed.
        directory: of the run; None where its configuration is a mistake.
        result: the content of `result.json`, once it is finished.
        error: of a failed run, in one line.
        code: the exit code that it alone would have had.
        same_as: an earlier job of the same configuration, which is trained in its stead.
        before: what told the end of an earlier run of it, when the sweep began.
    """

    overrides: list[str]
    directory: Path | None = None
    result: dict[str, Any] | None = None
    error: str | None = None
    code: int = 0
    same_as: Job | None = None
    before: tuple[Any, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether it is still to be trained."""
        return self.same_as is None and self.result is None and self.error is None

    def end(self, ended: Ended) -> None:
        """Take up how its process ended."""
        if ended.status == "failed":
            self.error, self.code = ended.error, ended.code
        elif ended.status == "finished":
            self._look_patiently()

    def look(self) -> None:
        """Take up its result if there is one, but not one that `force=true` is to replace."""
        assert self.directory is not None
        if self.has_ended():
            self.result = runs.read_finished(self.directory)

    def _look_patiently(self) -> None:
        """Another machine may have written the result: a network file system shows it some seconds later."""
        until = time.monotonic() + SHOWN_SECONDS
        while self.result is None and time.monotonic() < until:
            self.look()
            if self.result is None:
                time.sleep(1)
        if self.result is None:
            self.code = MISTAKE
            self.error = (
                f"its process finished it, but {self.directory} holds no result; set runs_dir to the "
                "absolute path of a directory that all machines share"
            )

    def has_ended(self) -> bool:
        """Whether it was finished or failed since the sweep began."""
        return any(now is not None and now not in self.before for now in _ends(self.directory))

    def row(self) -> dict[str, Any]:
        """For the table at the end."""
        job = self.same_as or self
        if job.result is None:
            return {"status": "failed", "error": job.error, "overrides": self.overrides}
        return {**job.result, "overrides": self.overrides, "directory": str(job.directory)}


@dataclass
class Sweep:
    """The runs of one command.

    Args:
        compose: from overrides to the resolved configuration of a run.
        launch: Hydra's launcher.
        stop: asks it to end what it launched; None where its processes are this one's children.
        script: `train.py`, for a run that is given a process of its own.
        here: the launcher trains in this very process, one run after the other.
    """

    compose: Callable[[Sequence[str]], dict[str, Any]]
    launch: Launch
    stop: Callable[[], None] | None
    script: Path
    here: bool = True
    jobs: list[Job] = field(default_factory=list)
    runs_dir: Path | None = None
    name: str = field(default_factory=lambda: f"{datetime.now():%Y-%m-%d_%H%M%S}_{os.getpid()}")

    def run(self, all_overrides: Sequence[Sequence[str]]) -> int:
        """Train what is not finished, print the table; returns the exit code.

        Raises:
            Stopped: a signal asked for it; what the runs had reached is saved.
            UserError: the launcher cannot be used, or nothing can be written.
        """
        self.find(all_overrides)
        waiting = self._waiting()
        if waiting:
            self._train(waiting)
        self._report()
        codes = [(job.same_as or job).code for job in self.jobs]
        return max(codes, default=0) if all(codes) else FAILED if any(codes) else 0

    # --- before anything is launched

    def find(self, all_overrides: Sequence[Sequence[str]]) -> None:
        """Name every run, find those that are finished, refuse those that are mistakes."""
        first: dict[Path, Job] = {}
        checked: set[str] = set()
        again = interrupted = 0
        for overrides in all_overrides:
            job = Job(list(overrides))
            self.jobs.append(job)
            config = self.compose(overrides)
            try:
                identity = identify(config)
                job.directory, self.runs_dir = identity.directory, identity.directory.parent
                found = find_finished(identity)
                job.result = found.result if found is not None else None
                what = repr([config["model"], config["loss"], config["alpha"]])
                if job.result is None and what not in checked:
                    check_before_training(config)
                    checked.add(what)
            except UserError as error:
                job.error, job.code = one_line(error), MISTAKE
                print(f"error: {job.error}", file=sys.stderr)
                continue
            job.before = _ends(job.directory)
            job.same_as = first.setdefault(job.directory, job)
            job.same_as = None if job.same_as is job else job.same_as
            if job.waits:
                again += (job.directory / runs.FAILURE).exists()
                interrupted += any(job.directory.glob("state-*.ckpt"))
        found_before = sum(job.result is not None for job in self.jobs)
        parts = [f"{found_before} finished before"]
        parts += [f"{interrupted} interrupted"] * bool(interrupted) + [f"{again} failed before"] * bool(again)
        print(f"{len(self.jobs)} runs: {', '.join(parts)}, {len(self._waiting())} to train", flush=True)

    def _waiting(self) -> list[Job]:
        return [job for job in self.jobs if job.waits]

    # --- training

    def _train(self, waiting: list[Job]) -> None:
        """Launch until no run waits any more."""
        assert self.runs_dir is not None
        runs.prepare_directory(self.runs_dir)
        shared = shared_overrides([job.overrides for job in self.jobs])
        os.environ |= {NAME: self.name, PROCESS: own_mark(), RUNS: str(len(waiting))}
        os.environ[SHARED] = json.dumps(sorted(shared))
        fruitless = 0
        try:
            with self._watched(waiting):
                while waiting:
                    lost = self._launch(waiting)
                    left = self._waiting()
                    fruitless = fruitless + 1 if lost is not None and len(left) == len(waiting) else 0
                    if fruitless == 2:
                        reason = one_line(f"{type(lost).__name__}: {lost}")[:300]
                        raise UserError(f"the launcher does not work: {reason}; hydra/launcher=basic does")
                    if lost is None and left:
                        self._wait_for_others(left)
                    waiting = self._waiting()
        finally:
            for name in (NAME, PROCESS, RUNS, SHARED):
                del os.environ[name]

    def _launch(self, waiting: list[Job]) -> Exception | None:
        """Launch once; returns the launcher's own failure."""
        with self._passing_signals_on(waiting) as asked:
            try:
                returned = self.launch([job.overrides for job in waiting])
                failure = None
            except UserError:
                raise
            except BaseException as error:  # workers that a signal caught before they could handle it, too
                if asked:
                    raise Stopped(asked[0]) from None
                if self.here or not isinstance(error, Exception):
                    raise
                returned, failure = [], error
        for job, ended in zip(waiting, returned, strict=False):
            job.end(Ended(**ended))
            if ended["status"] == "stopped":
                asked.append(ended["code"] - 128)
        if asked:
            raise Stopped(asked[0])
        if failure is not None:
            self._after_loss(waiting, failure)
        return failure

    def _after_loss(self, waiting: list[Job], failure: Exception) -> None:
        """A worker was killed: what was in its hands is tried alone, so that it cannot take others along."""
        for job in waiting:
            job.look()
        suspects = [job for job in waiting if job.waits and job.directory and was_started(job.directory)]
        print(
            f"warning: the launcher lost its runs ({type(failure).__name__}); those that were being trained "
            f"are tried alone ({len(suspects)}), then the others again",
            file=sys.stderr,
        )
        for job in suspects:
            assert job.directory is not None
            try:
                train_in_own_process(self.script, job.overrides)
                job.look()
            except (UserError, RunFailed) as error:
                job.error, job.code = str(error), MISTAKE if isinstance(error, UserError) else FAILED
                if runs.read_failure(job.directory) is None and isinstance(error, RunFailed):
                    runs.write_failure(job.directory, error, str(failure), job.overrides)

    def _wait_for_others(self, left: list[Job]) -> None:
        """Until one of the runs that other commands train is free."""
        first = left[0].directory
        assert first is not None
        print(
            f"{len(left)} run(s) are being trained by another command; waiting for {first.name} "
            "(Ctrl-C leaves them to it)",
            flush=True,
        )
        wait_until_free(first)

    @contextmanager
    def _passing_signals_on(self, waiting: list[Job]) -> Iterator[list[int]]:
        """While runs train in processes of their own: a signal asks each to save; a second one ends at once.

        Yields:
            The signals that came.
        """
        asked: list[int] = []

        def pass_on(number: int, _: Any) -> None:
            if asked:
                raise Stopped(number)
            asked.append(number)
            print("\nstopping: the runs save their states; a second signal ends at once", file=sys.stderr)
            if self.stop is not None:
                self.stop()
            else:
                _ask_children_to_stop(waiting)

        before = {}
        if not self.here and threading.current_thread() is threading.main_thread():
            before = {number: signal.signal(number, pass_on) for number in STOP_SIGNALS}
        try:
            yield asked
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def _watched(self, waiting: list[Job]) -> Iterator[None]:
        """Meanwhile, say how far the sweep is."""
        ended = threading.Event()
        thread = threading.Thread(target=_watch, args=(waiting, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    # --- at the end

    def _report(self) -> None:
        rows = [job.row() for job in self.jobs]
        print_runs(rows)
        if self.runs_dir is not None and any(job.result for job in self.jobs):
            try:
                print(f"The table: {write_table(rows, self.runs_dir / 'sweeps', self.name)} (and .csv)")
            except (OSError, UserError) as error:
                print(f"warning: the table was not written: {error}", file=sys.stderr)


def _ask_children_to_stop(jobs: Sequence[Job]) -> None:
    for job in jobs:
        pid = child_that_trains(job.directory) if job.directory is not None else None
        if pid is not None:
            with suppress(OSError):
                os.kill(pid, signal.SIGTERM)


def _ends(directory: Path | None) -> tuple[tuple[int, int] | None, ...]:
    """What tells that a run of a directory has ended: its result, and its failure."""
    return tuple(_stamp(directory / name) if directory else None for name in (runs.RESULT, runs.FAILURE))


def _stamp(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        status = path.stat()
        return status.st_ino, status.st_mtime_ns
    return None


def _watch(waiting: list[Job], ended: threading.Event) -> None:
    """Say how many runs are done and how long the rest takes, when that has changed."""
    left = list(waiting)
    started = said = time.monotonic()
    while not ended.wait(WATCHED_SECONDS):
        before, left = len(left), [job for job in left if not job.has_ended()]
        now, done = time.monotonic(), len(waiting) - len(left)
        if 0 < len(left) < before and now - said > SAID_SECONDS:
            seconds = (now - started) / done * len(left)
            print(f"sweep: {done} of {len(waiting)} done, about {duration(seconds)} left", flush=True)
            said = now


def announcement(number: int, overrides: Sequence[str]) -> str:
    """What a run of a sweep says when it begins: its place, and the overrides that set it apart."""
    shared = set(json.loads(os.environ.get(SHARED, "[]")))
    own = " ".join(text for text in overrides if text not in shared)
    if is_worker():
        os.environ[LABEL] = f"run {number}: "
    return f"run {number} of {os.environ.get(RUNS, '?')}: {own or ' '.join(overrides)}"


def is_worker() -> bool:
    """Whether this process was started by the launcher of a sweep."""
    return os.environ.get(PROCESS, own_mark()) != own_mark()


def own_mark() -> str:
    """What tells the process of a sweep from those that a launcher starts."""
    return f"{socket.gethostname()}:{os.getpid()}"
