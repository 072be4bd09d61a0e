"""`python -m emoji_pred runs`: list, compare and remove the runs of a directory, from their files alone."""

from __future__ import annotations

import argparse
import json
import operator
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred import multilabel_metrics, runs
from emoji_pred.decision import Decision, decision_of
from emoji_pred.errors import UserError, mistakes_told
from emoji_pred.finished import add_runs_dir, one_run, read_result, run_directories, state_of
from emoji_pred.lease import held

RESAMPLES = 1000
COMPARED = ("macro_f1", "accuracy")
# The longer operators first: `>=` is no `>`.
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    **{"!=": operator.ne, ">=": operator.ge, "<=": operator.le},
    **{"=": operator.eq, ">": operator.gt, "<": operator.lt},
}
COLUMNS = {
    **{"run": "run", "status": "status", "model": "model.name", "data": "data.name", "clean": "data.clean"},
    **{"loss": "loss.name", "alpha": "alpha.name", "seed": "seed"},
    **{"validation macro F1": "validation.macro_f1", "test macro F1": "test.macro_f1"},
    "seconds": "wall_seconds",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends with code 2 and one line for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m emoji_pred runs", description=__doc__)
    add_runs_dir(parser)
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="one line a run")
    pruning = actions.add_parser("prune", help="remove the runs that fit every --where")
    for action in (listing, pruning):
        action.add_argument(
            "--where",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="such as model.name=cnn, test.macro_f1>0.2, status=failed; may be given again",
        )
    listing.add_argument("--sort", metavar="KEY", help="largest first, such as test.macro_f1")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    pruning.add_argument("--yes", action="store_true", help="remove; without it, only say what would go")
    comparing = actions.add_parser("compare", help="two runs: what differs, and how surely")
    comparing.add_argument("runs", nargs=2, metavar="RUN", help="the first digits of a run's name")
    options = parser.parse_args(arguments)
    with mistakes_told():
        if options.action == "list":
            _list(options.runs_dir, options.where, options.sort, options.json)
        elif options.action == "prune":
            _prune(options.runs_dir, options.where, options.yes)
        else:
            _compare(options.runs_dir, *options.runs)


def read_runs(runs_dir: Path) -> list[dict[str, Any]]:
    """What each run's directory says of it: its result, its failure, or that it was pruned or interrupted.

    Raises:
        UserError: there is no such directory.
    """
    found = []
    for directory in run_directories(runs_dir):
        run = _read_result(directory)
        found.append({"run": directory.name, **state_of(directory)} if run is None else run)
    return found


