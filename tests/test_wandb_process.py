"""The process that talks to W&B: it ends when it should, and takes W&B's service with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import REPOSITORY
from wandb_file import offline_runs

from emoji_pred.side_process import SideProcess

PATIENCE = 120.0


def test_wandbs_process_ignores_signals_and_ends_with_its_input(logged_out: Path, tmp_path: Path) -> None:
    """The run was killed: nothing more comes, not even a word of the end."""
    process = SideProcess("emoji_pred.wandb_process")
    arguments = {"project": "p", "id": "x", "dir": str(tmp_path)}
    process.send({"mode": "offline", "timeout": 60.0, "pid": os.getpid(), "arguments": arguments})
    process.send({"epoch": 0, "values": {"epoch": 0, "step": 7, "val/loss": 0.5}})
    heard, until = [], time.monotonic() + PATIENCE
    while not heard:
        assert time.monotonic() < until
        heard = process.heard()
        time.sleep(0.02)
    assert process._process is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        process._process.send_signal(number)
    assert {"done": True} in process.close(lambda _: PATIENCE)
    (run,) = offline_runs(tmp_path)
    assert run.exit_code == 1
    assert run.epochs == [{"epoch": 0, "step": 7, "val/loss": 0.5}]


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_at_the_very_end_nothing_is_left_behind() -> None:
    """A service that waits for its server would stay for days."""
    code = (
        "import subprocess, sys\n"
        "from emoji_pred.wandb_process import _end_now\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "_end_now()"
    )
    # The output ends only when the child, which writes to it too, has ended.
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert int(done.stdout) > 0
