"""Render `results/tweeteval.md` from the kept runs: paper beside measurement, and three readings of each run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from experiments.kept_runs import NOT_RUN, best_epoch, machines_line, mean_and_spread, revision
from experiments.tweeteval import (
    Choice,
    Measured,
    choice_command,
    command,
    residue_rows,
    scores,
    test_answers,
)
from experiments.tweeteval_paper import LABELS, SUPPORT, Report

METRICS = ("accuracy", "macro_f1", "weighted_f1")
LEAKING = (0, 12)  # red heart and sun, the classes whose texts hold U+FE0F

INTRODUCTION = """# TweetEval emoji: four architectures, published beside measured

Written by `python -m experiments.tweeteval report` from the runs in `results/tweeteval/`; the paper is Gordon et al.,
"Understanding text sentiment through predicting emoji" (Georgia Institute of Technology). All numbers are on the
50,000 test rows, at the epoch with the best macro F1 on the 5,000 validation rows. Focal loss, gamma 1.5, balanced
class weights, and the settings that the paper states. What it does not state is assumed; `conf/model/*.yaml` says what,
and "Settings tried" which other values were tried.
"Mean ± standard deviation" is over seeds; a number alone is one run. The linear models are not the paper's: TF-IDF of words
with scikit-learn's defaults, and the SVM on character and word n-grams that won SemEval-2018 task 2, here trained on this
data alone. They have no epochs, no focal loss and nothing random. scikit-learn's words are letters and digits, so TF-IDF
does not see U+FE0F and both its readings are the same.

**The data gives labels away.** When the emoji was removed from a tweet, its variation selector U+FE0F stayed. In the test
split it stands in {hearts} of the red hearts and {suns} of the suns and in no other class. So each model is read three
ways: trained and tested *as distributed* (what the paper did), trained and tested *leak-free* (U+FE0F and other
invisible characters removed), and as distributed but scored on the rows *without* U+FE0F.
"""


Choices = Sequence[tuple[Choice, list[dict[str, Any]], list[dict[str, Any]]]]


def render(cells: Sequence[Measured], choices: Choices) -> str:
    """The whole report as Markdown."""
    residue = residue_rows()
    parts = [
        _introduction(cells, residue),
        "## Paper and measurement\n",
        paper_table(cells),
        _readings(cells, residue),
    ]
    parts += [
        _accuracy(cells),
        _per_class(cells),
        *_reports(cells),
        _choices(choices),
        _sklearn_check(cells),
        _runs(cells),
    ]
    parts.append(_commands(cells, choices))
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _introduction(cells: Sequence[Measured], residue: np.ndarray) -> str:
    finished = next((cell.results[0] for cell in cells if cell.results), None)
    if finished is None:
        return INTRODUCTION.format(hearts="85 %", suns="98 %")
    targets, _ = test_answers(finished["run"])
    share = [f"{residue[targets == label].mean():.1%}" for label in LEAKING]
    return INTRODUCTION.format(hearts=share[0], suns=share[1])


def paper_table(cells: Sequence[Measured]) -> str:
    """Published and measured test scores of each model, as a Markdown table with its notes."""
    lines = [
        "| model | reading | seeds | accuracy: paper | measured | macro F1: paper | measured | weighted F1: paper | measured |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for cell in cells:
        paper = _printed(cell)
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


def _printed(cell: Measured) -> list[str]:
    """Accuracy, macro and weighted F1 of the paper, which read the data as distributed."""
    report = cell.row.paper
    if report is None or cell.clean != "as_distributed":
        return ["–"] * len(METRICS)
    return [f"{value:.2f}" for value in (report.accuracy, report.macro[2], report.weighted[2])]


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


def _accuracy(cells: Sequence[Measured]) -> str:
    """Split the accuracy into what the two leaking classes and the other classes give, paper and measured."""
    lines = [
        "## Where the accuracy comes from",
        "",
        "A class gives its share of the rows times its recall. Red hearts and suns, the classes with U+FE0F, are "
        "{share:.1%} of the test rows, so their recall moves the accuracy most, and from seed to seed. Balanced class "
        "weights make a missed heart cheap, and in validation, where the epoch is chosen, only 5% of the hearts carry "
        "U+FE0F: nothing there rewards their recall. Points of accuracy, as distributed:",
        "",
        "| model | recall of ❤: paper | measured | recall of ☀: paper | measured | points of both: paper | measured "
        "| points of the other 18 classes: paper | measured |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    share = 0.0
    for cell in cells:
        report = cell.row.paper
        if cell.clean != "as_distributed" or not cell.results or report is None:
            continue
        parts = [_leaking_points(result) for result in cell.results]
        shares = parts[0]["shares"]
        share = sum(shares)
        heart, sun = (report.classes[label][1] for label in LEAKING)
        published = 100 * (shares[0] * heart + shares[1] * sun)
        rest = 100 * report.accuracy - published
        columns = [
            f"{heart:.2f}",
            mean_and_spread([part["recalls"][0] for part in parts], digits=2),
            f"{sun:.2f}",
            mean_and_spread([part["recalls"][1] for part in parts], digits=2),
            f"{published:.1f}",
            mean_and_spread([part["points"] for part in parts], digits=1),
            f"{rest:.1f}",
            mean_and_spread([part["rest"] for part in parts], digits=1),
        ]
        lines.append(f"| {cell.row.label} | {' | '.join(columns)} |")
    return "\n".join(lines).replace("{share:.1%}", f"{share:.1%}")


def _leaking_points(result: dict[str, Any]) -> dict[str, Any]:
    """Share and recall of red hearts and suns in the test, and the points of accuracy of both and of the rest."""
    classes = [result["test"]["per_class"][label] for label in LEAKING]
    rows = sum(entry["support"] for entry in result["test"]["per_class"])
    shares = [entry["support"] / rows for entry in classes]
    recalls = [entry["recall"] for entry in classes]
    points = 100 * sum(share * recall for share, recall in zip(shares, recalls, strict=True))
    return {
        "shares": shares,
        "recalls": recalls,
        "points": points,
        "rest": 100 * result["test"]["accuracy"] - points,
    }


def _choices(choices: Choices) -> str:
    lines = [
        "## Settings tried",
        "",
        "Where the paper is silent and another value was tried: the best macro F1 of an epoch on the 5,000 validation "
        "rows, as distributed, mean ± standard deviation over seeds. A difference within the spread decides nothing.",
        "",
        "| model | setting | seeds | kept | validation macro F1 | tried | validation macro F1 | why | runs tried |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for choice, chosen, other in choices:
        figures = [_validation_macro_f1(results) for results in (chosen, other)]
        names = " ".join(f"[{result['run']}](tweeteval/{result['run']}/result.json)" for result in other)
        lines.append(
            f"| {choice.row} | {choice.setting} | {len(other)} | {choice.chosen} | {figures[0]} | {choice.other} "
            f"| {figures[1]} | {choice.why} | {names or NOT_RUN} |"
        )
    return "\n".join(lines)


def _validation_macro_f1(results: Sequence[dict[str, Any]]) -> str:
    values = [result["validation"]["macro_f1"] for result in results]
    return mean_and_spread(values, digits=4) if values else NOT_RUN


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


def _reports(cells: Sequence[Measured]) -> list[str]:
    """Each of the paper's reports whole, beside the mean over seeds, as distributed."""
    return [
        _report(cell, cell.row.paper)
        for cell in cells
        if cell.row.paper is not None and cell.clean == "as_distributed" and cell.results
    ]