def _read_result(directory: Path) -> dict[str, Any] | None:
    """The result as it stands; the digests of the files beside it are not checked for a list."""
    try:
        result: dict[str, Any] = json.loads((directory / runs.RESULT).read_text(encoding="utf-8"))
        return result if result["status"] and result["run"] == directory.name else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def value_of(run: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key of the result (`test.macro_f1`), or of its configuration (`loss.gamma`)."""
    for root in (run, run.get("config") or {}):
        value: Any = root
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None and not isinstance(value, Mapping):
            return value
    return None


def fits(run: Mapping[str, Any], conditions: Sequence[str]) -> bool:
    """Whether a run has every value asked for; a run without the key does not.

    Raises:
        UserError: a condition without an operator.
    """
    return all(_fits(run, condition) for condition in conditions)


def _fits(run: Mapping[str, Any], condition: str) -> bool:
    for sign, holds in OPERATORS.items():
        key, found, wanted = condition.partition(sign)
        if found:
            value = value_of(run, key.strip())
            try:
                expected = json.loads(wanted)
            except ValueError:
                expected = wanted.strip()
            try:
                return value is not None and holds(value, expected)
            except TypeError:  # a word is neither more nor less than a number
                return False
    raise UserError(f"--where {condition}: write KEY=VALUE, with one of {' '.join(OPERATORS)}")


def paired_bootstrap(
    targets: np.ndarray, first: np.ndarray, second: np.ndarray, classes: int, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Differences second - first of macro F1 and accuracy with their 95 % intervals over resampled rows.

    The rows are drawn with replacement, the same for both (Efron and Tibshirani 1993); an interval without
    zero means that the difference is more than the choice of the test rows.

    Args:
        targets: (N,) true classes.
        first: (N,) predicted by one run.
        second: (N,) predicted by the other.
        classes: C.
        seed: of the draws.

    Returns:
        Metric -> (difference, lower, upper).
    """
    rng = np.random.default_rng(seed)
    cells = [targets * classes + predicted for predicted in (first, second)]
    rows = len(targets)
    draws = [np.ones(rows)] + [
        np.bincount(rng.integers(rows, size=rows), minlength=rows).astype(float) for _ in range(RESAMPLES)
    ]
    figures: dict[str, list[float]] = {name: [] for name in COMPARED}
    for weights in draws:
        scores = []
        for cell in cells:
            counts = np.bincount(cell, weights, classes**2).reshape(classes, classes)
            hits, wanted, given = counts.diagonal(), counts.sum(1), counts.sum(0)
            scores.append(((2 * hits / np.maximum(wanted + given, 1)).mean(), hits.sum() / rows))
        for name, one, other in zip(COMPARED, *scores, strict=True):
            figures[name].append(float(other - one))
    found = {}
    for name, values in figures.items():
        lower, upper = np.quantile(values[1:], (0.025, 0.975))
        found[name] = (values[0], float(lower), float(upper))
    return found


def _list(runs_dir: Path, where: Sequence[str], sort: str | None, as_json: bool) -> None:
    chosen = [run for run in read_runs(runs_dir) if fits(run, where)]
    if sort is not None:
        known = [run for run in chosen if isinstance(value_of(run, sort), int | float)]
        if not known and chosen:
            raise UserError(f"--sort {sort}: no run has such a number")
        rest = [run for run in chosen if run not in known]
        chosen = sorted(known, key=lambda run: -value_of(run, sort)) + rest
    if as_json:
        for run in chosen:
            print(json.dumps({name: value_of(run, key) for name, key in COLUMNS.items()}, ensure_ascii=False))
        return
    rows = [[_shown(value_of(run, key)) for key in COLUMNS.values()] for run in chosen]
    _print_table(list(COLUMNS), rows)
    print(f"{len(chosen)} run(s) in {runs_dir}")


def _intervals(
    stored: Sequence[runs.SplitPredictions], decisions: Sequence[Decision]
) -> dict[str, tuple[float, float, float]]:
    """Differences of two runs with their intervals; none where they are not of the same rows and labels."""
    (ids, targets, one), (other_ids, other_targets, other) = stored
    if ids != other_ids or not np.array_equal(targets, other_targets):
        return {}
    if targets.ndim == 1:
        return paired_bootstrap(targets, one.argmax(1), other.argmax(1), one.shape[1])
    first, second = decisions[0].labels(one), decisions[1].labels(other)
    return multilabel_metrics.paired_bootstrap(targets, first, second, RESAMPLES)


def _compare(runs_dir: Path, first: str, second: str) -> None:
    names = [one_run(runs_dir, start) for start in (first, second)]
    results = [read_result(runs_dir / name) for name in names]
    flat = [_flat(result["config"]) for result in results]
    keys = sorted(key for key in flat[0].keys() | flat[1].keys() if flat[0].get(key) != flat[1].get(key))
    print("Configuration:")
    _print_table(["setting", *names], [[key, *(_setting(one, key) for one in flat)] for key in keys])
    split = "test" if all(result.get("test") for result in results) else "validation"
    print(f"\nOn the {split} rows:")
    stored = [runs.read_predictions(runs_dir / name / runs.PREDICTIONS)[split] for name in names]
    intervals = _intervals(stored, [decision_of(result, len(result["label_names"])) for result in results])
    compared = list(intervals) or COMPARED
    figures = [[result[split].get(name) for result in results] for name in compared]
    rows = []
    for name, pair in zip(compared, figures, strict=True):
        interval = ["", ""]
        if name in intervals:
            difference, lower, upper = intervals[name]
            interval = [f"{difference:+.4f}", f"{lower:+.4f} to {upper:+.4f}"]
        rows.append([name, *map(_shown, pair), *interval])
    _print_table(["metric", *names, "difference", "95 % interval (paired bootstrap)"], rows)
    if not intervals:
        print("no interval: the runs were not tested on the same rows with the same labels")


def _prune(runs_dir: Path, where: Sequence[str], really: bool) -> None:
    if not where:
        raise UserError("prune needs --where, such as --where status=failed; it will not remove every run")
    chosen = [run for run in read_runs(runs_dir) if fits(run, where)]
    for run in chosen:
        directory = runs_dir / run["run"]
        if really:
            with held(directory):  # not one that is being trained
                shutil.rmtree(directory)
        print(f"{'removed' if really else 'would remove'} {directory} ({run['status']})")
    if not really:
        print(f"{len(chosen)} run(s); --yes removes them")


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _setting(flat: Mapping[str, Any], key: str) -> str:
    """A setting in full; empty where the other run alone has it."""
    return str(flat[key]) if key in flat else ""


def _shown(value: Any) -> str:
    """A figure with four decimals; empty where there is none."""
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) and abs(value) < 1 else str(value)


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    from emoji_pred.summary import console

    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    for name in header:
        table.add_column(name, no_wrap=name == "run", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)
