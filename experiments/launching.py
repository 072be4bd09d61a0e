"""Run commands of `train.py`, several at once; whatever ends them, what is finished is kept.

Only what lies in the runs' directories is believed. A command gets a session of its own, so that a signal
reaches it once, from here; where this process is killed, the system asks its commands to stop.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoji_pred import runs
from emoji_pred.errors import MISTAKE, UserError, one_line
from emoji_pred.jobs import ends_of
from emoji_pred.lease import is_trained
from emoji_pred.own_process import stop_with_parent
from emoji_pred.signals import TWICE_SECONDS, handled_by
from experiments import keeping
from experiments.commands import Command, Hardware, single_commands, with_place
from experiments.history import Estimate, History
from experiments.planning import Places, Wanted, estimated_anew, time_of, words_of

LOGS = "logs"
LOOKED_EVERY_SECONDS = 0.2
KILLED_AFTER_SECONDS = 60.0  # that a command may take to end where this process ends by an error of its own
SAID_SECONDS = 10.0  # of what is left: less is not worth a word
SHOWN_CHARS = 600  # of an error


@dataclass
class Ends:
    """How the runs ended.

    Attributes:
        finished: names.
        failed: the error of each, in one line, and the file of its output.
        skipped: why each was not tried.
        signal_number: that asked to stop; 0: none.
    """

    finished: list[str] = field(default_factory=list)
    failed: dict[str, tuple[str, Path]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    signal_number: int = 0


@dataclass
class Running:
    """A command that runs.

    Attributes:
        command: with its runs.
        process: of `train.py`.
        log: the file of its output.
        begins: where its output begins in the file.
        since: seconds, monotonic: when it was started, or the last of its runs ended.
        left: runs that have not ended, with what told the end of an earlier start of each.
    """

    command: Command
    process: subprocess.Popen[bytes]
    log: Path
    begins: int
    since: float
    left: dict[str, tuple[Wanted, tuple[Any, ...]]]


class Launch:
    """Runs commands until none is left.

    Args:
        commands: in their order.
        hardware: how many at once, on what.
        places: of the runs, and where finished ones are kept.
        history: what runs took before; it learns.
        say: prints a line.
        script: `train.py`.
    """

    def __init__(
        self,
        commands: Sequence[Command],
        hardware: Hardware,
        places: Places,
        history: History,
        say: Callable[[str], None] = lambda line: print(line, flush=True),
        script: Path = keeping.ROOT / "train.py",
    ) -> None:
        self.queue, self.hardware, self.places, self.history = list(commands), hardware, places, history
        self.say, self.script = say, script
        self.running: list[Running] = []
        self.ends = Ends()
        self.total = sum(len(command.runs) for command in commands)
        self._told_of: set[str] = set()
        self._asked_at = 0.0  # seconds, monotonic
        self._stopping_said = False

    def run(self) -> Ends:
        """Run all; a run that fails stops no other."""
        (self.places.runs_dir / LOGS).mkdir(parents=True, exist_ok=True)
        with self._commands_ended(), handled_by(self._ask_to_stop):
            while self.running or (self.queue and not self.ends.signal_number):
                self._start_some()
                time.sleep(LOOKED_EVERY_SECONDS)
                self._say_stopping()
                self._look()
        return self.ends

    # --- starting

    def _start_some(self) -> None:
        while len(self.running) < self.hardware.jobs and not self.ends.signal_number:
            command = self._next()
            if command is None:
                return
            self._start(command)

    def _next(self) -> Command | None:
        """The first in the queue of which no other process trains a run; else a sweep, which has others."""
        for command in list(self.queue):
            (first, *others) = command.runs
            if not self._is_trained_elsewhere(command):
                self.queue.remove(command)
                if not others and self._found(first):
                    continue
                return command
        sweep = next((command for command in self.queue if len(command.runs) > 1), None)
        if sweep is not None:
            self.queue.remove(sweep)
        return sweep

    def _is_trained_elsewhere(self, command: Command) -> bool:
        names = [one.run.name for one in command.runs]
        trained = [name for name in names if is_trained(self.places.runs_dir / name)]
        for name in trained:
            if name not in self._told_of:
                self._told_of.add(name)
                self.say(f"later    {name}: another process trains it")
        return bool(trained)

    def _found(self, wanted: Wanted) -> bool:
        """Whether another process finished a run that was waited for."""
        name = wanted.run.name
        if name not in self._told_of or runs.read_finished(self.places.runs_dir / name) is None:
            return False
        self._finish(wanted)
        return True

    def _start(self, command: Command) -> None:
        first = command.runs[0].run
        log = self.places.runs_dir / LOGS / f"{first.name}.log"
        words = with_place(command, self.places.runs_dir, self.hardware.overrides(command))
        before = {one.run.name: (one, ends_of(self.places.runs_dir / one.run.name)) for one in command.runs}
        with log.open("ab") as output:
            output.write(f"$ python train.py {' '.join(words)}\n".encode("utf-8", "backslashreplace"))
            output.flush()
            begins = output.tell()
            process = subprocess.Popen(
                [sys.executable, str(self.script), *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR"},
                start_new_session=True,
                preexec_fn=stop_with_parent if sys.platform == "linux" else None,
            )
        self.running.append(Running(command, process, log, begins, time.monotonic(), before))
        if self.ends.signal_number:  # it came meanwhile
            _send(process, self.ends.signal_number)
        seconds = _seconds(command.runs)
        takes = f" (about {words_of(seconds)})" if seconds else ""
        count = f"{len(command.runs)} runs" if len(command.runs) > 1 else first.name
        self.say(f"start    {count}{takes}: {' '.join(command.overrides)}")

    # --- looking

    def _look(self) -> None:
        for running in list(self.running):
            ended = running.process.poll() is not None  # first: what it wrote before is then there
            for name, (wanted, before) in list(running.left.items()):
                now = ends_of(self.places.runs_dir / name)
                if now[0] is not None and now[0] != before[0]:
                    if runs.read_finished(self.places.runs_dir / name) is not None:
                        del running.left[name]
                        running.since = time.monotonic()
                        self._finish(wanted)
                elif now[1] is not None and now[1] != before[1]:
                    del running.left[name]
                    running.since = time.monotonic()
                    error = runs.read_failure(self.places.runs_dir / name) or "failed"
                    self._fail(wanted, error, running.log)
            if ended:
                self.running.remove(running)
                self._end(running)

    def _end(self, running: Running) -> None:
        """Of a command that has ended: its runs that have not."""
        if self.ends.signal_number or not running.left:
            return
        left = [wanted for wanted, _ in running.left.values()]
        if len(running.command.runs) > 1:  # each tells its own error alone
            self.queue[:0] = single_commands(left)
            return
        code = running.process.returncode
        (wanted,) = left
        if code == 0 and runs.read_finished(self.places.runs_dir / wanted.run.name) is not None:
            self._finish(wanted)  # by another process, meanwhile
            return
        error = last_error(running.log, running.begins, code)
        self._fail(wanted, error, running.log)
        if code == MISTAKE:
            self._skip_others(wanted, error)

    def _finish(self, wanted: Wanted) -> None:
        name = wanted.run.name
        try:
            keeping.keep(self.places.runs_dir / name, self.places.kept / name)
        except (OSError, UserError) as error:
            self._fail(wanted, f"it is finished, and could not be kept: {one_line(error)}", self.places.kept)
            return
        result = runs.read_finished(self.places.runs_dir / name) or {}
        self.history.add(result, self.places.runs_dir / name)
        self.ends.finished.append(name)
        score = (result.get("test") or result.get("validation") or {}).get("macro_f1")
        figures = f"macro F1 {score:.3f}, " if score is not None else ""
        took = words_of(result.get("wall_seconds"))
        self._tell(f"finished {name}: {figures}{took}: {' '.join(wanted.run.overrides)}")

    def _fail(self, wanted: Wanted, error: str, log: Path) -> None:
        self.ends.failed[wanted.run.name] = (error, log)
        self._tell(f"failed   {wanted.run.name}: {error}; its output: {log}")

    def _skip_others(self, failed: Wanted, error: str) -> None:
        """Not to try what needs the very thing that the error names: a dataset, an encoder, vectors."""
        lacking = lacked(failed.run.config, error)
        skipped: list[str] = []
        for command in list(self.queue):
            kept = tuple(one for one in command.runs if not lacking & needs(one.run.config))
            if len(kept) < len(command.runs):
                self.queue.remove(command)
                self.queue += single_commands(kept)
                skipped += [one.run.name for one in command.runs if one not in kept]
        self.ends.skipped |= dict.fromkeys(skipped, error)
        if skipped:
            self.say(
                f"skipped  {len(skipped)} more runs that need {' '.join(sorted(lacking))}, so cannot be run"
            )

    def _tell(self, line: str) -> None:
        done = len(self.ends.finished) + len(self.ends.failed) + len(self.ends.skipped)
        left = self.total - done
        rest = ""
        if left and not self.ends.signal_number:
            seconds = self.seconds_left()
            rest = f", about {words_of(seconds)}" if seconds > SAID_SECONDS else ""
            rest = f"; {left} left{rest}"
        self.say(f"{line}{rest}")

    def seconds_left(self) -> float:
        """Until all are done, by what has been seen so far."""
        now = time.monotonic()
        begun = [
            max(1.0, _seconds(self._anew(wanted for wanted, _ in one.left.values())) - (now - one.since))
            for one in self.running
            if one.left
        ]
        waiting = [_seconds(self._anew(command.runs)) for command in self.queue]
        return time_of([Estimate(seconds) for seconds in (*begun, *waiting)], self.hardware.jobs)

    def _anew(self, wanted: Any) -> list[Wanted]:
        return [estimated_anew(one, self.history) for one in wanted]

    # --- stopping

    def _ask_to_stop(self, number: int, _: Any) -> None:
        now = time.monotonic()
        if self.ends.signal_number and now - self._asked_at < TWICE_SECONDS:
            return  # make hands on what the terminal has sent
        self.ends.signal_number, self._asked_at = number, now
        for running in self.running:
            _send(running.process, number)

    def _say_stopping(self) -> None:
        """Not in the handler of the signal, which may have come in the middle of a line."""
        if self.ends.signal_number and not self._stopping_said:
            self._stopping_said = True
            self.say("stopping: the runs save their states; a second signal ends them at once")

    @contextmanager
    def _commands_ended(self) -> Iterator[None]:
        """However this ends, no command goes on."""
        try:
            yield
        finally:
            left = [running.process for running in self.running]
            for process in left:
                _send(process, signal.SIGTERM)
            until = time.monotonic() + KILLED_AFTER_SECONDS
            for process in left:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, until - time.monotonic()))
                if process.poll() is None:
                    process.kill()


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        with suppress(OSError):
            process.send_signal(number)


def _seconds(wanted: Sequence[Wanted]) -> float:
    return sum(one.estimate.seconds or 0.0 for one in wanted)


def last_error(log: Path, begins: int, code: int) -> str:
    """The last error that a command printed, in one line; else how it ended."""
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    with log.open("rb") as stream:
        stream.seek(begins)
        lines = [
            line.strip() for line in stream.read().decode("utf-8", "replace").splitlines() if line.strip()
        ]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    said = errors or lines or [f"it ended with code {code} and left no result"]
    return one_line(said[-1])[:SHOWN_CHARS]


def needs(config: Mapping[str, Any]) -> frozenset[str]:
    """What a run cannot do without: `data=tweeteval`, `encoder=bertweet`, `vectors=navec`."""
    used = {"data": True, "encoder": False, "vectors": False}
    if not runs.is_linear(config):
        used["encoder"] = config["model"]["tokenizer"]["kind"] != "words"
        used["vectors"] = config["vectors"]["_target_"] != runs.NO_VECTORS
    return frozenset(f"{group}={config[group]['name']}" for group, is_used in used.items() if is_used)


def lacked(config: Mapping[str, Any], error: str) -> frozenset[str]:
    """What of that an error names, by `data=NAME` and the like, or by a repository."""
    found = set()
    for need in needs(config):
        group, _, _ = need.partition("=")
        words = [need, *_repositories(config[group])]
        found |= {need} if any(_stands_in(word, error) for word in words) else set()
    return frozenset(found)


def _stands_in(word: str, text: str) -> bool:
    return re.search(rf"(?<![\w/.-]){re.escape(word)}(?![\w/-])", text) is not None


def _repositories(options: Any) -> list[str]:
    if isinstance(options, Mapping):
        own = [options["repository"]] if isinstance(options.get("repository"), str) else []
        return own + [name for value in options.values() for name in _repositories(value)]
    if isinstance(options, list):
        return [name for value in options for name in _repositories(value)]
    return []
