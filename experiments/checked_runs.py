"""Whether kept runs are what they say: their names, their files, and every number that their answers give."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred import runs
from emoji_pred.errors import UserError, one_line
from experiments.checked_metrics import lacking_metrics
from experiments.checked_relations import (
    TOLERANCE,
    answers_of_confusion,
    bound_differences,
    count_differences,
    curve_differences,
)
from experiments.keeping import FORMS, Answers, KeptRun, kept
from experiments.scoring import NoSuchMetric, class_counts, score

SPLITS = ("validation", "test")
_DRIVE = re.compile(r"(?<![A-Za-z])[A-Za-z]:\\")
# What configurations of before a group came later lack, as it then was.
BEFORE = {"vectors": {"_target_": runs.NO_VECTORS}}
# Why a metric cannot be computed again, by task and name; of any other, what `score` says.
NO_PROBABILITIES = "needs the probabilities of all classes, which are not kept"
UNCOMPUTED = {
    ("multiclass", "loss"): NO_PROBABILITIES,
    ("multiclass", "ece"): NO_PROBABILITIES,
    ("multilabel", "loss"): "needs the network's own loss, which the check does not compute",
    ("multilabel", "ece"): "the check has no formula for it",
}
UNREAD = (
    "never computed again: learning curves but at the epoch that was chosen, times, memory, yardsticks, "
    "thresholds, counts of training rows but for their sum, the code's revision; what bench.json and each "
    "audit.json hold, of which the pages are written again; README.md of the audits; residue_rows.json; "
    "phrases and drawings of labels"
)


@dataclass
class Coverage:
    """How far the numbers of runs can be checked.

    Attributes:
        computed: how many were computed from the answers again.
        related: how many, without answers, from other numbers of the same result: those of a split from its
            confusion matrix, those of validation and of the curves by each other.
        left: how many were not computed from anything, by name and reason.
    """

    computed: int = 0
    related: int = 0
    left: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: Coverage) -> None:
        """Count those of another run too."""
        self.computed += other.computed
        self.related += other.related
        self.left += other.left

    def lines(self) -> list[str]:
        """What was not computed again, for the reader, the most frequent first."""
        return [f"{count:8,}  {name}: {why}" for (name, why), count in self.left.most_common()]


def run_differences(results: Path) -> tuple[list[str], Coverage]:
    """What is wrong with the kept runs in a directory.

    Returns:
        A line for each difference, and how many numbers were checked.
    """
    lines: list[str] = []
    covered = Coverage()
    for directory in sorted(path for path in results.iterdir() if path.is_dir()):
        try:
            run = kept(directory.name, results)
        except UserError as error:
            lines.append(str(error))
            continue
        if run is None:
            lines.append(f"{_place(directory)}: the result or the answers are not there")
            continue
        try:
            lines += name_differences(run)
            lines += file_differences(run)
            wrong, of_run = number_differences(run)
        except UserError as error:
            lines.append(str(error))
        except FORMS as error:
            lines.append(f"{_place(directory)}: the result is not one of a run ({one_line(repr(error))})")
        else:
            lines += wrong
            covered.add(of_run)
    return lines, covered


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


def number_differences(run: KeptRun) -> tuple[list[str], Coverage]:
    """Every stored metric that the kept answers give again: differences, and how many were computed.

    Every split of which the result counts rows has to have its metrics and its answers, as many as rows.
    Where answers were not kept, what the numbers of a result say of each other is checked.
    """
    where, rows = _place(run.directory), run.result.get("provenance", {}).get("rows", {})
    lines = [] if rows else [f"{where}: provenance.rows is not there"]
    covered = Coverage()
    for split in SPLITS:
        if split in rows or split in run.result:
            lines += _of_split(run, split, covered)
    of_curves, compared = curve_differences(run.result)
    lines += [f"{where}: {line}" for line in [*of_curves, *count_differences(run.result)]]
    covered.related += compared
    return lines, covered


def _of_split(run: KeptRun, split: str, covered: Coverage) -> list[str]:
    where, answers = _place(run.directory), run.answers()
    if split not in run.result:
        return [f"{where}: the result has no metrics of the {split} rows"]
    before_ranks = _before_ranks(answers)
    if split not in answers and not (split == "validation" and before_ranks):
        return [f"{where}: the answers to the {split} rows are not there"]
    lines = [f"{where}: {line}" for line in lacking_metrics(run.result, split, before_ranks)]
    if not lines and before_ranks:
        rows = run.result.get("provenance", {}).get("rows", {}).get(split)
        found = bound_differences(run.result[split], rows, len(run.labels))
        lines += [f"{where}: {split}/{line}" for line in found]
    own = answers.get(split)
    if own is None:
        return lines + _related_differences(run, split, covered)
    lines += _row_differences(run, split, own)
    lines += _split_differences(run, split, own, covered)
    return [*lines, *_confusion_differences(run, split, own)]


def _related_differences(run: KeptRun, split: str, covered: Coverage) -> list[str]:
    """The numbers of a split without answers: whether they are those of its confusion matrix."""
    matrix = run.result[split].get("confusion_matrix")
    answers = answers_of_confusion(matrix, len(run.labels))
    if answers is None:
        return [f"{_place(run.directory)}: {split}/confusion_matrix is none of {len(run.labels)} classes"]
    of_split = Coverage()
    lines = [*_row_differences(run, split, answers), *_split_differences(run, split, answers, of_split)]
    covered.related += of_split.computed
    covered.left += of_split.left
    return [line.replace("by the answers", "by the confusion matrix") for line in lines]


def _before_ranks(kept_answers: Mapping[str, Answers]) -> bool:
    """Whether a run was kept when ranks were not yet; nor were its answers to the validation rows."""
    every = list(kept_answers.values())
    return bool(every) and all(one.ranks is None and one.truth.ndim == 1 for one in every)


def _row_differences(run: KeptRun, split: str, answers: Answers) -> Iterator[str]:
    rows = run.result.get("provenance", {}).get("rows", {})
    if rows and rows.get(split) != len(answers.truth):
        yield (
            f"{_place(run.directory)}: {len(answers.truth)} answers to {split} rows, of which "
            f"provenance.rows counts {rows.get(split)}"
        )


def _split_differences(run: KeptRun, split: str, answers: Answers, covered: Coverage) -> Iterator[str]:
    """The numbers of a split; counted in `covered`."""
    counts = class_counts(answers, len(run.labels))
    for path, stored in _stored(run.result[split]):
        try:
            (value,) = score(answers, path, run.labels, run.top_class(split), counts=counts)
        except NoSuchMetric as error:
            name = path.rpartition("/")[2]
            reason = str(error).removeprefix(f"{path}: ").replace("this run", "these runs")
            why = UNCOMPUTED.get((run.result["task"], name), reason)
            covered.left[name, why] += 1
            continue
        covered.computed += 1
        found = float(value)
        if not math.isclose(found, stored, rel_tol=0, abs_tol=TOLERANCE):
            yield f"{_place(run.directory)}: {split}/{path} is {stored!r}, and {found!r} by the answers"


def _stored(figures: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a split by their paths."""
    for name, value in figures.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)
    for entry in figures.get("per_class", ()):
        for name, value in entry.items():
            if name != "label":
                yield f"per_class/{entry['label']}/{name}", float(value)


def _confusion_differences(run: KeptRun, split: str, answers: Answers) -> list[str]:
    stored = run.result[split].get("confusion_matrix")
    if stored is None:
        return []
    counted = np.zeros((len(run.labels),) * 2, dtype=np.int64)
    np.add.at(counted, (answers.truth, answers.given), 1)
    if np.array_equal(stored, counted):
        return []
    return [f"{_place(run.directory)}: {split}/confusion_matrix is not that of the answers"]
