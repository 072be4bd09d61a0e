"""The runs of a published table: started as a user would, found by name, kept in `results/`."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments.compose import compose_config

ROOT = Path(__file__).resolve().parents[1]

NOT_RUN = "not run"
Keep = Callable[[dict[str, Any], Path, Path], None]


def parser_of(description: str | None, *actions: str) -> argparse.ArgumentParser:
    """The command line of a table: what to do, where the runs lie, which of them, how many threads."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=actions)
    default = Path(os.environ.get("EMOJI_PRED_RUNS", ROOT / "runs"))
    parser.add_argument("--runs-dir", type=Path, default=default, help="where train.py leaves its runs")
    parser.add_argument("--only", help="only the runs of this choice, as model=cnn")
    parser.add_argument("--threads", type=int, help="torch threads of each run")
    return parser


@contextlib.contextmanager
def mistakes_in_one_line() -> Iterator[None]:
    """End the command with one line where a user can mend what is wrong."""
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}")


def run_names(typed: Sequence[str]) -> list[str]:
    """The names that `train.py` gives to the runs of a sweep over seeds, in their order.

    Args:
        typed: the words of the command, `train.py -m ... seed=0,1,2`.
    """
    return list(_names(tuple(typed)))


@functools.cache
def _names(typed: tuple[str, ...]) -> tuple[str, ...]:
    """Composed once: a report asks for the same commands again."""
    _, _, *overrides = typed
    seeds = next(word for word in overrides if word.startswith("seed="))
    shared = [word for word in overrides if word != seeds]
    configs = [compose_config([*shared, f"seed={seed}"]) for seed in seeds.removeprefix("seed=").split(",")]
    return tuple(runs.run_hash(runs.identity(config, {})) for config in configs)


def kept_results(
    runs_dir: Path, results: Path, names: Sequence[str], keep: Keep | None = None
) -> list[dict[str, Any]]:
    """The kept results of those runs that have one, copied from `runs_dir` if they finished there.

    A run counts only if its name is the hash of what a table's command would train today: a result of other
    settings, or of settings that have changed since, is never shown.

    Args:
        runs_dir: where `train.py` leaves its runs.
        results: the directory that keeps `<name>/result.json`.
        names: of the runs.
        keep: called with result, run and target for what else is to be kept of a run.
    """
    found = []
    for name in names:
        finished = runs.read_finished(runs_dir / name)
        if finished:
            target = results / name
            target.mkdir(parents=True, exist_ok=True)
            if keep is not None:
                keep(finished, runs_dir / name, target)
            runs.write_json(target / runs.RESULT, finished)
        if (results / name / runs.RESULT).is_file():
            found.append(json.loads((results / name / runs.RESULT).read_text(encoding="utf-8")))
    return found


def seeds_without(seeds: Sequence[int], results: Sequence[dict[str, Any]]) -> list[int]:
    """The seeds that no result has."""
    kept = {result["config"]["seed"] for result in results}
    return [seed for seed in seeds if seed not in kept]


def start(commands: Sequence[Sequence[str]], runs_dir: Path, threads: int | None) -> None:
    """Run commands of `train.py` one after the other.

    Raises:
        UserError: a command failed; the others ran nevertheless.
    """
    failed = 0
    extra = [f"runs_dir={runs_dir}", *([f"trainer.threads={threads}"] if threads else [])]
    for typed in commands:
        print("$ python", *typed, flush=True)
        failed += subprocess.run([sys.executable, *typed, *extra], cwd=ROOT, check=False).returncode != 0
    if failed:
        raise UserError(f"{failed} command(s) failed, see above; the same command again runs what is missing")


def put_between_marks(page: Path, marks: tuple[str, str], table: str) -> None:
    """Put a table in the place of what stands between two marks of a page.

    Raises:
        UserError: the marks are not there.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise UserError(f"{page.name} has no place for the table; put back {marks[0]} and {marks[1]}")
    page.write_text(f"{before}{begin}\n{table}\n{end}{after}", encoding="utf-8")


def commands_section(measured: Iterable[str], full: Iterable[str], lacking: str) -> str:
    """What was typed for a page, and what the paper's own experiments would be.

    Args:
        measured: commands without `python`.
        full: whole commands, that were not run.
        lacking: what they need that could not be fetched.
    """
    lines = [
        "## Commands",
        "",
        "What was measured:",
        "",
        "```",
        *(f"python {typed}" for typed in measured),
        "```",
    ]
    lines += ["", f"The paper's own experiments, on {lacking}: **{NOT_RUN}** (no network to fetch them).", ""]
    return "\n".join([*lines, "```", *dict.fromkeys(full), "```"])


def machines_line(results: Iterable[Mapping[str, Any]]) -> str:
    """The machines of the runs of a page, in general terms."""
    machines = {
        f"{machine['system']}, {machine['cores']} cores, {machine['device']}"
        for machine in (result["provenance"]["machine"] for result in results)
    }
    return f"Machine: {'; '.join(sorted(machines))}. Runs shared it, so minutes are no benchmark."


def revision(result: Mapping[str, Any]) -> str:
    """The commit that a run was trained by, in short; whether the checkout had changes."""
    code = result["provenance"]["code"]
    return (code["commit"] or "unknown")[:9] + (" + changes" if code["dirty"] else "")


def best_epoch(result: Mapping[str, Any]) -> str:
    """`3 of 5`; a dash for a model that has no epochs."""
    return f"{result['best_epoch'] + 1} of {len(result['curves'])}" if result["curves"] else "–"


def mean_and_spread(values: Sequence[float], digits: int = 3) -> str:
    """`0.241 ± 0.004`: mean and standard deviation over seeds; one value stands alone."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"
