"""A run in a process of its own: how it ends, and signals, are passed on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import REPOSITORY

from emoji_pred.errors import RunFailed, Stopped, UserError
from emoji_pred.own_process import in_own_processes, train_in_own_process


def script(tmp_path: Path, code: str) -> Path:
    path = tmp_path / "script.py"
    path.write_text(f"import os, signal, sys, time\n{code}\n")
    return path


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("print('error: x is wrong', file=sys.stderr); sys.exit(2)", UserError, "x is wrong"),
        ("print('error: y broke; trace: z', file=sys.stderr); sys.exit(1)", RunFailed, "y broke; trace: z"),
        ("os.kill(os.getpid(), signal.SIGKILL)", RunFailed, "ended with code -9"),
        ("sys.exit(143)", Stopped, "15"),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", Stopped, "15"),
    ],
)
def test_how_it_ends_is_passed_on(
    tmp_path: Path, code: str, error: type[BaseException], message: str
) -> None:
    with pytest.raises(error, match=message):
        train_in_own_process(script(tmp_path, code), [])


def test_several_run_side_by_side_and_each_end_is_told(tmp_path: Path) -> None:
    # Each waits for the other: one after the other they would never end.
    code = (
        f"here = {str(tmp_path)!r}\n"
        "open(f'{here}/{sys.argv[1]}', 'w').close()\n"
        "while not os.path.exists(f'{here}/{sys.argv[2]}'):\n    time.sleep(0.02)\n"
        "sys.exit(int(sys.argv[3]))"
    )
    ends = in_own_processes(script(tmp_path, code), [["a", "b", "0"], ["b", "a", "2"]])
    assert ends[0] is None
    assert isinstance(ends[1], UserError)


def test_warnings_are_shown_and_overrides_handed_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train_in_own_process(script(tmp_path, "print(sys.argv[1:], file=sys.stderr)"), ["a=1", "b={c: d}"])
    assert capfd.readouterr().err == "['a=1', 'b={c: d}']\n"


def test_a_signal_reaches_it_once(tmp_path: Path) -> None:
    code = (
        "got = []\n"
        "signal.signal(signal.SIGINT, lambda *_: got.append(1))\n"
        f"open({str(tmp_path / 'ready')!r}, 'w').close()\n"
        "time.sleep(1.5)\nsys.exit(130 if len(got) == 1 else 5)"
    )

    def interrupt() -> None:
        while not (tmp_path / "ready").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Stopped):
        train_in_own_process(script(tmp_path, code), [])
    thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_it_is_asked_to_stop_when_its_parent_is_killed(tmp_path: Path) -> None:
    stopped, ready = str(tmp_path / "stopped"), str(tmp_path / "ready")
    code = (
        "def stop(*_):\n"
        f"    open({stopped!r}, 'w').close()\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        f"open({ready!r}, 'w').close()\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path\n"
            "from emoji_pred.own_process import train_in_own_process as train\n"
            "train(Path(sys.argv[1]), [])",
            str(script(tmp_path, code)),
        ],
        cwd=REPOSITORY,
    )
    until = time.monotonic() + 30
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    while not (tmp_path / "stopped").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
