"""A sweep that loses nothing.

What is finished is found before anything is launched; what a launcher loses is launched again; what another
command trains is waited for. Hydra's launchers only ever see the runs that are left.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from emoji_pred import runs
from emoji_pred.errors import FAILED, MISTAKE, RunFailed, Stopped, UserError, one_line
from emoji_pred.jobs import SHOWN_SECONDS, Ended, Job, ends_of, forget_processes, tell_processes
from emoji_pred.lease import child_that_trains, wait_until_one_is_free, was_left
from emoji_pred.own_process import train_in_own_process
from emoji_pred.run import check_before_training, check_retry, find_finished, identify
from emoji_pred.signals import handled_by
from emoji_pred.summary import duration, print_runs, write_table

WATCHED_SECONDS = 2.0
ASKED_EVERY_SECONDS = 0.2
SAID_SECONDS = 10.0  # at least between two lines of progress
# Launches the runs of these overrides; what each returns is the dictionary of `Ended`, or an exception.
Launch = Callable[[list[list[str]]], Sequence[Any]]


@dataclass
class Sweep:
    """The runs of one command.

    Args:
        compose: from overrides to the resolved configuration of a run.
        launch: Hydra's launcher.
        stop: asks it to end what it launched; None where its processes are this one's children.
        script: `train.py`, for a run that is given a process of its own.
        here: the launcher trains in this very process, one run after the other.
        elsewhere: it trains on other machines.
    """

    compose: Callable[[Sequence[str]], dict[str, Any]]
    launch: Launch
    stop: Callable[[], None] | None
    script: Path
    here: bool = True
    elsewhere: bool = False
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
                job.before = ends_of(job.directory)  # first: another command may finish it meanwhile
                found = find_finished(identity)
                job.result = found.result if found is not None else None
                what = repr([config["model"], config["loss"], config["alpha"]])
                if job.result is None and what not in checked:
                    check_before_training(config)
                    checked.add(what)
                if job.result is None:
                    check_retry(identity)
            except UserError as error:
                job.error, job.code = one_line(error), MISTAKE
                print(f"error: {job.error}", file=sys.stderr)
                continue
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
        tell_processes(self.name, [job.overrides for job in self.jobs], len(waiting))
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
            forget_processes()

    def _launch(self, waiting: list[Job]) -> Exception | None:
        """Launch once; returns the launcher's own failure."""
        with self._passing_signals_on(waiting) as asked:
            try:
                returned = self.launch([self._overrides(job) for job in waiting])
                failure = None
            except UserError:
                raise
            except BaseException as error:  # workers that a signal caught before they could handle it, too
                if asked:
                    raise Stopped(asked[0]) from None
                if self.here or not isinstance(error, Exception):
                    raise
                returned, failure = [], error
        until = time.monotonic() + SHOWN_SECONDS
        for job, ended in zip(waiting, returned, strict=False):
            job.end(Ended(**ended), until)
            if ended["status"] == "stopped":
                asked.append(ended["code"] - 128)
        if asked:
            raise Stopped(asked[0])
        if failure is not None:
            self._after_loss(waiting, failure)
        return failure

    def _overrides(self, job: Job) -> list[str]:
        """Of a job, as another process is given them: it may stand in another directory."""
        place = str(self.runs_dir).replace("'", "\\'")
        return job.overrides if self.here else [*job.overrides, f"runs_dir='{place}'"]

    def _after_loss(self, waiting: list[Job], failure: Exception) -> None:
        """A worker was killed: what was in its hands is tried alone, so that it cannot take others along."""
        for job in waiting:
            job.look()
        suspects = [job for job in waiting if job.waits and job.directory and was_left(job.directory)]
        print(
            f"warning: the launcher lost its runs ({type(failure).__name__}); those that were being trained "
            f"are tried alone ({len(suspects)}), then the others again",
            file=sys.stderr,
        )
        for job in suspects:
            assert job.directory is not None
            try:
                self._try_alone(job)
            except (UserError, RunFailed) as error:
                job.error, job.code = str(error), MISTAKE if isinstance(error, UserError) else FAILED
                if runs.read_failure(job.directory) is None and isinstance(error, RunFailed):
                    runs.write_failure(job.directory, error, str(failure), job.overrides)

    def _try_alone(self, job: Job) -> None:
        """In a process of its own on this machine; or by the launcher again, if that trains elsewhere."""
        if self.elsewhere:
            try:
                (ended,) = self.launch([self._overrides(job)])
            except Exception as error:
                raise RunFailed(f"the launcher lost it twice: {one_line(error)[:300]}") from error
            job.end(Ended(**ended), time.monotonic() + SHOWN_SECONDS)
        else:
            train_in_own_process(self.script, job.overrides)
            job.look()

    def _wait_for_others(self, left: list[Job]) -> None:
        """Until one of the runs that other commands train is free."""
        directories = [job.directory for job in left if job.directory is not None]
        print(
            f"{len(left)} run(s) are being trained by another command, such as {directories[0].name}; "
            "waiting (Ctrl-C leaves them to it)",
            flush=True,
        )
        wait_until_one_is_free(directories)

    @contextmanager
    def _passing_signals_on(self, waiting: list[Job]) -> Iterator[list[int]]:
        """While runs train in processes of their own: a signal asks each to save; a second one ends at once.

        Yields:
            The signals that came.
        """
        asked: list[int] = []
        over = threading.Event()

        def pass_on(number: int, _: Any) -> None:
            if asked:
                raise Stopped(number)
            asked.append(number)
            if self.stop is not None:
                self.stop()
            elif self.elsewhere:  # what was submitted goes on, and is found by the same command
                raise Stopped(number)
            print("\nstopping: the runs save their states; a second signal ends at once", file=sys.stderr)
            if self.stop is None:
                threading.Thread(target=_ask_children_to_stop, args=(waiting, over), daemon=True).start()

        with nullcontext() if self.here else handled_by(pass_on):
            try:
                yield asked
            finally:
                over.set()

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


def _ask_children_to_stop(jobs: Sequence[Job], over: threading.Event) -> None:
    """Each process once, also those that only now begin a run: a second signal would cut its save."""
    asked: set[int] = set()
    while True:
        for job in jobs:
            pid = child_that_trains(job.directory) if job.directory is not None else None
            if pid is not None and pid not in asked:
                asked.add(pid)
                with suppress(OSError):
                    os.kill(pid, signal.SIGTERM)
        if over.wait(ASKED_EVERY_SECONDS):
            return


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
