"""Whole commands as a user would type them, and finished runs in the places of others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from emoji_pred import runs
from experiments.bench.settings import REPOSITORY


def run_command(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[str, float]:
    """Run a command from the root of the checkout: what it printed, and seconds.

    Args:
        command: the program and its words.
        environment: what is set beside this process's own variables.

    Raises:
        RuntimeError: it ended with another code than 0.
    """
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, **(environment or {})}, capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with code {done.returncode}: {done.stderr[-500:]}")
    return done.stdout, seconds


def copy_run(source: Path, target: Path, seed: int) -> None:
    """Copy a finished run to where that of another seed would lie, named for it."""
    shutil.copytree(source, target)
    result = json.loads((target / runs.RESULT).read_text(encoding="utf-8"))
    result |= {"run": target.name, "config": {**result["config"], "seed": seed}}
    (target / runs.RESULT).write_text(json.dumps(result), encoding="utf-8")