def _report(cell: Measured, report: Report) -> str:
    lines = [
        f"## {report.table}, whole: {cell.row.label}{' *' if cell.row.note else ''}",
        "",
        "| | precision: paper | measured | recall: paper | measured | F1: paper | measured | rows |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for index, (emoji, printed) in enumerate(zip(LABELS, report.classes, strict=True)):
        measured = [result["test"]["per_class"][index] for result in cell.results]
        figures = [[entry[name] for entry in measured] for name in ("precision", "recall", "f1")]
        lines.append(f"| {emoji} | {_beside(printed, figures)} | {SUPPORT[index]:,} |")
    for average, printed in (("macro", report.macro), ("weighted", report.weighted)):
        names = [f"{average}_{name}" for name in ("precision", "recall", "f1")]
        figures = [[result["test"][name] for result in cell.results] for name in names]
        lines.append(f"| {average} average | {_beside(printed, figures)} | {sum(SUPPORT):,} |")
    if cell.row.note:
        lines += ["", f"\\* {cell.row.note}."]
    return "\n".join(lines)


def _beside(printed: Sequence[float], figures: Sequence[Sequence[float]]) -> str:
    return " | ".join(
        f"{one:.2f} | {mean_and_spread(values, digits=2)}"
        for one, values in zip(printed, figures, strict=True)
    )


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
            lines.append(
                f"| [{result['run']}](tweeteval/{result['run']}/result.json) | {cell.row.label} | {_reading(cell)} "
                f"| {result['config']['seed']} | {best_epoch(result)} "
                f"| {result['validation']['macro_f1']:.4f} | {result['test']['macro_f1']:.4f} "
                f"| {result['test']['top_10']:.4f} | {result['wall_seconds'] / 60:.1f} | {revision(result)} |"
            )
    return "\n".join([*lines, "", machines_line(_all(cells))])


def _commands(cells: Sequence[Measured], choices: Choices) -> str:
    typed = [command(cell.row, cell.clean, cell.row.seeds) for cell in cells]
    typed += [choice_command(choice, choice.seeds) for choice, _, _ in choices]
    results = [*_all(cells), *(result for _, _, other in choices for result in other)]
    threads = sorted({result["provenance"]["machine"].get("threads", 0) for result in results})
    lines = ["## Commands", "", "```", *(f"python {' '.join(words)}" for words in typed), "```", ""]
    lines.append(
        f"Threads of the runs shown: {', '.join(map(str, threads)) or NOT_RUN}. Sums are rounded in another order with "
        "another number of threads (`trainer.threads`) or on another processor, and training enlarges it: FFN "
        "leak-free, seed 2, repeated on another processor on 2026-11-21, had a test macro F1 of 0.1106 instead of 0.1072; "
        "CNN leak-free, seed 0, repeated on 2026-11-24, 0.1786 instead of 0.1709."
    )
    return "\n".join(lines)


def _test_metric(cell: Measured, key: str) -> str:
    return mean_and_spread([result["test"][key] for result in cell.results]) if cell.results else NOT_RUN


def _reading(cell: Measured) -> str:
    return cell.clean.replace("_", " ").replace("leak free", "leak-free")


def _all(cells: Sequence[Measured]) -> Iterable[dict[str, Any]]:
    return (result for cell in cells for result in cell.results)
