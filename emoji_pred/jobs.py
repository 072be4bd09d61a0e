"""One run of a sweep: what the sweep knows of it, and what the process that trains it is told."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoji_pred import runs
from emoji_pred.errors import FAILED, MISTAKE
from emoji_pred.process import LABEL
from emoji_pred.summary import shared_overrides

# Told to the processes of the runs: the sweep's name, its process, how many runs are launched, and the
# overrides that all of them share.
NAME, PROCESS = "EMOJI_PRED_SWEEP", "EMOJI_PRED_SWEEP_PROCESS"
RUNS, SHARED = "EMOJI_PRED_SWEEP_RUNS", "EMOJI_PRED_SWEEP_SHARED"
SHOWN_SECONDS = 60.0  # after which a network file system shows what another machine wrote


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

    def end(self, ended: Ended, until: float) -> None:
        """Take up how its process ended.

        Args:
            ended: as the process told it.
            until: monotonic seconds to which its result is looked for: another machine may have written it,
                and a network file system shows that some seconds later.
        """
        if ended.status == "failed":
            self.error, self.code = ended.error, ended.code
        if ended.status != "finished":
            return
        self.look()
        while self.waits and time.monotonic() < until:
            time.sleep(1)
            self.look()
        if self.waits:
            self.code = MISTAKE
            self.error = (
                f"its process finished it, but {self.directory} holds no result; set runs_dir to the "
                "absolute path of a directory that all machines share"
            )

    def look(self) -> None:
        """Take up a result or a failure since the sweep began, and none that `force=true` is to replace."""
        assert self.directory is not None
        result, failure = ends_of(self.directory)
        if result is not None and result not in self.before:
            self.result = runs.read_finished(self.directory)
        elif failure is not None and failure not in self.before:
            self.error, self.code = runs.read_failure(self.directory), FAILED

    def has_ended(self) -> bool:
        """Whether it was finished or failed since the sweep began."""
        return any(now is not None and now not in self.before for now in ends_of(self.directory))

    def row(self) -> dict[str, Any]:
        """For the table at the end."""
        job = self.same_as or self
        if job.result is None:
            return {"status": "failed", "error": job.error, "overrides": self.overrides}
        return {**job.result, "overrides": self.overrides, "directory": str(job.directory)}


def ends_of(directory: Path | None) -> tuple[tuple[int, int] | None, ...]:
    """What tells that a run of a directory has ended: its result, and its failure."""
    return tuple(_stamp(directory / name) if directory else None for name in (runs.RESULT, runs.FAILURE))


def _stamp(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        status = path.stat()
        return status.st_ino, status.st_mtime_ns
    return None


def tell_processes(name: str, all_overrides: Sequence[Sequence[str]], launched: int) -> None:
    """Tell the processes of the runs of their sweep; they inherit this one's environment."""
    os.environ |= {NAME: name, PROCESS: _own_mark(), RUNS: str(launched)}
    os.environ[SHARED] = json.dumps(sorted(shared_overrides(all_overrides)))


def forget_processes() -> None:
    """Take back what `tell_processes` said."""
    for name in (NAME, PROCESS, RUNS, SHARED):
        os.environ.pop(name, None)


def announcement(number: int, overrides: Sequence[str]) -> str:
    """What a run of a sweep says when it begins: its place, and the overrides that set it apart."""
    shared = set(json.loads(os.environ.get(SHARED, "[]")))
    typed = [text for text in overrides if not (is_worker() and text.startswith("runs_dir="))]
    own = " ".join(text for text in typed if text not in shared)
    if is_worker():
        os.environ[LABEL] = f"run {number}: "
    return f"run {number} of {os.environ.get(RUNS, '?')}: {own or ' '.join(typed)}"


def is_worker() -> bool:
    """Whether this process was started by the launcher of a sweep."""
    return os.environ.get(PROCESS, _own_mark()) != _own_mark()


def _own_mark() -> str:
    """What tells the process of a sweep from those that a launcher starts."""
    return f"{socket.gethostname()}:{os.getpid()}"
