"""A run of a sweep in a process of its own, for runs on several devices.

Lightning starts one helper process for each further device by running the command line again. Inside a sweep
each of them would start the whole sweep; so there the run is given a command line that is its own.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from emoji_pred.errors import MISTAKE, STOP_SIGNALS, RunFailed, Stopped, UserError

PARENT_DEATH = 1  # prctl(2): PR_SET_PDEATHSIG
TOLD_BY_PARENT = ("error: ", "stopped by ")  # in its own words


def train_in_own_process(script: Path, overrides: Sequence[str]) -> None:
    """Run `script` with the overrides of one run, and pass on how it ends.

    Signals go to it alone, so that it saves its state once; if this process is killed, it is asked to stop.

    Args:
        script: `train.py`.
        overrides: of the run, as a user would type them.

    Raises:
        UserError: it ended with a user's mistake; the message is its own.
        RunFailed: it failed.
        Stopped: it was stopped by a signal.
    """
    running = subprocess.Popen(
        [sys.executable, str(script), *overrides],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C in a terminal would reach its helpers too
        preexec_fn=_stop_with_parent if sys.platform == "linux" else None,
    )

    def forward(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            running.send_signal(number)

    before = {}
    try:
        for number in STOP_SIGNALS:
            with suppress(ValueError):  # not in the main thread
                before[number] = signal.signal(number, forward)
        lines = []
        assert running.stderr is not None
        for line in running.stderr:
            lines.append(line.rstrip())
            if not line.startswith(TOLD_BY_PARENT):
                sys.stderr.write(line)
        code = running.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if running.poll() is None:
            running.kill()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if code - 128 in STOP_SIGNALS:
        raise Stopped(code - 128)
    if code == MISTAKE:
        raise UserError(errors[0] if errors else "the run ended with a mistake that it did not name")
    if code:
        raise RunFailed(errors[0] if errors else f"the process of the run ended with code {code}")


def _stop_with_parent() -> None:
    """In the new process: SIGTERM when the parent dies, however it dies."""
    ctypes.CDLL(None).prctl(PARENT_DEATH, signal.SIGTERM)
