"""What the tweeteval page says beside its tables: where U+FE0F stands, where the accuracy comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from emoji_pred.errors import UserError
from experiments import numbers
from experiments.keeping import Answers, KeptRun
from experiments.markup import grid, named
from experiments.measured import Shelf, over_seeds
from experiments.table import Experiment, Metric
from experiments.tables.tweeteval import (
    AS_DISTRIBUTED,
    LEAK_FREE,
    MODELS,
    READINGS,
    TABLE_OF,
    residue_rows,
)
from experiments.tables.tweeteval_reports import LABELS, REPORTS, SUPPORT

HEART, SUN = LABELS.index("❤"), LABELS.index("☀")  # the classes whose texts hold U+FE0F
BOTH = (AS_DISTRIBUTED, LEAK_FREE)
FIGURES = {"precision": 0, "recall": 1, "f1": 2}  # places in what scikit-learn returns

STAND_IN = "\\*"  # the sign of its row

INTRODUCTION = """All numbers are on the 50,000 test rows, at the epoch with the best macro F1 on the
5,000 validation rows. Focal loss, gamma 1.5, balanced class weights, and the settings that the paper
states. What it does not state is assumed; `conf/model/*.yaml` says what, and [Settings that the paper
leaves open](#tweeteval-settings) which other values were tried. The linear models are not the paper's:
TF-IDF of words with scikit-learn's defaults, and the SVM on character and word n-grams that won
SemEval-2018 task 2, here trained on this data alone. They have no epochs, no focal loss and nothing
random. scikit-learn's words are letters and digits, so TF-IDF does not see U+FE0F and both its readings
are the same.

**The data gives labels away.** When the emoji was removed from a tweet, its variation selector U+FE0F
stayed. {shares}So each model is read three ways: trained and tested *as distributed* (what the paper
did), trained and tested *leak-free* (U+FE0F and other invisible characters removed), and as distributed
but scored on the rows *without* U+FE0F.
"""

REPEATED = """## Runs that were repeated

Sums are rounded in another order with another number of threads (`trainer.threads`) or on another
processor, and training enlarges it. Seeds 0 to 2 were trained on 2026-11-21, and all once more on
2026-12-01, with the same packages, on a machine of the same kind but perhaps not of the same processor. Only
the second are kept. Test macro F1 of both:

{table}"""
# Test macro F1 of the seeds 0 to 2 on 2026-11-21.
EARLIER = {
    ("FFN", AS_DISTRIBUTED): (0.1637, 0.1433, 0.1643),
    ("FFN", LEAK_FREE): (0.1074, 0.1098, 0.1072),
    ("CNN", AS_DISTRIBUTED): (0.2330, 0.2311, 0.2302),
    ("CNN", LEAK_FREE): (0.1709, 0.1800, 0.1774),
    ("Transformer", AS_DISTRIBUTED): (0.1810, 0.1811, 0.1853),
    ("Transformer", LEAK_FREE): (0.1411, 0.1419, 0.1477),
}

ACCURACY = """## Where the accuracy comes from

A class gives its share of the rows times its recall. Red hearts and suns, the classes with U+FE0F, are
{share:.1%} of the test rows, so their recall moves the accuracy most, and from seed to seed. Balanced class
weights make a missed heart cheap, and in validation, where the epoch is chosen, only 5 % of the hearts
carry U+FE0F: nothing there rewards their recall. As distributed, in points of accuracy; in brackets the 95
% interval over seeds.

{table}"""

CHECK = """## Check against the public scoring

TweetEval scores with scikit-learn's `classification_report`. Computed again by the function behind it from
the kept answers of every run, the largest difference among {compared:,} figures of classes is
{largest:.1e}."""


def introduction(shelf: Shelf) -> str:
    """What is measured, and how much of two classes is given away."""
    return INTRODUCTION.format(shares=_shares(shelf))


def _shares(shelf: Shelf) -> str:
    answers = _first_answers(shelf)
    if answers is None:
        return ""
    residue = residue_rows()
    held = {place: float(residue[answers.truth == place].mean()) for place in range(len(LABELS))}
    others = [held[place] for place in held if place not in (HEART, SUN)]
    rest = "no other class" if not any(others) else f"{max(others):.2%} or less of any other class"
    return (
        f"In the test split it stands in {held[HEART]:.1%} of the red hearts, in {held[SUN]:.1%} of the suns "
        f"and in {rest}: {int(residue.sum()):,} rows hold it, {int((~residue).sum()):,} do not. "
    )


def _first_answers(shelf: Shelf) -> Answers | None:
    """Some run's test rows, if they are those of TweetEval and the list of residues is at hand."""
    try:
        rows = len(residue_rows())
    except UserError:
        return None
    for run in _runs(shelf):
        answers = run.answers().get("test")
        if answers is not None and len(answers.truth) == rows and len(run.labels) == len(LABELS):
            return answers
    return None


def _experiments() -> Iterable[Experiment]:
    return (experiment for models in MODELS.values() for experiment in models.values())


def _runs(shelf: Shelf) -> list[KeptRun]:
    return [run for experiment in _experiments() for run in shelf.runs(experiment)]


def sections(shelf: Shelf) -> list[str]:
    """Where the accuracy comes from, F1 of each class under both cleanings, a check, what was run again."""
    own = [accuracy_by_leak(shelf), f1_by_class(shelf), check_against_scikit_learn(shelf)]
    return [text for text in [*own, repeated(shelf)] if text]


def repeated(shelf: Shelf) -> str:
    """What runs that are kept had when they were trained before; "" where one of them is not kept."""
    rows = []
    for (label, clean), then in EARLIER.items():
        found = {run.seed: run.result["test"]["macro_f1"] for run in shelf.runs(MODELS[clean][label])}
        if not set(range(len(then))) <= set(found):
            return ""
        now = [found[seed] for seed in range(len(then))]
        texts = [", ".join(f"{value:.4f}" for value in values) for values in (then, now)]
        rows.append([f"{label}, {READINGS[clean]}", *texts])
    return REPEATED.format(table=grid(["", "2026-11-21", "2026-12-01, kept"], rows))


def accuracy_by_leak(shelf: Shelf) -> str:
    """The accuracy as what the two leaking classes give and what the others give, paper and measured."""
    rows = []
    for label in TABLE_OF:
        experiment = MODELS[AS_DISTRIBUTED][label]
        found = [run for run in shelf.runs(experiment) if leaking_points(run.result) is not None]
        if found:
            rows.append(_accuracy_row(label, experiment, shelf))
    if not rows:
        return ""
    share = (SUPPORT[HEART] + SUPPORT[SUN]) / sum(SUPPORT)
    head = ["", "recall of ❤️: paper", "measured", "recall of ☀️: paper", "measured"]
    head += ["points of both: paper", "measured", "points of the other 18 classes: paper", "measured"]
    sign = f"\n\n{STAND_IN} a stand-in." if any(row[0].endswith(STAND_IN) for row in rows) else ""
    return ACCURACY.format(share=share, table=grid(head, rows)) + sign


def _accuracy_row(label: str, experiment: Experiment, shelf: Shelf) -> list[str]:
    report = REPORTS[TABLE_OF[label]]
    heart, sun = (report.classes[place][1] for place in (HEART, SUN))
    both = 100 * (SUPPORT[HEART] * heart + SUPPORT[SUN] * sun) / sum(SUPPORT)
    parts = [leaking_points(run.result) for run in shelf.runs(experiment)]
    measured = zip(*(part for part in parts if part is not None), strict=True)
    fields = [label + (f" {STAND_IN}" if shelf.stand_in(experiment) else "")]
    published = (heart, sun, both, 100 * report.accuracy - both)
    of_whole = (
        (2, 1.0),
        (2, 1.0),
        (1, 100.0),
        (1, 100.0),
    )  # decimals of the paper, and the most there can be
    for paper, values, (digits, most) in zip(published, measured, of_whole, strict=True):
        fields += [f"{paper:.{digits}f}", _with_interval(values, digits + 1, most)]
    return fields


def _with_interval(values: Sequence[float], digits: int, most: float) -> str:
    mean = numbers.number(float(np.mean(values)), digits)
    if len(values) == 1:
        return mean
    low, high = (numbers.number(min(max(end, 0.0), most), digits) for end in over_seeds(values)[0])
    return f"{mean} [{low}, {high}]"


def leaking_points(result: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    """Recall of red hearts and of suns, points of accuracy of both, and of all other classes.

    Args:
        result: of a run on TweetEval; None is returned for one on other labels.
    """
    test = result.get("test") or {}
    classes = {entry["label"]: entry for entry in test.get("per_class", [])}
    if not {LABELS[HEART], LABELS[SUN]} <= classes.keys():
        return None
    rows = sum(entry["support"] for entry in classes.values())
    leaking = [classes[LABELS[place]] for place in (HEART, SUN)]
    points = 100 * sum(entry["support"] * entry["recall"] for entry in leaking) / rows
    return (leaking[0]["recall"], leaking[1]["recall"], points, 100 * test["accuracy"] - points)


def f1_by_class(shelf: Shelf) -> str:
    """Mean F1 of each class of each model, as distributed and leak-free; "" without any run."""
    labels = [
        label for label in MODELS[AS_DISTRIBUTED] if any(shelf.runs(MODELS[clean][label]) for clean in BOTH)
    ]
    if not labels:
        return ""
    rows = []
    for place, emoji in enumerate(LABELS):
        metric = Metric("F1", f"per_class/{emoji}/f1")
        pairs = [
            " → ".join(
                _two_digits(shelf, MODELS[clean][label], metric) for clean in (AS_DISTRIBUTED, LEAK_FREE)
            )
            for label in labels
        ]
        rows.append([named(emoji), f"{SUPPORT[place]:,}", *pairs])
    return (
        "## F1 of each class, as distributed → leak-free\n\n"
        f"Mean over seeds, on the test rows.\n\n{grid(['', 'rows', *labels], rows)}"
    )


def _two_digits(shelf: Shelf, experiment: Experiment, metric: Metric) -> str:
    values = [value for run in shelf.runs(experiment) if (value := metric.read(run)) is not None]
    return f"{np.mean(values):.2f}" if values else numbers.NO_NUMBER


def check_against_scikit_learn(shelf: Shelf) -> str:
    """Compare each stored table of classes with scikit-learn's, which is TweetEval's own scorer."""
    from sklearn.metrics import precision_recall_fscore_support

    largest, compared = 0.0, 0
    for run in {run.name: run for run in _runs(shelf)}.values():
        answers = run.answers().get("test")
        if answers is None:
            continue
        report = precision_recall_fscore_support(
            answers.truth, answers.given, labels=range(len(run.labels)), zero_division=0
        )
        for place, entry in enumerate(run.result["test"]["per_class"]):
            differences = [abs(entry[name] - report[column][place]) for name, column in FIGURES.items()]
            largest, compared = max(largest, *differences), compared + len(differences)
    if not compared:
        return ""
    return CHECK.format(compared=compared, largest=largest)
