"""Render `results/tweeteval.md` from the kept runs: paper beside measurement, and three readings of each run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from experiments.tweeteval import Measured, command, mean_and_spread, residue_rows, scores, test_answers

METRICS = ("accuracy", "macro_f1", "weighted_f1")
NOT_RUN = "not run"

INTRODUCTION = """# TweetEval emoji: four architectures, published beside measured

Written by `python -m experiments.tweeteval report` from the runs in `results/tweeteval/`; the paper is Gordon et al.,
"Understanding text sentiment through predicting emoji" (Georgia Institute of Technology). All numbers are on the
50,000 test rows, at the epoch with the best macro F1 on the 5,000 validation rows. Focal loss, gamma 1.5, balanced
class weights, and the settings that the paper states. What it does not state is assumed, or chosen by validation macro F1;
`conf/model/*.yaml` says which: above all the CNN's weight decay and where the transformer's dropout stands.
"Mean ± standard deviation" is over seeds; a number alone is one run.

**The data gives labels away.** When the emoji was removed from a tweet, its variation selector U+FE0F stayed. In the test
split it stands in {hearts} of the red hearts and {suns} of the suns and in no other class. So each model is read three
ways: trained and tested *as distributed* (what the paper did), trained and tested *leak-free* (U+FE0F and other
invisible characters removed), and as distributed but scored on the rows *without* U+FE0F.
"""


def render(cells: Sequence[Measured]) -> str:
    """The whole report as Markdown."""
    residue = residue_rows()
    parts = [
        _introduction(cells, residue),
        "## Paper and measurement\n",
        paper_table(cells),
        _readings(cells, residue),
    ]
    parts += [_per_class(cells), _sklearn_check(cells), _runs(cells), _commands(cells)]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _introduction(cells: Sequence[Measured], residue: np.ndarray) -> str:
    finished = next((cell.results[0] for cell in cells if cell.results), None)
    if finished is None:
        return INTRODUCTION.format(hearts="85 %", suns="98 %")
    targets, _ = test_answers(finished["run"])
    share = [f"{residue[targets == label].mean():.1%}" for label in (0, 12)]
    return INTRODUCTION.format(hearts=share[0], suns=share[1])


def paper_table(cells: Sequence[Measured]) -> str:
    """Published and measured test scores of each model, as a Markdown table with its notes."""
    lines = [
        "| model | reading | seeds | accuracy: paper | measured | macro F1: paper | measured | weighted F1: paper | measured |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for cell in cells:
        paper = cell.row.paper[1:] if cell.clean == "as_distributed" else ("–", "–", "–")
        values = [
            f"{published} | {_test_metric(cell, key)}" for published, key in zip(paper, METRICS, strict=True)
        ]
        name = cell.row.label + (" *" if cell.row.note else "")
        lines.append(f"| {name} | {_reading(cell)} | {len(cell.results)} | {' | '.join(values)} |")
    notes = [f"\\* {cell.row.label}: {cell.row.note}." for cell in cells if cell.row.note]
    if any(len(cell.results) < len(cell.row.seeds) for cell in cells):
        notes.append(
            "\nNot run, or fewer seeds than three (one for BERT): not trained yet, for want of time alone; "
            "`python -m experiments.tweeteval run` trains what is missing."
        )
    return "\n".join([*lines, "", *dict.fromkeys(notes)])


def _readings(cells: Sequence[Measured], residue: np.ndarray) -> str:
    lines = [
        "## Test rows with and without U+FE0F",
        "",
        f"{int(residue.sum()):,} test rows hold it (all of them hearts or suns), {int((~residue).sum()):,} do not. "
        "Rows are told apart by the text as distributed, also for the leak-free models. Macro F1 is over all 20 classes; "
        "on the rows with U+FE0F only two of them have rows, so accuracy says more there.",
        "",
        "| model | reading | with: accuracy | with: weighted F1 | without: accuracy | without: macro F1 | without: weighted F1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell in cells:
        columns = []
        for rows, keys in (
            (residue, ("accuracy", "weighted_f1")),
            (~residue, ("accuracy", "macro_f1", "weighted_f1")),
        ):
            measured = [_subset_scores(result["run"], rows) for result in cell.results]
            columns += [
                mean_and_spread([one[key] for one in measured]) if measured else NOT_RUN for key in keys
            ]
        lines.append(f"| {cell.row.label} | {_reading(cell)} | {' | '.join(columns)} |")
    return "\n".join(lines)


def _subset_scores(run: str, rows: np.ndarray) -> dict[str, float]:
    targets, answers = test_answers(run)
    return scores(targets[rows], answers[rows])


def _per_class(cells: Sequence[Measured]) -> str:
    lines = ["## F1 of each class, as distributed → leak-free (mean over seeds)", ""]
    finished = next((cell.results[0] for cell in cells if cell.results), None)
    if finished is None:
        return "\n".join([*lines, NOT_RUN])
    labels = list(dict.fromkeys(cell.row.label for cell in cells))
    lines += [f"| emoji | rows | {' | '.join(labels)} |", "|---|---|" + "---|" * len(labels)]
    for index, entry in enumerate(finished["test"]["per_class"]):
        columns = []
        for label in labels:
            pair = [_class_f1(cell, index) for cell in cells if cell.row.label == label]
            columns.append(" → ".join(pair))
        lines.append(f"| {entry['label']} | {entry['support']:,} | {' | '.join(columns)} |")
    return "\n".join(lines)


def _class_f1(cell: Measured, index: int) -> str:
    values = [result["test"]["per_class"][index]["f1"] for result in cell.results]
    return f"{statistics.mean(values):.2f}" if values else "–"


def _sklearn_check(cells: Sequence[Measured]) -> str:
    """Compare each stored per-class table with scikit-learn's classification report, TweetEval's scorer."""
    from sklearn.metrics import classification_report

    largest, compared = 0.0, 0
    for result in _all(cells):
        targets, answers = test_answers(result["run"])
        report = classification_report(targets, answers, output_dict=True, zero_division=0)
        for index, entry in enumerate(result["test"]["per_class"]):
            for ours, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
                largest = max(largest, abs(entry[ours] - report[str(index)][theirs]))
                compared += 1
    return (
        "## Check against the public scoring\n\n"
        "TweetEval scores with scikit-learn's `classification_report`. Computed again with it from the kept answers of "
        f"every run, the largest difference among {compared:,} per-class figures is {largest:.1e}."
    )


def _runs(cells: Sequence[Measured]) -> str:
    lines = [
        "## Runs",
        "",
        "| run | model | reading | seed | best epoch of | macro F1: validation | test | top 10 | minutes | code |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for cell in cells:
        for result in cell.results:
            code = result["provenance"]["code"]
            revision = (code["commit"] or "unknown")[:9] + (" + changes" if code["dirty"] else "")
            lines.append(
                f"| [{result['run']}](tweeteval/{result['run']}/result.json) | {cell.row.label} | {_reading(cell)} "
                f"| {result['config']['seed']} | {result['best_epoch'] + 1} of {len(result['curves'])} "
                f"| {result['validation']['macro_f1']:.4f} | {result['test']['macro_f1']:.4f} "
                f"| {result['test']['top_10']:.4f} | {result['wall_seconds'] / 60:.1f} | {revision} |"
            )
    machines = {
        f"{machine['system']}, {machine['cores']} cores, {machine['device']}"
        for machine in (result["provenance"]["machine"] for result in _all(cells))
    }
    return "\n".join(
        [*lines, "", f"Machine: {'; '.join(sorted(machines))}. Runs shared it, so minutes are no benchmark."]
    )


def _commands(cells: Sequence[Measured]) -> str:
    lines = ["## Commands", "", "```"]
    lines += [f"python {' '.join(command(cell.row, cell.clean, cell.row.seeds))}" for cell in cells]
    return "\n".join([*lines, "```"])


def _test_metric(cell: Measured, key: str) -> str:
    return mean_and_spread([result["test"][key] for result in cell.results]) if cell.results else NOT_RUN


def _reading(cell: Measured) -> str:
    return cell.clean.replace("_", " ").replace("leak free", "leak-free")


def _all(cells: Sequence[Measured]) -> Iterable[dict[str, Any]]:
    return (result for cell in cells for result in cell.results)
