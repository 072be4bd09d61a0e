"""Find a finished run by its directory or its name, or say in one line why there is none."""

from __future__ import annotations

import json
import os
import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from emoji_pred import runs
from emoji_pred.errors import UserError, did_you_mean


def add_runs_dir(parser: ArgumentParser) -> None:
    """Give a command the option that says where the runs lie."""
    default = Path(os.environ.get("EMOJI_PRED_RUNS", "runs"))
    parser.add_argument("--runs-dir", type=Path, default=default, help="where the runs lie")


def run_directories(runs_dir: Path) -> list[Path]:
    """The directories of all runs, finished or not, by name.

    Raises:
        UserError: there is no such directory.
    """
    if not runs_dir.is_dir():
        raise UserError(f"{runs_dir} is no directory; set --runs-dir or EMOJI_PRED_RUNS")
    return [
        path
        for path in sorted(runs_dir.iterdir())
        if re.fullmatch(r"[0-9a-f]{12}", path.name) and path.is_dir()
    ]


def one_run(runs_dir: Path, start: str) -> str:
    """The name of the only run in `runs_dir` that begins with `start`.

    Raises:
        UserError: there is none, or more than one.
    """
    names = [directory.name for directory in run_directories(runs_dir)]
    fitting = [name for name in names if name.startswith(start)]
    if len(fitting) != 1:
        hint = f": {', '.join(fitting[:5])}" if fitting else did_you_mean(start, names)
        raise UserError(f"{start} is the beginning of {len(fitting)} runs in {runs_dir}{hint}")
    return fitting[0]


def find_run(runs_dir: Path, named: str) -> Path:
    """The directory that a user names: by its path, or by a run's name or the beginning of one.

    Raises:
        UserError: nothing is found, or more than one run.
    """
    path = Path(named).expanduser()
    is_name = re.fullmatch(r"[0-9a-f]{1,12}", named) is not None
    if is_name and runs_dir.is_dir() and any(run.name.startswith(named) for run in run_directories(runs_dir)):
        return runs_dir / one_run(runs_dir, named)
    if path.is_dir():
        return path
    if path.is_file():
        raise UserError(f"{named} is a file; name the directory of the run: {path.parent}")
    if is_name:
        return runs_dir / one_run(runs_dir, named)  # says what there is
    raise UserError(
        f"{named} is neither a directory nor the name of a run in {runs_dir}; "
        "`python -m emoji_pred runs list` shows the runs, --runs-dir looks elsewhere"
    )


def state_of(directory: Path) -> dict[str, str]:
    """What the files of a run that has no result say of it: its `status`, and the `error` of a failed one."""
    failure = runs.read_failure(directory)
    if failure is not None:
        return {"status": "failed", "error": failure}
    if (directory / runs.PRUNED).is_file():
        return {"status": "pruned"}
    return {"status": "interrupted" if list(directory.glob("state-*.ckpt")) else "unfinished"}


def read_result(directory: Path) -> dict[str, Any]:
    """The result of a finished run whose files are those that it names.

    Raises:
        UserError: the run failed, is not finished, or a file of it is damaged.
    """
    result = runs.read_finished(directory)
    if result is None:
        raise UserError(f"{directory} {_why_not(directory)}")
    return result


def _why_not(directory: Path) -> str:
    if not (directory / runs.RESULT).is_file():
        state = state_of(directory)
        return {
            "failed": f"is a run that failed ({state.get('error')}); its command tries it again",
            "pruned": "is a trial that a search ended early; it has no checkpoint",
            "interrupted": "is not finished: still trained, or interrupted; its command continues it",
            "unfinished": f"holds no finished run: there is no {runs.RESULT}",
        }[state["status"]]
    again = "train it again, or copy the directory again"
    try:
        result = json.loads((directory / runs.RESULT).read_text(encoding="utf-8"))
        if result["schema"] != runs.RESULT_SCHEMA:
            return f"was written by another version (schema {result['schema']}); train it again"
        for name, digest in result["files"].items():
            if not (directory / name).is_file():
                return f"is damaged: {name} is missing; {again}"
            if runs.file_digest(directory / name) != digest:
                return f"is damaged: {name} is not the file that {runs.RESULT} names; {again}"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return f"is damaged: {runs.RESULT} is no result of a run; {again}"
