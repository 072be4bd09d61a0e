"""What the page's script knows: each cell, each experiment and each run, once."""

from __future__ import annotations

import json
from typing import Any

from experiments import numbers
from experiments.emoji_names import name_of
from experiments.html_report import wording
from experiments.html_report.kept import packed
from experiments.keeping import KeptRun
from experiments.measured import Measured, Shelf
from experiments.profiles import FULL, command, lacking_of, seeds_of
from experiments.table import Cell, Experiment


class Collected:
    """Cells and runs as they are met while the page is written.

    Args:
        shelf: where the runs are.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.cells: list[dict[str, Any]] = []
        self.measurements: list[Measured] = []
        self.runs: dict[str, KeptRun] = {}
        self._experiments: dict[Experiment, int] = {}
        self._of_experiments: list[dict[str, Any]] = []
        self._packed: dict[str, dict[str, Any]] = {}
        self._shared: dict[str, int] = {}

    def cell(self, place: str, labels: tuple[str, str, str], cell: Cell) -> tuple[int, Measured]:
        """Note a cell.

        Args:
            place: its id in the page.
            labels: of its table, row and column.
            cell: what is measured.

        Returns:
            Its number in the page, and what was measured.
        """
        measured = self.shelf.measured(cell)
        said = measured.before or measured  # what stale runs said is shown, marked and not judged
        about: dict[str, Any] = {
            **{"id": place, "at": self.share(labels[0]), "row": labels[1], "column": labels[2]},
            **{"verdict": measured.verdict.value, "experiment": self.experiment(cell.experiment)},
            **{"digits": wording.digits(said), "split": cell.metric.split},
            "values": [[run.name, _short(v)] for run, v in zip(said.runs, said.values, strict=True)],
        }
        texts = {
            "mean": numbers.mean(said) if said.values else "",
            "published": "" if cell.published is None else wording.published(measured),
            "interval": wording.interval(said),
            "of": said.interval_of,
            "difference": wording.difference(measured),
        }
        about |= {key: text for key, text in texts.items() if text}
        if measured.stale:
            about["stale"] = list(measured.stale)
        for run in said.runs:  # stale ones are not the experiment's
            self._pack(run, cell.experiment)
        if cell.published is not None:
            about["printed"] = cell.published
        for key, ends in (("ends", said.interval), ("next", said.one_more)):
            if ends is not None:
                about[key] = [_short(end) for end in ends]
        self.cells.append(about)
        self.measurements.append(measured)
        return len(self.cells) - 1, measured

    def experiment(self, experiment: Experiment) -> int:
        """Its number in the page; its runs are noted with it."""
        if experiment not in self._experiments:
            self._experiments[experiment] = len(self._of_experiments)
            self._of_experiments.append(self._told(experiment))
        return self._experiments[experiment]

    def names(self, experiment: Experiment) -> list[str]:
        """The names of its runs."""
        return list(self.about(experiment)["runs"])

    def about(self, experiment: Experiment) -> dict[str, Any]:
        """What the page says of an experiment: its runs, what is missing, what is typed."""
        return self._of_experiments[self.experiment(experiment)]

    def share(self, value: Any) -> int:
        """The number of a value that stands in many places and is written once."""
        return self._shared.setdefault(json.dumps(value, ensure_ascii=False), len(self._shared))

    def plain(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "runs": self._packed,
            "experiments": self._of_experiments,
            "cells": self.cells,
            "shared": [json.loads(text) for text in self._shared],
            "names": self._names(),
            "verdicts": {
                verdict.value: [sign, wording.MEANINGS[verdict]] for verdict, sign in wording.SIGNS.items()
            },
        }

    def _names(self) -> dict[str, str]:
        """The English name of each label that is an emoji."""
        labels = {label for run in self.runs.values() for label in run.labels}
        labels |= {str(cell["row"]) for cell in self.cells}
        return {label: name_of(label) for label in sorted(labels) if name_of(label)}

    def _told(self, experiment: Experiment) -> dict[str, Any]:
        shelf = self.shelf
        typed = shelf.overrides(experiment)
        seeds = shelf.seeds(experiment)
        runs = shelf.runs(experiment)
        for run in runs:
            self._pack(run, experiment)
        here = {run.seed for run in runs}
        about: dict[str, Any] = {"runs": [run.name for run in runs]}
        about["missing"] = [seed for seed in seeds if seed not in here]
        about["command"] = command(typed, seeds) if typed else ""
        lacking = "" if typed else lacking_of(experiment, shelf.profile)
        about["lacking"], about["standIn"] = lacking, shelf.stand_in(experiment)
        if experiment.published and experiment.published != typed:
            about["asPublished"] = command(experiment.published, seeds_of(experiment, FULL))
        return about

    def _pack(self, run: KeptRun, experiment: Experiment) -> None:
        if run.name not in self._packed:
            self.runs[run.name] = run
            typed = command(self.shelf.overrides(experiment), [run.seed])
            self._packed[run.name] = packed(run, self.share) | {"command": typed}


def _short(value: float) -> float:
    return float(f"{value:.7g}")
