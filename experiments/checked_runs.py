"""Whether kept runs are what they say: their names, their files, and every number that their answers give."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred import runs
from emoji_pred.errors import UserError
from experiments.keeping import Answers, KeptRun, kept
from experiments.scoring import Counts, NoSuchMetric, class_counts, score

TOLERANCE = 1e-9  # of a fraction: sums taken in another order
_DRIVE = re.compile(r"(?<![A-Za-z])[A-Za-z]:\\")
# What configurations of before a group came later lack, as it then was.
BEFORE = {"vectors": {"_target_": runs.NO_VECTORS}}


def run_differences(results: Path) -> tuple[list[str], int]:
    """What is wrong with the kept runs in a directory.

    Returns:
        A line for each difference, and how many numbers were computed again.
    """
    lines: list[str] = []
    computed = 0
    for directory in sorted(path for path in results.iterdir() if path.is_dir()):
        try:
            run = kept(directory.name, results)
        except UserError as error:
            lines.append(str(error))
            continue
        if run is None:
            lines.append(f"{_place(directory)}: the result or the answers are not there")
            continue
        wrong, count = number_differences(run)
        lines += [*name_differences(run), *file_differences(run), *wrong]
        computed += count
    return lines, computed


def _place(directory: Path) -> str:
    return f"{directory.parent.name}/{directory.name}"


def name_differences(run: KeptRun) -> list[str]:
    """Whether a run's name is the hash of its identity, and this that of its configuration."""
    where, name = _place(run.directory), run.directory.name
    identity = run.result.get("provenance", {}).get("identity")
    if run.name != name:
        return [f"{where}: the result says that it is of run {run.name}"]
    if not isinstance(identity, Mapping) or runs.run_hash(identity) != name:
        return [f"{where}: the name is not the hash of provenance.identity"]
    if name not in possible_names(run.result["config"], identity.get("files", {})):
        return [f"{where}: config is not what provenance.identity says"]
    return []


def possible_names(config: Mapping[str, Any], files: Mapping[str, str]) -> list[str]:
    """What a run of a configuration is called, and was before each change of the code."""
    whole = {**BEFORE, **config}
    try:
        earlier = [identity for identity, _ in runs.earlier_identities(whole, files)]
        return [runs.run_hash(identity) for identity in (runs.identity(whole, files), *earlier)]
    except (KeyError, TypeError, AttributeError):
        return []


def file_differences(run: KeptRun) -> list[str]:
    """Whether the files that are kept are those the result names, and nothing tells of a machine."""
    where = _place(run.directory)
    lines = []
    for name, digest in run.result.get("files", {}).items():
        path = run.directory / name
        if path.is_file() and runs.file_digest(path) != digest:
            lines.append(f"{where}/{name}: the content is not that of the run")
    for key, text in _texts(run.result):
        if runs.without_places(text) != text or _DRIVE.search(text):
            lines.append(f"{where}/{runs.RESULT}: {key} holds a path of a machine: {json.dumps(text)}")
    return lines


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a result with its place; the names of labels may be any text."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in ("label", "label_names", "top_class"):
                yield from _texts(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _texts(inner, f"{key}[{place}]")
    elif isinstance(value, str):
        yield key, value


def number_differences(run: KeptRun) -> tuple[list[str], int]:
    """Every stored metric that the kept answers give again: differences, and how many were computed."""
    lines: list[str] = []
    computed = 0
    for split, answers in run.answers().items():
        counts = class_counts(answers, len(run.labels))
        for path, stored in _stored(run.result[split]):
            found = _found(run, split, answers, path, counts)
            if found is None:
                continue
            computed += 1
            if not math.isclose(found, stored, rel_tol=0, abs_tol=TOLERANCE):
                place = f"{_place(run.directory)}: {split}/{path}"
                lines.append(f"{place} is {stored!r}, and {found!r} by the answers")
        lines += _confusion_differences(run, split, answers)
    return lines, computed


def _stored(figures: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a split by their paths."""
    for name, value in figures.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)
    for entry in figures.get("per_class", ()):
        for name, value in entry.items():
            if name != "label":
                yield f"per_class/{entry['label']}/{name}", float(value)


def _found(run: KeptRun, split: str, answers: Answers, path: str, counts: Counts) -> float | None:
    try:
        (value,) = score(answers, path, run.labels, run.top_class(split), counts=counts)
    except NoSuchMetric:
        return None
    return float(value)


def _confusion_differences(run: KeptRun, split: str, answers: Answers) -> list[str]:
    stored = run.result[split].get("confusion_matrix")
    if stored is None:
        return []
    counted = np.zeros((len(run.labels),) * 2, dtype=np.int64)
    np.add.at(counted, (answers.truth, answers.given), 1)
    if np.array_equal(stored, counted):
        return []
    return [f"{_place(run.directory)}: {split}/confusion_matrix is not that of the answers"]
