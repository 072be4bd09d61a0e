"""The environment is set before torch is loaded, and the user's own settings win."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

from emoji_pred import runs
from emoji_pred.__main__ import COMMANDS
from emoji_pred.process import prepare_process


def test_the_users_own_settings_stay() -> None:
    environment = {"OMP_WAIT_POLICY": "active", "HOME": "somewhere"}
    prepare_process(environment)
    assert environment == {"OMP_WAIT_POLICY": "active", "HOME": "somewhere", "THP_MEM_ALLOC_ENABLE": "1"}
    environment = {"GOMP_SPINCOUNT": "7", "THP_MEM_ALLOC_ENABLE": "0"}
    prepare_process(environment)
    assert environment == {"GOMP_SPINCOUNT": "7", "THP_MEM_ALLOC_ENABLE": "0"}


@pytest.mark.parametrize("imported", ["emoji_pred.cli", "experiments.bench"])
def test_an_entry_sets_them_before_torch_is_loaded(imported: str) -> None:
    code = (
        f"import sys, {imported} as entry\n"
        "assert 'torch' not in sys.modules\n"
        "sys.argv = ['train.py', '--version']\n"
        "try:\n    getattr(entry, 'main', lambda: None)()\nexcept SystemExit:\n    pass\n"
        "import os\nassert os.environ['THP_MEM_ALLOC_ENABLE'] == '1'\n"
        "assert os.environ['GOMP_SPINCOUNT'] == '10000'"
    )
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "THP_MEM_ALLOC_ENABLE")
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=inherited, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def cut(*arguments: str, of: str = "stdout", environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command with one of its outputs closed at the other end: its code, and what else it said."""
    read, write = os.pipe()
    os.close(read)
    streams: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, of: write}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **(environment or {})},
        text=True,
        timeout=60,
        **streams,  # type: ignore[call-overload]
    )
    os.close(write)
    return done.returncode, (done.stderr if of == "stdout" else done.stdout)


def some_runs(place: Path, number: int = 3) -> list[str]:
    """Runs that failed, and the command that lists them."""
    for name in "abcdef"[:number]:
        (place / (name * 12)).mkdir(parents=True)
        runs.write_failure(place / (name * 12), ZeroDivisionError("a bug"), "trace", ["seed=7"])
    return ["-m", "emoji_pred", "runs", "--runs-dir", str(place)]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("action", [["list", "--json"], ["list"], ["prune", "--where", "status=failed"]])
def test_a_command_ends_quietly_where_nobody_reads(
    tmp_path: Path, action: list[str], unbuffered: str
) -> None:
    command = [*some_runs(tmp_path / "runs"), *action]
    assert cut(*command, environment={"PYTHONUNBUFFERED": unbuffered}) == (141, "")
    whole = subprocess.run([sys.executable, *command], cwd=REPOSITORY, capture_output=True, text=True)
    assert whole.returncode == 0 and "failed" in whole.stdout


def test_what_a_reader_took_stands_and_other_tools_end_with_the_same_code(tmp_path: Path) -> None:
    place = tmp_path / "runs"
    (command, name) = some_runs(place), "a" * 12
    for number in range(1500):  # more than a pipe holds
        (place / f"{number:012}").mkdir()
        (place / f"{number:012}" / runs.FAILURE).write_bytes((place / name / runs.FAILURE).read_bytes())
    shown = " ".join([sys.executable, *command, "list", "--json"])
    script = f"{shown} | head -n 1; echo ${{PIPESTATUS[0]}}; yes | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    first, code, _, code_of_yes = done.stdout.splitlines()
    assert json.loads(first)["status"] == "failed" and done.stderr == ""
    assert code == code_of_yes


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_may_be_cut(command: str) -> None:
    buffered = {"PYTHONUNBUFFERED": ""}  # else argparse is told of the broken pipe, and passes over it
    assert cut("-m", "emoji_pred", command, "--help", environment=buffered) == (141, "")


def test_a_mistake_that_nobody_reads_of_ends_quietly_too() -> None:
    assert cut("-m", "emoji_pred", "runs", "--runs-dir", "/no/such/place", "list", of="stderr") == (141, "")


def test_a_pipe_that_breaks_elsewhere_is_an_error() -> None:
    code = (
        "import os; from emoji_pred.process import output_may_be_cut\n"
        "read, write = os.pipe(); os.close(read)\n"
        "with output_may_be_cut():\n    os.write(write, b'x')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1 and "BrokenPipeError" in done.stderr


def test_a_command_without_any_output_works(tmp_path: Path) -> None:
    command = " ".join([sys.executable, *some_runs(tmp_path / "runs"), "list", "--json"])
    done = subprocess.run(["bash", "-c", f"{command} >&-"], cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
