"""The processes of one distributed run: how they agree before they train, and end together.

The first process decides (is the run finished? is it held by another? from which state does it go on?) and
tells the others where they meet (`rendezvous`). Each says there that it is ready, or by what error it ended;
so the first can speak for all, and no one waits for a process that is gone.
Lightning joins processes that were started for it, but tells nothing of why one died.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from emoji_pred import rank, rendezvous
from emoji_pred.errors import RunFailed, Stopped, UserError, one_line, stopped_with
from emoji_pred.rendezvous import say_nothing
from emoji_pred.signals import stop_request

PREPARATION = timedelta(minutes=30)  # for the slowest process to have loaded its data
PATIENCE_SECONDS = 5.0  # for the reason why a connection broke
GRACE_SECONDS = 10.0  # for a process that hangs in a transfer to come out by itself
ASKED_EVERY_SECONDS = 0.2
CONTINUES = "the same command continues"


class Peers:
    """The processes of a run, as one of them sees the others; does nothing in a run of one process.

    Attributes:
        count: processes of the run; 1 in a first process that has not started its helpers.
    """

    def __init__(self) -> None:
        self.place = rank.place()
        self.count = self.place.processes or int(os.environ.get("WORLD_SIZE", 1) if self.place.rank else 1)
        self.several_nodes = self.place.processes != self.place.on_node
        self.children: list[subprocess.Popen[bytes]] = []
        self._store: Any = None
        self._over = threading.Event()
        self._watching: threading.Thread | None = None
        self._begun = False
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> Peers:
        if self.count > 1:
            if self.place.rank:
                say_nothing()
            self._keep_environment()
            try:
                self._store = rendezvous.join(self.place, self.count)
            except ConnectionError:
                raise self._first_is_lost() from None
            self._watch()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Tell the others how this process ended; a helper leaves it to the first to speak."""
        self._over.set()
        if error is not None and _of_a_connection(error):
            self._give_reason_first()
        if self._watching is not None:
            self._watching.join(PATIENCE_SECONDS)  # a thread in the midst of C++ would abort the process' end
        try:
            if self._store is not None and self.place.rank == 0:
                self._end_as_first(error)
            elif self._store is not None and error is not None:
                self._end_as_helper(error)
        finally:
            for name, value in self._before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value

    def start(self, devices: int) -> None:
        """In the first process, once it is sure to train: start helpers where no one else does.

        Args:
            devices: processes on this machine.
        """
        if self.place.processes is None:
            self.count = devices
        if self.count == 1:
            return
        if self.place.processes is None:
            self._keep_environment()
            self._store = rendezvous.host()
            self.children = rendezvous.start_helpers(self.count)
            self._watch()
        self._begun = True
        self._set("begins", "yes")

    def wait_for_start(self) -> None:
        """In a helper: wait until the first process is sure to train.

        Raises:
            SystemExit: with 0, if it does not; it has said why.
        """
        self._wait("begins", None)

    def of_first(self, name: str, decide: Callable[[], str]) -> str:
        """What the first process decides, in all of them.

        Args:
            name: of the decision.
            decide: called in the first process only.
        """
        if self.count == 1:
            return decide()
        if self.place.rank == 0:
            self._set(name, decide())
        return self._wait(name, PREPARATION)

    def check_same(self, run: str, directory: Path) -> None:
        """Refuse to train a mixture: all processes must train one run, in one directory.

        Args:
            run: its name, the hash of what determines its numbers.
            directory: where it lies.
        """
        first = self.of_first("run", lambda: run)
        if run != first:
            raise UserError(
                f"process {self.place.rank} was given another configuration (run {run}) than the first "
                f"(run {first}); start all nodes with the same settings"
            )
        if self.several_nodes:
            self._check_shared(directory)

    def _check_shared(self, directory: Path) -> None:
        def left_by_first() -> str:
            with tempfile.NamedTemporaryFile(dir=directory, prefix=".shared-", delete=False) as mark:
                return Path(mark.name).name

        mark = directory / self.of_first("mark", left_by_first)
        try:
            if not mark.exists():
                raise UserError(
                    f"{directory} is another directory here than on the first node; set runs_dir or "
                    "EMOJI_PRED_RUNS to one that all nodes share"
                )
            self.meet("looked")
        finally:
            if self.place.rank == 0:
                mark.unlink(missing_ok=True)

    def meet(self, where: str = "ready") -> None:
        """Wait until all processes are here.

        Raises:
            UserError: one of them ended by a mistake; the first process names it.
            RunFailed: one of them failed, or does not come.
            Stopped: a signal asked one of them to end.
        """
        if self.count == 1:
            return
        self._set(f"{where}/{self.place.rank}", "here")
        for other in range(self.count):
            self._wait(f"{where}/{other}", PREPARATION)

    @contextmanager
    def working(self) -> Iterator[None]:
        """What the processes do together: a process that leaves it by an error has no one to wait for."""
        try:
            yield
        except BaseException:
            self._over.set()  # it may take its time to end: W&B waits for its server
            raise

    def explained(self, error: Exception) -> Exception:
        """The error of a peer behind this process' own: a transfer breaks when the other end dies.

        Raises:
            Stopped: a signal ended the peer.
        """
        if self._store is None or not isinstance(error, RuntimeError):
            return error
        self._give_reason_first()
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            behind = self._loss()
            if isinstance(behind, Stopped):
                raise behind
            if behind is not None:
                return behind
            time.sleep(ASKED_EVERY_SECONDS)
        if _of_a_connection(error):
            return RunFailed(f"another process of the run was lost; {CONTINUES}")
        return error

    # --- telling and asking

    def _set(self, key: str, value: str) -> None:
        self._store.set(key, value)

    def _get(self, key: str) -> str | None:
        """What was told under a key so far; never waits, as the watching thread asks too."""
        return self._store.get(key).decode() if self._store.check([key]) else None

    def _wait(self, key: str, limit: timedelta | None) -> str:
        started = time.monotonic()
        while (value := self._get(key)) is None:
            if stop_request.signal_number:  # put off until what waits here looks at it
                raise Stopped(stop_request.signal_number)
            loss = self._loss() or self._gone()
            if loss is not None:
                raise loss
            if self._first_has_ended():
                raise SystemExit(0)
            if limit is not None and time.monotonic() - started > limit.total_seconds():
                raise RunFailed(
                    f"a process of the run did not come within {limit.seconds // 60} minutes; {CONTINUES}"
                )
            time.sleep(ASKED_EVERY_SECONDS / 4)
        return value

    def _first_has_ended(self) -> bool:
        return self.place.rank != 0 and self._get("ended/0") is not None

    def _loss(self) -> Exception | Stopped | None:
        """Why a helper ended before the first process did, seen from the first; None: none has."""
        if self.place.rank != 0:
            return None
        for number in range(1, self.count):
            told = self._get(f"ended/{number}")
            if told is not None:
                return _as_told(told, number)
        for number, child in enumerate(self.children, 1):
            code = child.poll()
            if code:
                stopped = stopped_with(code)
                if stopped is not None:
                    return stopped
                how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
                return RunFailed(f"process {number} of the run {how}; {CONTINUES}")
        return None

    def _gone(self) -> Exception | None:
        """A helper that ended without a word, while the first process waits for it."""
        for number, child in enumerate(self.children, 1):
            if child.poll() is not None and self._get(f"ended/{number}") is None:
                return RunFailed(f"process {number} of the run ended before it had trained; {CONTINUES}")
        return None

    # --- ending

    def _give_reason_first(self) -> None:
        """Outlive the SIGTERM by which torchrun ends what is left of a run."""
        if self.place.processes:
            with suppress(ValueError):  # not in the main thread
                signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def _keep_environment(self) -> None:
        self._before = {name: os.environ.get(name) for name in rendezvous.VARIABLES}

    def _watch(self) -> None:
        self._watching = threading.Thread(target=self._look_out, daemon=True, name="peers")
        self._watching.start()

    def _look_out(self) -> None:
        """End a process that waits for one that is gone: a GPU's transfers would wait much longer."""
        while not self._over.wait(ASKED_EVERY_SECONDS):
            code, message = 1, None
            try:
                loss = self._loss()
                if isinstance(loss, Stopped):
                    code = 128 + loss.signal_number
                    message = f"stopped by {signal.Signals(loss.signal_number).name}; {CONTINUES}"
                elif loss is not None:
                    message = f"error: {loss}"
                elif self._first_has_ended():
                    code = 0
                else:
                    continue
            except RuntimeError:
                lost = "the first process of the run" if self.place.rank else self.place.starter
                message = f"error: {lost} was lost; {CONTINUES}"
            if not self._over.wait(GRACE_SECONDS):
                if message is not None and (self.place.rank == 0 or self._speaks_for_helpers()):
                    print(message, file=sys.__stderr__, flush=True)
                self._kill_children()
                os._exit(code)

    def _speaks_for_helpers(self) -> bool:
        return self.place.rank == 1 or (self.place.starter == "torchrun" and self.place.local_rank == 0)

    def _end_as_first(self, error: BaseException | None) -> None:
        """Let the helpers go; after an error they end at once, as no one needs what they do."""
        with suppress(RuntimeError):  # the store of torchrun ends with it
            self._set("ended/0", "")
            if error is not None and not isinstance(error, Stopped):
                self._kill_children()
            if self.place.processes and (error is not None or not self._begun):
                self._wait_for_helpers()
        for child in self.children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(PATIENCE_SECONDS)
        self._kill_children()

    def _wait_for_helpers(self) -> None:
        """Keep the store open until they have heard: it may end with this process."""
        until = time.monotonic() + PATIENCE_SECONDS
        keys = [f"heard/{number}" for number in range(1, self.count)]
        while time.monotonic() < until and not self._store.check(keys):
            time.sleep(ASKED_EVERY_SECONDS)

    def _kill_children(self) -> None:
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()

    def _end_as_helper(self, error: BaseException) -> None:
        """Leave the message to the first process, unless that is gone.

        Raises:
            SystemExit: with 0 if the first process tells, as its exit code counts; else with 1.
        """
        if isinstance(error, SystemExit | Stopped | KeyboardInterrupt):
            with suppress(RuntimeError):
                if isinstance(error, Stopped):
                    self._set(f"ended/{self.place.rank}", json.dumps(["stopped", error.signal_number]))
                self._set(f"heard/{self.place.rank}", "")
            return
        try:
            if isinstance(error, RunFailed | UserError):
                told = str(error)
            else:
                told = one_line(f"{type(error).__name__}: {error}")[:300]
            if not self._first_hears(PATIENCE_SECONDS if isinstance(error, RuntimeError) else 0):
                kind = "mistake" if isinstance(error, UserError) else "failed"
                self._set(f"ended/{self.place.rank}", json.dumps([kind, told]))
                if not self._first_hears(PATIENCE_SECONDS):
                    # The store of torchrun outlives the first process.
                    raise self._first_is_lost() if _of_a_connection(error) else SystemExit(1)
            self._set(f"heard/{self.place.rank}", "")
        except RuntimeError:
            raise self._first_is_lost() from None
        raise SystemExit(0)

    def _first_is_lost(self) -> SystemExit:
        """How a helper ends then; one of them says why."""
        if self._speaks_for_helpers():
            message = f"error: the first process of the run was lost; {CONTINUES}"
            print(message, file=sys.__stderr__, flush=True)
        return SystemExit(1)

    def _first_hears(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self._first_has_ended():
            if time.monotonic() >= until:
                return False
            time.sleep(ASKED_EVERY_SECONDS)
        return True


def _as_told(told: str, number: int) -> Exception | Stopped:
    """What a helper told of its end."""
    kind, what = json.loads(told)
    if kind == "stopped":
        return Stopped(what)
    return (UserError if kind == "mistake" else RunFailed)(f"{what} (in process {number} of the run)")


def _of_a_connection(error: BaseException) -> bool:
    """Whether it tells that the other end of a transfer is gone, rather than of a mistake here."""
    words = ("Connection closed", "Connection reset", "Broken pipe", "imed out", "onnection refused")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
